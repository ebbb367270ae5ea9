"""Names of contrasts and paths into the labels of BIDS.

Letters and digits make a label, and `+`; what stands between two conditions becomes a word, as in `facesGtHouses`.
"""

import re
from collections.abc import Iterable, Sequence

from bids_regions.dataset.names import clean_label

__all__ = ["distinct_labels", "find_clues", "label_of"]

WORDS = {
    ">": "Gt", "<": "Lt", "=": "Eq", "-": "Minus", "−": "Minus", "*": "Times", "&": "And", "/": "Per",
}  # fmt: skip
SPM_SESSIONS = re.compile(r"\s+-\s+(All Sessions|Session\(?s?\)?\s*[\d ]+)$", re.IGNORECASE)
CLUES = ("sub", "ses", "task", "run")


def label_of(name: str) -> str:
    """The label of a contrast's name; empty where nothing of it can stand in one.

    >>> label_of("tone counting vs baseline"), label_of("Faces > Houses"), label_of("A-B"), label_of("left + right")
    ('toneCountingVsBaseline', 'FacesGtHouses', 'AMinusB', 'left+right')
    >>> label_of("faces - All Sessions"), label_of("--")
    ('faces', '')
    """
    text = SPM_SESSIONS.sub(lambda found: "" if "all" in found[1].lower() else f" {found[1]}", name)
    label = ""
    for piece in re.split(r"([><=\-−*&/+])|[\s_]+", text):  # a minus sign
        if piece == "+":
            label += "" if not label or label.endswith("+") else "+"
        elif piece:
            word = WORDS.get(piece) or "".join(c for c in clean_label(piece) if c.isalnum())
            label += word if not label or label.endswith("+") else word[:1].upper() + word[1:]
    label = label.rstrip("+")
    return label if re.sub("|".join(WORDS.values()), "", label) else ""


def distinct_labels(names: Sequence[tuple[int, str]]) -> tuple[dict[int, str], list[str]]:
    """A label for each numbered contrast, no two alike (letter case aside), and sentences on those that needed help.

    >>> distinct_labels([(1, "face"), (2, "Face!"), (3, "")])
    ({1: 'face', 2: 'Face2', 3: '3'}, ["contrast 2 'Face!' is named Face2, for another one has its label"])
    """
    labels: dict[int, str] = {}
    notes: list[str] = []
    taken: set[str] = set()
    for number, name in names:
        label = label_of(name) or str(number)
        if label.lower() in taken:
            label = next(free for n in range(number, number + 9999) if (free := f"{label}{n}").lower() not in taken)
            notes.append(f"contrast {number} {name!r} is named {label}, for another one has its label")
        labels[number] = label
        taken.add(label.lower())
    return labels, notes


def find_clues(texts: Iterable[str]) -> dict[str, str]:
    """The participant, session, task and run that all paths agree on.

    >>> find_clues(["/data/sub-01/func/swsub-01_task-rest_run-1_bold.nii", "sub-01_task-rest_run-2_bold.nii"])
    {'sub': '01', 'task': 'rest'}
    """
    texts = list(texts)
    found: dict[str, str] = {}
    for key in CLUES:
        said = {match for text in texts for match in re.findall(rf"(?<![a-z]-){key}-([0-9a-zA-Z]+)", text)}
        if len(said) == 1:
            found[key] = said.pop()
    return found
