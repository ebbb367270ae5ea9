"""Images of surfaces in memory: what nibabel holds of GIFTI and CIFTI, on its way to our readers and back.

Such an image is read as its file would be, so that what is wrong with it is told in the same sentences.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel import cifti2, gifti
from numpy.typing import NDArray

from bids_regions.errors import BadMap, MissingInput
from bids_regions.images.cifti import encode_cifti_labels
from bids_regions.images.cifti_header import Grayordinates
from bids_regions.images.gifti import encode_gifti_labels

__all__ = ["as_files", "cifti_of_labels", "gifti_of_labels", "is_cifti_image", "is_gifti_image", "load_image"]

Table = Sequence[tuple[int, str, str]]  # key, name, #rrggbb


def is_gifti_image(value: object) -> bool:
    """Whether this is a GIFTI image of nibabel."""
    return isinstance(value, gifti.GiftiImage)


def is_cifti_image(value: object) -> bool:
    """Whether this is a CIFTI-2 image of nibabel."""
    return isinstance(value, cifti2.Cifti2Image)


@contextmanager
def as_files(images: Sequence[Any]) -> Iterator[list[Path]]:
    """The images as files, for as long as the block lasts; each keeps the name it was loaded by, where it has one.

    Raises
    ------
    BadMap
        nibabel cannot write an image.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, image in enumerate(images):
            told = image.get_filename()
            usual = "image.dscalar.nii" if is_cifti_image(image) else "image.func.gii"
            path = Path(folder, str(number), Path(told).name if isinstance(told, str) else usual)
            path.parent.mkdir()
            try:
                path.write_bytes(image.to_bytes())
            except Exception as error:
                raise BadMap(f"the image cannot be read: {error}", hint="Give it as a file") from error
            paths.append(path)
        yield paths


def gifti_of_labels(labels: NDArray[np.integer[Any]], structure: str, table: Table) -> Any:
    """A label for each vertex as nibabel's GIFTI image, as files of labels have it; the keys that occur alone."""
    there = set(np.unique(labels).tolist())
    content = encode_gifti_labels(labels, structure, [row for row in table if row[0] in there])
    return gifti.GiftiImage.from_bytes(content)


def cifti_of_labels(labels: NDArray[np.integer[Any]], grayordinates: Grayordinates, table: Table, map_name: str) -> Any:
    """A label for each grayordinate as nibabel's CIFTI-2 image, a dlabel."""
    return cifti2.Cifti2Image.from_bytes(encode_cifti_labels(labels, grayordinates, table, map_name))


def load_image(path: Path) -> Any:
    """The image in a file as nibabel has it; what it can leave on disk is read when asked for.

    Raises
    ------
    MissingInput
        It is not there.
    BadMap
        nibabel cannot read it.
    """
    if not path.exists():
        raise MissingInput(f"{path} is not there", hint="Check the path, or run again")
    try:
        return nib.load(path)
    except Exception as error:
        raise BadMap(f"{path} cannot be read: {error}", hint="Run again with force") from error
