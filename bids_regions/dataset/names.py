"""What a file name says: entities in their order, the suffix, the extension.

An entity is a `key-label` pair between underscores; BIDS knows many of them by a short key (`sub`) and pybids by a
long name (`subject`). This file splits names verbatim, so that nothing a name says is lost; the meaning of the keys
lies in `vocabulary`. It knows neither files nor folders on disk.
"""

import hashlib
import re
import unicodedata

__all__ = ["PASSED", "PASSED_ON_SURFACES", "clean_label", "fold_label", "read_entities", "split_name"]

# The entities that the BIDS schema allows on a segmentation, in its order; all others are folded into `seg-`.
PASSED = ("sub", "ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part", "space", "res")

# On surfaces the schema allows no dir- and res-, but den-; hemi- stands on the label file of a hemisphere alone.
PASSED_ON_SURFACES = (*(key for key in PASSED if key not in ("dir", "res")), "den")

# A folder names entities only in this strict form: `fmriprep-23.1.3` and `first_level` are just folders.
FOLDER_ENTITY = re.compile(r"[0-9a-zA-Z]+-[0-9a-zA-Z+]+")

CONTRASTS = ("contrast", "taskcontrast")
SIGNS = ((">", "Gt"), ("<", "Lt"), ("=", "Eq"))  # as nilearn words them

SUFFIX = re.compile(r"[^.+]*")  # AFNI goes on after it with +, as in `statmap+tlrc.HEAD`

Entities = tuple[tuple[str, str], ...]


def split_name(name: str) -> tuple[Entities, str, str]:
    """The entities, suffix and extension (with its dot) of a file name, everything verbatim.

    >>> split_name("sub-01_task-nback_contrast-two_back_stat-z_statmap.nii.gz")
    ((('sub', '01'), ('task', 'nback'), ('contrast', 'two_back'), ('stat', 'z')), 'statmap', '.nii.gz')
    """
    stem, _, last = name.rpartition("_")
    found = SUFFIX.match(last)
    suffix = found[0] if found else ""
    return _entities_of(stem), suffix, last[len(suffix) :]


def read_entities(folders: str, name: str) -> Entities:
    """The entities of a file: those that only its folders name first, then those of its name, which has the last word.

    >>> read_entities("node-run/sub-01", "sub-01_contrast-a_stat-z_statmap.nii.gz")
    (('node', 'run'), ('sub', '01'), ('contrast', 'a'), ('stat', 'z'))
    """
    own, _, _ = split_name(name)
    labels = dict(own)
    parts = (part for folder in folders.split("/") for part in folder.split("_") if FOLDER_ENTITY.fullmatch(part))
    pairs = (part.partition("-") for part in parts)
    only_folders = {key: label for key, _, label in pairs if key not in labels}
    return (*only_folders.items(), *own)


def _entities_of(stem: str) -> Entities:
    entities: list[tuple[str, str]] = []
    for part in stem.split("_"):
        key, hyphen, label = part.partition("-")
        if hyphen and key:
            entities.append((key, label))
        elif part and entities and entities[-1][0] not in PASSED:
            entities[-1] = (entities[-1][0], f"{entities[-1][1]}_{part}")  # `contrast-two_back` means one label
        elif part:
            entities.append((part, ""))
    return tuple(dict.fromkeys(entities))


def clean_label(text: str) -> str:
    """`text` in the characters that BIDS allows in a label.

    Accents fall away, punctuation becomes `+`, any other character its code point in hexadecimal digits after a `u`.

    >>> clean_label("two-back"), clean_label("Müller"), clean_label("左")
    ('two+back', 'Muller', 'u5de6')
    """
    if text.isascii() and text.isalnum():  # most labels
        return text
    plain = unicodedata.normalize("NFKD", text)
    kept = [c for c in plain if not unicodedata.combining(c)]
    return "".join(
        c if c.isascii() and c.isalnum() else "+" if c.isascii() and c.isprintable() else f"u{ord(c):04x}"
        for c in kept or plain
    )


def fold_label(key: str, label: str) -> str:
    """A label as it stands in `seg-`: contrasts keep the signs that tell them apart as words.

    What a contrast loses beyond that is told by six digits of its hash, so that its name depends on it alone.

    >>> fold_label("contrast", "face>house"), fold_label("contrast", "two-back"), fold_label("contrast", "two_back")
    ('faceGthouse', 'twoMinusback', 'two+back+fa1174')
    >>> fold_label("desc", "two_back")
    'two+back'
    """
    if key not in CONTRASTS:
        return clean_label(label)
    worded = re.sub("(?<=.)-(?=.)", "Minus", label)
    for sign, word in SIGNS:
        worded = worded.replace(sign, word)
    cleaned = clean_label(worded)
    if cleaned == worded:
        return cleaned
    digits = hashlib.sha256(label.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return "+".join(part for part in (cleaned.strip("+"), digits) if part)
