"""The command that makes the group again, and its settings, as the group page prints them.

A command tells no path and no time, as those of the participants' pages (`pages.provenance`). What a setting does is
not known here.
"""

import shlex

from bids_regions.pages.page import PageContext
from bids_regions.settings import GroupSettings

__all__ = ["command_of", "settings_of"]


def command_of(settings: GroupSettings, context: PageContext) -> str:
    """The canonical command of the group level: no path, nothing that differs between equal runs.

    What selects maps and thresholds those of the group itself is that of the participants' command.
    """
    words = ["bids_regions", "BIDS_DIR", "OUTPUT_DIR", "group", *shlex.split(context.provenance.command)[4:]]
    words += ["--min-prevalence", f"{settings.min_prevalence:.10g}", "--min-coverage", f"{settings.min_coverage:.10g}"]
    words += ["--participant-label", *settings.participants] if settings.participants else []
    words += ["--group-by", *settings.group_by] if settings.group_by else []
    words += ["--participants-tsv", settings.participants_tsv.name] if settings.participants_tsv else []
    words += ["--reliability", settings.reliability] if settings.reliability != "auto" else []
    words += ["--regions-from", *(path.name for path in settings.regions_from)] if settings.regions_from else []
    return shlex.join(words)


def settings_of(settings: GroupSettings) -> tuple[tuple[str, str], ...]:
    """What of the settings the page tells."""
    told = [("min-prevalence", f"{settings.min_prevalence:.10g}"), ("min-coverage", f"{settings.min_coverage:.10g}")]
    if settings.group_by:
        told.append(("group-by", " ".join(settings.group_by)))
    if settings.participants:
        told.append(("participant-label", " ".join(settings.participants)))
    if settings.participants_tsv:
        told.append(("participants-tsv", settings.participants_tsv.name))
    if settings.reliability != "auto":
        told.append(("reliability", settings.reliability))
    if settings.regions_from:
        told.append(("regions-from", settings.regions_name))
    return tuple(told)
