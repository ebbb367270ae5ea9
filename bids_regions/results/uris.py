"""BIDS URIs: how records name the files they speak of, written and read here alone.

A *source* lies in the dataset that the maps come from and is named `bids:input:<path>`, which DatasetLinks resolves; an
*output* lies in the output folder itself and is named `bids::<path>`. Bytes that are no UTF-8 and characters that a URI
may not have are percent-encoded, so that every name comes back as it was. Whether a file is there is not asked.
"""

import os
from urllib.parse import quote, unquote_to_bytes

from bids_regions.dataset import LINK

__all__ = ["output_uri", "read_source", "source_uri"]

SOURCE = f"bids:{LINK}:"
OUTPUT = "bids::"
PLAIN = "/+-_.~"  # what a URI's path may hold as it is, beside letters and digits


def source_uri(relpath: str) -> str:
    """The URI of a file of the source dataset, from its path relative to it.

    >>> source_uri("sub-01/sub-01_contrast-a b_stat-z_statmap.nii.gz")
    'bids:input:sub-01/sub-01_contrast-a%20b_stat-z_statmap.nii.gz'
    """
    return SOURCE + quote(os.fsencode(relpath), safe=PLAIN)


def output_uri(relpath: str) -> str:
    """The URI of a file of the output folder, from its path relative to it."""
    return OUTPUT + quote(os.fsencode(relpath), safe=PLAIN)


def read_source(uri: str) -> str | None:
    """The path of a source relative to its dataset; None for what is no URI of a source.

    >>> read_source("bids:input:a%20b.nii.gz"), read_source("../fmriprep/mask.nii.gz")
    ('a b.nii.gz', None)
    """
    return os.fsdecode(unquote_to_bytes(uri.removeprefix(SOURCE))) if uri.startswith(SOURCE) else None
