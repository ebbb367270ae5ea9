#!/usr/bin/env python3
"""What this machine's pip is told of its package index, as a pip.conf for the inside of a build.

Folders of this machine are left out: they are not there inside.
"""

import subprocess
import sys

LENT = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


def main() -> None:
    """Print the pip.conf."""
    told = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    lines = ["[global]", "cert = /run/secrets/ca.crt"]
    for line in told.stdout.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2].removeprefix("default-")
        words = [w for w in value.strip("'\"").replace("\\n", " ").split() if not w.startswith(("file:", "/"))]
        if name in LENT and words:
            lines.append(f"{name} = {' '.join(words)}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
