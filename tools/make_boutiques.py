"""Writes boutiques.json from the table of options: `python tools/make_boutiques.py > boutiques.json`.

The command line of the descriptor is the template that `bosh validate --bids` asks for, to the letter. tests/
test_boutiques.py holds the committed file against this script and, option by option, against the parser.
"""

import json
import sys
from pathlib import Path
from typing import Any

from bids_regions.settings import LEVELS, OPTIONS, Option, options
from bids_regions.settings.run import EXCLUSIVE
from bids_regions.version import REPOSITORY, __version__

DESCRIPTION = (
    "A BIDS App. Finds the statistical maps of a BIDS derivatives dataset, thresholds them, extracts the connected "
    "regions, and writes label images, tables, sidecars and reports: per participant, and across participants."
)
NUMBERS: dict[Any, dict[str, Any]] = {  # what a reader of one value lets through, in the words of Boutiques
    options.whole_number: {"integer": True},
    options.positive: {"minimum": 0, "exclusive-minimum": True},
    options.not_negative: {"minimum": 0},
    options.count: {"integer": True, "minimum": 1},
    options.whole: {"integer": True, "minimum": 0},
    options.fraction: {"minimum": 0, "exclusive-minimum": True, "maximum": 1},
}
EXIT_CODES = {
    1: "Some maps failed; the others are done",
    2: "A bad value on the command line",
    16: "A dataset that cannot be understood: dataset_description.json, or several derivatives and none named",
    18: "The selection is empty, though there are maps",
    64: "Contradictory options, or a fault of the configuration file",
    66: "BIDS_DIR or a named file is missing or unreadable, or there is no map at all",
    73: "The output cannot be created",
    74: "A read or write error, such as a full disk",
    143: "Stopped by SIGTERM; run again to complete the rest",
}


def describe() -> dict[str, Any]:
    """The descriptor."""
    inputs = [*_positionals(), *(_input(option) for option in OPTIONS)]
    keys = dict.fromkeys(each["value-key"] for each in inputs)  # in the order of the command line
    return {
        "name": "bids_regions",
        "tool-version": __version__,
        "description": DESCRIPTION,
        **({"url": REPOSITORY} if REPOSITORY else {}),
        "schema-version": "0.5",
        "command-line": "mkdir -p [OUTPUT_DIR]; bids_regions " + " ".join(keys),
        "container-image": {"type": "docker", "image": f"bids_regions:{__version__}", "entrypoint": False},
        "inputs": inputs,
        "groups": _groups(),
        "output-files": [
            {
                "id": "output",
                "name": "Regions, tables and reports",
                "description": "A BIDS derivative: dataset_description.json, sub-*/, tpl-*/, sub-*.html, group.html",
                "path-template": "[OUTPUT_DIR]",
                "optional": False,
            }
        ],
        "error-codes": [{"code": code, "description": words} for code, words in EXIT_CODES.items()],
        "suggested-resources": {"cpu-cores": 1, "ram": 1, "walltime-estimate": 60},
        "tags": {"domain": ["neuroinformatics", "fmri", "bids", "bids-app"]},
        "tests": [_demo_test()],
    }


def _positionals() -> list[dict[str, Any]]:
    key = "[OUTPUT_DIR]"
    return [
        {
            "id": "bids_dir", "name": "BIDS_DIR", "type": "File", "value-key": "[BIDS_DIR]", "optional": False,
            "description": "the dataset that holds the maps",
        },
        {
            "id": "output_dir", "name": "OUTPUT_DIR", "type": "String", "value-key": key, "optional": True,
            "description": "where the results go",
        },
        {
            "id": "participants_output_dir", "name": "OUTPUT_DIR of the participant level", "type": "File",
            "value-key": key, "optional": True,
            "description": "where the results go, when the participants' results are there already",
        },
        {
            "id": "analysis_level", "name": "{participant,group}", "type": "String", "value-key": "[ANALYSIS_LEVEL]",
            "value-choices": list(LEVELS), "list": True, "min-list-entries": 1, "optional": False,
            "description": "what to do: one or both",
        },
    ]  # fmt: skip


def _input(option: Option) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": option.name,
        "name": option.name.replace("_", " "),
        "type": _type(option),
        "value-key": f"[{option.name.upper()}]",
        "command-line-flag": option.flags[0],
        "optional": True,
        "description": option.help.replace("%%", "%"),
        **NUMBERS.get(option.kind, {}),
    }
    if option.choices:
        made["value-choices"] = list(option.choices)
    if option.many:
        made |= {"list": True, "min-list-entries": 1}
    if option.default is not None and made["type"] != "Flag":
        made["default-value"] = option.default
    return made


def _type(option: Option) -> str:
    if option.kind is None:
        return "Flag"
    if option.kind in NUMBERS:
        return "Number"
    return "File" if option.kind is Path else "String"


def _groups() -> list[dict[str, Any]]:
    place = {
        "id": "output_directory",
        "name": "Output directory",
        "description": "one place for the results: a name, or a folder that is there already",
        "members": ["output_dir", "participants_output_dir"],
        "mutually-exclusive": True,
        "one-is-required": True,
    }
    pairs = [
        {
            "id": f"{one}_or_{other}",
            "name": f"{one} or {other}".replace("_", " "),
            "members": [one, other],
            "mutually-exclusive": True,
        }
        for one, other in EXCLUSIVE
    ]
    return [place, *pairs]


def _demo_test() -> dict[str, Any]:
    return {
        "name": "the demo (python -m bids_regions.demo demo-output)",
        "invocation": {
            "bids_dir": "demo-output/dataset",
            "output_dir": "demo-output/regions",
            "analysis_level": list(LEVELS),
            "threshold": ["97%", "3.0"],
        },
        "assertions": {"exit-code": 0, "output-files": [{"id": "output"}]},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe(), indent=2, ensure_ascii=False) + "\n")
