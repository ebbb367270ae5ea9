"""What can be asked of a run: every option once, configuration files, and the settings that come of them.

The names load when they are first used: `--help` needs the options alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bids_regions.settings.configuration import read_configuration
    from bids_regions.settings.entries import Entry, make_entry, name_of_threshold, with_folders, without_folders
    from bids_regions.settings.options import LEVELS, OPTIONS, REGION_OPTIONS, Option
    from bids_regions.settings.run import GroupSettings, SelectionSettings, Settings, WorkerSettings, make_settings

__all__ = [
    "LEVELS",
    "OPTIONS",
    "REGION_OPTIONS",
    "Entry",
    "GroupSettings",
    "Option",
    "SelectionSettings",
    "Settings",
    "WorkerSettings",
    "make_entry",
    "make_settings",
    "name_of_threshold",
    "read_configuration",
    "with_folders",
    "without_folders",
]

HOMES = {
    "options": ("LEVELS", "OPTIONS", "REGION_OPTIONS", "Option"),
    "entries": ("Entry", "make_entry", "name_of_threshold", "with_folders", "without_folders"),
    "configuration": ("read_configuration",),
    "run": ("GroupSettings", "SelectionSettings", "Settings", "WorkerSettings", "make_settings"),
}


def __getattr__(name: str) -> Any:
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"bids_regions.settings.{home}"), name)
    raise AttributeError(f"module 'bids_regions.settings' has no attribute {name!r}")
