"""What entities are called: a short key in the names of files (`res-`), and a long name in BIDS and in pybids.

The two do not agree everywhere (`resolution` is BIDS's word for what pybids calls `res`), and a user may write either.
"""

__all__ = ["ENTITY_NAMES", "short_key"]

# long name: short key, where they differ; `volume` is not among them, which here is one of a 4-D file, not `voi-`
SHORT_KEYS = {
    "subject": "sub",
    "session": "ses",
    "acquisition": "acq",
    "nucleus": "nuc",
    "ceagent": "ce",
    "staining": "stain",
    "tracer": "trc",
    "reconstruction": "rec",
    "direction": "dir",
    "modality": "mod",
    "inversion": "inv",
    "mtransfer": "mt",
    "processing": "proc",
    "hemisphere": "hemi",
    "resolution": "res",
    "density": "den",
    "segmentation": "seg",
    "description": "desc",
    "template": "tpl",
}


# every long name that pybids knows, ours among them
ENTITY_NAMES = frozenset({
    "acquisition", "algorithm", "atlas", "ceagent", "chunk", "cohort", "component", "contrast", "datatype", "den",
    "desc", "direction", "echo", "extension", "feature", "flip", "fmap", "from", "hemi", "inv", "label", "level",
    "map", "modality", "mode", "model", "mt", "name", "node", "nucleus", "part", "proc", "reconstruction",
    "recording", "res", "roi", "run", "sample", "scale", "scans", "seed", "segmentation", "session", "space",
    "staining", "stat", "subject", "subset", "suffix", "task", "taskcontrast", "template", "to", "tracer", "tracksys",
    "volume",
})  # fmt: skip


def short_key(name: str) -> str:
    """The key that stands in names of files, for an entity's short or long name.

    >>> short_key("resolution"), short_key("res"), short_key("contrast")
    ('res', 'res', 'contrast')
    """
    return SHORT_KEYS.get(name, name)
