"""Parses and renders recipe/recipe.yaml by rattler-build: `nox --session metadata`. It builds no package."""

import sys
from pathlib import Path

from rattler_build import Stage0Recipe


def main() -> None:
    """Print what the package would need; end with rattler-build's own error where the recipe is none."""
    for variant in Stage0Recipe.from_file(Path(__file__).parent.parent / "recipe" / "recipe.yaml").render():
        package, needs = variant.recipe.package, variant.recipe.requirements
        sys.stdout.write(f"{package.name} {package.version} needs {', '.join(map(str, needs.run))}\n")


if __name__ == "__main__":
    main()
