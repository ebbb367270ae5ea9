"""Has BABS write its script from docs/examples/babs/bids_regions.yaml, and reads its call as the app does.

Run where BABS is installed: `nox --session neighbours`.
"""

import re
import shlex
import sys
from pathlib import Path

import yaml
from babs.generate_bidsapp_runscript import generate_bidsapp_runscript
from babs.input_datasets import InputDatasets
from babs.utils import app_output_settings_from_config

from bids_regions.cli import build_parser

CONFIGURATION = Path(__file__).parent.parent / "docs" / "examples" / "babs" / "bids_regions.yaml"
NAME = "bids-regions-0-2-0"  # DataLad wants no underscore


def write_script() -> str:
    """The shell script that BABS runs for a participant."""
    configuration = yaml.safe_load(CONFIGURATION.read_text())
    folders, output = app_output_settings_from_config(configuration)
    datasets = InputDatasets("subject", configuration["input_datasets"])
    datasets.update_abs_paths(Path("analysis"))
    return str(
        generate_bidsapp_runscript(
            datasets.as_records(),
            "subject",
            container_name=NAME,
            relative_container_path="image",
            bids_app_output_dir=output,
            dict_zip_foldernames=folders,
            bids_app_args=configuration["bids_app_args"],
            singularity_args=configuration["singularity_args"],
        )
    )


def main() -> None:
    """Print the script, and end with 1 where the app would not take its arguments."""
    script = write_script()
    sys.stdout.write(script)
    call = re.search(r'^    "?image"? (.*?)\n\n', script, re.MULTILINE | re.DOTALL)
    if call is None:
        sys.exit("no call of the image in it")
    given = build_parser().parse_args(shlex.split(call[1].replace("\\\n", " ")))
    assert (given.analysis_level, given.threshold) == (["participant"], ["97%", "3.0"])
    assert given.participant_label == ["${subid}"]
    sys.stdout.write("BABS's script is one that the app takes\n")


if __name__ == "__main__":
    main()
