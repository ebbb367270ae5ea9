"""The official BIDS validator."""

import json
import subprocess
import sys
from pathlib import Path

VALIDATOR = Path(sys.executable).parent / "bids-validator-deno"


def issues_of(folder):
    """Every error, warning and note."""
    done = subprocess.run([VALIDATOR, folder, "--format", "json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)["issues"]["issues"]


def validate(folder):
    """The errors."""
    return [issue for issue in issues_of(folder) if issue["severity"] == "error"]
