"""Who the participants are: participants.tsv, of the dataset itself or of the raw dataset it was made from.

A *label* is a participant's id without `sub-`. Which of them have results, or maps, is not known here.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bids_regions.dataset.companions import linked_datasets
from bids_regions.dataset.names import clean_label
from bids_regions.dataset.source import SourceDataset
from bids_regions.errors import BadDataset, Contradiction, Fault, MissingInput
from bids_regions.files import read_text
from bids_regions.frozen import dataclass
from bids_regions.tables import NO_VALUE, show_control

__all__ = ["Participants", "find_participants_tsv", "read_participants", "read_table"]

FILE = "participants.tsv"
IDENTIFIER = "participant_id"


@dataclass(frozen=True, kw_only=True)
class Participants:
    """What participants.tsv says."""

    path: Path
    columns: tuple[str, ...]  # without participant_id, in the file's order
    rows: Mapping[str, Mapping[str, str]]  # label without sub- -> column -> value; n/a where there is none

    def value(self, participant: str, column: str) -> str:
        """The value of a participant in a column; n/a for one who is not in the table."""
        return self.rows.get(participant, {}).get(column, NO_VALUE)

    def matched(self, labels: Collection[str]) -> "Participants":
        """The same table with its rows under `labels`: `1` of a spreadsheet is `01`, `Jü` is `Ju` of a name.

        A row whose own label is among them keeps it; one that several labels, or several rows, could mean stays.
        """
        free = [label for label in labels if label not in self.rows]
        wanted = Counter(_number(label) for label in free)
        told = Counter(_number(label) for label in self.rows if label not in labels)
        by_number = {_number(label): label for label in free}

        def name(label: str) -> str:
            number = _number(label)
            sure = label not in labels and wanted[number] == 1 and told[number] == 1
            return by_number[number] if sure else label

        return replace(self, rows={name(label): row for label, row in self.rows.items()})


def find_participants_tsv(dataset: SourceDataset) -> Path | None:
    """participants.tsv of BIDS_DIR, of the dataset, or of the raw dataset that the dataset was made from."""
    root = dataset.root
    folders = [dataset.bids_dir, root, *linked_datasets(dataset), root / "sourcedata" / "raw", root / "sourcedata"]
    if root.parent.name == "derivatives":
        folders.append(root.parent.parent)
    elif root.parent.parent.name == "derivatives":  # derivatives/fitlins/node-x
        folders.append(root.parent.parent.parent)
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def read_table(
    dataset: SourceDataset, named: Path | None, group_by: Sequence[str]
) -> tuple[Participants | None, tuple[str, ...]]:
    """participants.tsv, named or found; one that nobody asked for and that cannot be read is told, and lacks.

    Raises
    ------
    MissingInput
        It was named or asked by --group-by, and is not there, cannot be read or is no table of participants.
    Contradiction
        --group-by names a column that it does not have.
    """
    path = named or find_participants_tsv(dataset)
    if path is None:
        if group_by:
            raise MissingInput(
                "--group-by needs a participants.tsv, and none was found", hint="Name it by --participants-tsv"
            )
        return None, ()
    try:
        table = read_participants(path)
    except Fault as fault:
        if group_by or named:
            raise MissingInput(fault.sentence, hint=fault.hint) from fault
        return None, (f"{fault.sentence}: the tables are without its columns. {fault.hint}",)
    unknown = [column for column in group_by if column not in table.columns]
    if unknown:
        raise Contradiction(
            f"--group-by {' '.join(unknown)}: {path} has no such column", hint=f"It has {', '.join(table.columns)}"
        )
    return table, ()


def read_participants(path: Path) -> Participants:
    """The table at `path`, whatever wrote it: byte order marks, any line ends, quotes and short lines are understood.

    Raises
    ------
    MissingInput
        The file is not there or cannot be read.
    BadDataset
        It is no table of participants: no participant_id, a participant or column twice, a line too long.
    """
    table = [[_unquote(cell) for cell in line.split("\t")] for line in read_text(path).split("\n") if line.strip()]
    header = table[0] if table else []
    if IDENTIFIER not in header:
        raise BadDataset(f"{path} has no column {IDENTIFIER}", hint="Its columns are separated by tabs")
    named = [name for name in header if name]  # spreadsheets end lines with empty cells, the header as well
    if len(set(named)) < len(named):
        raise BadDataset(f"{path} has a column twice", hint="Give each column a name of its own")
    rows: dict[str, dict[str, str]] = {}
    for number, cells in enumerate(table[1:], 2):
        if any(cells[len(header) :]):
            raise BadDataset(f"{path}: line {number} has more cells than the header", hint="Fix this line")
        row = dict.fromkeys(header, NO_VALUE) | {k: v or NO_VALUE for k, v in zip(header, cells, strict=False)}
        row.pop("", None)
        label = re.sub(r"^sub-", "", row.pop(IDENTIFIER), flags=re.IGNORECASE)
        if label in rows:
            raise BadDataset(f"{path} has sub-{label} twice", hint="Keep one line for each participant")
        rows[label] = row
    return Participants(path=path, columns=tuple(name for name in named if name != IDENTIFIER), rows=rows)


def _number(label: str) -> str:
    """A label as names have it, without what a spreadsheet takes from it or adds: leading zeros, `.0`."""
    number = re.sub(r"^(\d+)\.0+$", r"\1", label)
    return number.lstrip("0") or "0" if number.isdecimal() else clean_label(label)


def _unquote(cell: str) -> str:
    text = cell.strip()
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return show_control(text[1:-1].replace('""', '"').strip() if quoted else text)
