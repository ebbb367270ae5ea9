"""A NIfTI header as what it promises: the grid, the numbers and where they begin, checked before anything is allocated.

The layout of an image: its voxels' type on disk, their number, the bytes before the first one, and how stored numbers
become values. nibabel reads the fields and makes the affine; what cannot be believed is refused here with a sentence.
"""

import math
import re
import struct
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.frozen import dataclass
from bids_regions.images.grids import StoredGrid, grid_of
from bids_regions.images.inflation import FETCH_AGAIN, ByteStream
from bids_regions.space.grid import find_zooms, is_singular
from bids_regions.space.resampling import find_displacement

__all__ = ["StoredLayout", "find_header_dof", "read_layout"]

HEADER_SIZES = {348: Nifti1Header, 540: Nifti2Header}  # bytes, which is also the header's first number
VOX_OFFSET = slice(108, 112)  # of the header's bytes
MAX_OFFSET = 1 << 24  # bytes before the voxels; extensions of real maps are below a megabyte
MAX_VOXELS = (1 << 31) - 1  # so that a voxel's number fits int32
MAX_DEFLATE = 1032  # bytes one byte of deflate can become at most
BOMB_VOXELS, BOMB_RATIO = 1 << 27, 200  # voxels (0.4 mm) and inflation that no map of a brain has together
ZOOM_RANGE = (1e-6, 1e6)  # mm; beyond lies no voxel
MAX_COORDINATE = 1e9  # mm
XFORM_CODES = range(6)
LONGEST_ROW = 1 << 10  # voxels in one direction; the finest scans of a brain have fewer
VERTICES = frozenset(
    (642, 2562, 10242, 40962, 163842, 327684, 4002, 7842, 32492, 64984, 59292, 29696, 29716, 59412, 91282, 96854)
)  # of FreeSurfer's and fsLR's meshes: one hemisphere, both, without medial wall, with voxels
FREESURFER_ROW = [-1, 1, 1]
CIFTI_INTENTS = range(3000, 3100)
INTENT_DOF = {3: 1, 4: 2, 6: 1}  # t, F, chi-squared: how many degrees of freedom the intent gives
SPM_WORDS = re.compile(r"SPM\{([TF])_\[\s*([\d.]+)\s*(?:,\s*([\d.]+)\s*)?\]\}")  # how SPM's descrip begins
SPM_INTENTS = {"T": 3, "F": 4}
FOREIGN = (  # how a file begins that is something else: what it is, what to do
    (b"/annex/objects/", "is a git-annex pointer without its content", "Get its content with `datalad get`"),
    (b"version https://git-lfs", "is a Git LFS pointer without its content", "Get its content with `git lfs pull`"),
)
COMPLEX, COMPLEX256 = "holds complex numbers and no map of real ones", 2048
STORE_AGAIN = "Store this map as float32"
COMPUTE_AGAIN = "Compute this map again, or fix its header"
KEPT = 32  # layouts
UNITS = {1: "metres", 3: "micrometres"}


@dataclass(frozen=True, kw_only=True)
class StoredLayout:
    """What a header promises about a 3-D image."""

    grid: StoredGrid
    dtype: np.dtype[Any]  # of the stored numbers, in the file's byte order
    offset: int  # bytes before the first voxel
    slope: float | None  # value = slope * stored + inter; None: values are stored as they are
    inter: float
    intent: int  # NIfTI code of what the numbers are, 0 where the header does not say
    dof: Mapping[int, tuple[float, ...]]  # degrees of freedom by the intent they hold for, as intent and descrip tell
    notes: tuple[str, ...]  # what a user should know of this header, a sentence each
    n_volumes: int = 1  # images of this grid, one after the other; more than one only where a series was asked for

    @property
    def n_voxels(self) -> int:
        """The number of voxels of one volume."""
        return math.prod(self.grid.shape)


_KNOWN: dict[tuple[bytes, bool], StoredLayout] = {}  # by a NIfTI-1 header's bytes, and whether a series was asked for


def read_layout(stream: ByteStream, *, series: bool = False) -> StoredLayout:
    """What the header at the front of `stream` promises; the stream then stands at the first voxel.

    With `series`, an image may be 4-D: one volume after the other on one grid.

    Raises
    ------
    BadMap
        The header is broken, or promises what the file cannot hold.
    UnsuitableMap
        The image is no 3-D map of real numbers.
    """
    block = stream.peek(max(HEADER_SIZES))
    _refuse_foreign(block, stream.name)
    front = bytes(block[: Nifti1Header.sizeof_hdr])
    layout = _KNOWN.get((front, series))
    if layout is None:
        layout = _read_anew(stream, block, series=series)
        _remember((front, series), layout)
    else:
        n_voxels = layout.n_volumes * layout.n_voxels
        _check_promise(stream, layout.offset + n_voxels * layout.dtype.itemsize)
        _refuse_bombs(stream, n_voxels, layout.dtype)
    stream.read_into(memoryview(bytearray(layout.offset)))
    return layout


def _remember(key: tuple[bytes, bool], layout: StoredLayout) -> None:
    """Keep the layout of a header that all maps of a cohort have; with extensions its bytes alone do not tell it."""
    said = key[0][VOX_OFFSET].strip(b"\0")
    if said and len(layout.grid.header) == len(key[0]) and layout.offset == Nifti1Header.single_vox_offset:
        if len(_KNOWN) >= KEPT:
            _KNOWN.pop(next(iter(_KNOWN)), None)
        _KNOWN[key] = layout


def _read_anew(stream: ByteStream, block: bytes, *, series: bool) -> StoredLayout:
    """The layout of a header that was not met before."""
    header = _parse(block, stream.name)
    extent = _find_extent(header, stream.name)
    dtype = _find_dtype(header, stream.name)
    offset = _find_offset(header, stream)
    _check_promise(stream, offset + math.prod(extent) * dtype.itemsize)
    _refuse_other_kinds(header, extent[:3] if series and len(extent) == 4 else extent, dtype, stream.name)
    _refuse_bombs(stream, math.prod(extent), dtype)
    with np.errstate(all="ignore"):  # NaN in a header is met with a sentence, not with a warning
        grid, notes = _place(header, (extent[0], extent[1], extent[2]), stream.name)
    slope, inter = _find_scaling(header, stream.name)
    return StoredLayout(
        grid=grid,
        dtype=dtype,
        offset=offset,
        slope=slope,
        inter=inter,
        intent=int(header["intent_code"]),
        dof=find_header_dof(header),
        notes=notes,
        n_volumes=math.prod(extent[3:]),
    )


def _bad(name: str, what: str) -> NoReturn:
    raise BadMap(f"{name} {what}", hint=COMPUTE_AGAIN)


def _parse(block: bytes, name: str) -> Any:
    sizes = ((struct.unpack(order + "i", block[:4])[0], order) for order in "<>")
    size, order = next(((size, order) for size, order in sizes if size in HEADER_SIZES), (0, "<"))
    if not size or len(block) < size:
        raise BadMap(f"{name} is no NIfTI file: it does not begin with a NIfTI header", hint=FETCH_AGAIN)
    header = HEADER_SIZES[size](block[:size], endianness=order, check=False)
    magic = header["magic"].item()
    if magic == header.pair_magic:
        _bad(name, "is the header of an .hdr and .img pair; only single NIfTI files are read")
    if magic != header.single_magic:
        _bad(name, f"is no NIfTI file: its magic is {magic!r}")
    if size == Nifti2Header.sizeof_hdr and header["eol_check"].tolist() not in ([13, 10, 26, 10], [0, 0, 0, 0]):
        raise BadMap(f"{name} is damaged: its line ends were changed on the way", hint=FETCH_AGAIN)
    return header


def _refuse_foreign(block: bytes, name: str) -> None:
    for magic, what, hint in FOREIGN:
        if magic in block[:64]:
            raise BadMap(f"{name} {what}", hint=hint)
    if b"<GIFTI" in block:
        raise UnsuitableMap(f"{name} is a GIFTI file: surfaces are not handled")
    if len(block) < min(HEADER_SIZES):
        raise BadMap(f"{name} is too short for a NIfTI header ({len(block)} bytes)", hint=FETCH_AGAIN)


def _find_extent(header: Any, name: str) -> tuple[int, ...]:
    """The image's dimensions; those of size 1 beyond the third do not count."""
    n_dim, *sizes = (int(n) for n in header["dim"])
    if not 1 <= n_dim <= len(sizes):
        _bad(name, f"has a header that claims {n_dim} dimensions")
    extent = sizes[:n_dim]
    if extent[:3] == FREESURFER_ROW:  # more vertices than 16 bits count; their number stands in glmin
        extent[0] = max(1, int(header["glmin"])) if "glmin" in header.keys() else 1  # noqa: SIM118 # no mapping
    if min(extent) < 1:
        _bad(name, f"has a header with a dimension of size {min(extent)}")
    while len(extent) > 3 and extent[-1] == 1:
        extent.pop()
    return tuple(extent)


def _find_dtype(header: Any, name: str) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except (KeyError, HeaderDataError):
        dtype = np.dtype("V0")
    if int(header["datatype"]) == COMPLEX256:  # where numpy lacks it, it is complex all the same
        raise UnsuitableMap(f"{name} {COMPLEX}")
    if not dtype.itemsize:
        raise BadMap(
            f"{name} has voxels of data type {int(header['datatype'])}, which cannot be read", hint=STORE_AGAIN
        )
    return dtype


def _find_offset(header: Any, stream: ByteStream) -> int:
    offset, least = float(header["vox_offset"]), int(header.single_vox_offset)
    if offset == 0:  # "not said"
        if stream.peek(least)[least - 4 : least - 3].strip(b"\0"):
            _bad(stream.name, "has a header with extensions, which does not say where its voxels begin")
        return least
    if not least <= offset <= MAX_OFFSET or offset != int(offset):
        _bad(stream.name, f"has a header that begins the voxels at byte {offset:g}")
    _check_extensions(stream, least, int(offset), str(header.endianness))
    return int(offset)


def _check_extensions(stream: ByteStream, at: int, end: int, order: str) -> None:
    """Extensions are never read, but sizes that do not add up tell of a damaged header."""
    block = stream.peek(end)
    if len(block) < at or not block[at - 4]:
        return
    while at + 16 <= end:
        (size,) = struct.unpack_from(order + "i", block, at) if at + 4 <= len(block) else (0,)
        if size < 8 or at + size > end:
            _bad(stream.name, f"has a broken header extension of {size} bytes")
        at += size


def _check_promise(stream: ByteStream, promised: int) -> None:
    """Refuse before anything is allocated what a file of this size cannot hold."""
    claim = f"{stream.name} has a header that promises {_bytes_in_words(promised)}"
    if stream.is_gzip:
        if promised > MAX_DEFLATE * stream.size:
            raise BadMap(f"{claim}, which {stream.size} bytes of gzip cannot hold", hint=FETCH_AGAIN)
    elif promised > stream.size:
        raise BadMap(f"{claim} and is truncated: it has {stream.size} bytes", hint=FETCH_AGAIN)


def _refuse_other_kinds(header: Any, extent: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
    intent = int(header["intent_code"])
    if intent in CIFTI_INTENTS:
        raise UnsuitableMap(f"{name} is a CIFTI file: surfaces are not handled")
    if len(extent) != 3:
        what = f"{len(extent)}-D ({' x '.join(map(str, extent))})"
        hint = "Take its volumes by --volumes all, or by their numbers" if len(extent) == 4 else "Give 3-D maps"
        raise UnsuitableMap(f"{name} is {what} and no 3-D map", hint=hint)
    if _is_surface(extent):
        what = f"a surface stored as NIfTI ({' x '.join(map(str, extent))}: {math.prod(extent)} vertices, no voxels)"
        raise UnsuitableMap(f"{name} is {what}", hint="Store it as GIFTI or CIFTI")
    if dtype.names:
        raise UnsuitableMap(f"{name} holds colours ({''.join(dtype.names)}) and no map")
    if dtype.kind == "c":
        raise UnsuitableMap(f"{name} {COMPLEX}")


def find_header_dof(header: Any) -> dict[int, tuple[float, ...]]:
    """The degrees of freedom that SPM's descrip tells, and over them those of the intent, by intent."""
    found: dict[int, tuple[float, ...]] = {}
    words = SPM_WORDS.search(bytes(header["descrip"]).decode("latin-1"))
    if words:
        intent = SPM_INTENTS[words[1]]
        found[intent] = tuple(_number(text) for text in words.groups()[1:] if text)
    intent = int(header["intent_code"])
    if intent in INTENT_DOF:
        numbers = tuple(float(header[f"intent_p{n + 1}"]) for n in range(INTENT_DOF[intent]))
        found |= {intent: numbers} if all(math.isfinite(n) and n > 0 for n in numbers) else {}
    return {intent: dof for intent, dof in found.items() if len(dof) == INTENT_DOF[intent] and min(dof) > 0}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _is_surface(extent: tuple[int, ...]) -> bool:
    """Whether a shape is that of vertices put into a volume: a row longer than any scan's, with a dimension of 1; or
    the number of vertices of a mesh in use, cut into whatever three numbers.
    """
    return 1 in extent and (max(extent) > LONGEST_ROW or math.prod(extent) in VERTICES)


def _refuse_bombs(stream: ByteStream, n_voxels: int, dtype: np.dtype[Any]) -> None:
    if n_voxels > MAX_VOXELS:
        _bad(stream.name, f"has {n_voxels} voxels, more than can be numbered")
    if stream.is_gzip and n_voxels > BOMB_VOXELS and n_voxels * dtype.itemsize > BOMB_RATIO * stream.size:
        _bad(stream.name, f"has {n_voxels} voxels in {stream.size} bytes of gzip, too many to be a map")


def _find_scaling(header: Any, name: str) -> tuple[float | None, float]:
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return None, 0.0
    if not math.isfinite(inter):
        _bad(name, f"has a header whose scl_inter is {inter}")
    return (None, 0.0) if (slope, inter) == (1, 0) else (slope, inter)


def _place(header: Any, shape: tuple[int, int, int], name: str) -> tuple[StoredGrid, tuple[str, ...]]:
    """The grid by nibabel's rules: the sform if it is set, else the qform, else voxel sizes around the centre."""
    _mend_as_nibabel_does(header)
    notes = []
    sform_code, qform_code = int(header["sform_code"]), int(header["qform_code"])
    try:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    except (HeaderDataError, ValueError):  # a quaternion longer than 1
        _bad(name, "has a header whose qform is no rotation")
    _check_affine(affine, name)
    if not sform_code and not qform_code:
        notes.append("The header has neither sform nor qform: coordinates in mm are guessed from the voxel sizes")
    if sform_code and qform_code:
        notes += _compare_forms(header, shape, affine)
    unit = UNITS.get(int(header["xyzt_units"]) & 7)
    if unit:
        notes.append(f"The header gives coordinates in {unit}; they are taken as mm, as other tools do")
    zooms = header["pixdim"][1:4]
    if not (np.isfinite(zooms) & (zooms > 0)).all():
        zooms[:] = find_zooms(affine)
    return grid_of(shape, affine, header.as_byteswapped("<").binaryblock), tuple(notes)


def _mend_as_nibabel_does(header: Any) -> None:
    header["pixdim"][1:4] = np.abs(header["pixdim"][1:4])
    if header["pixdim"][0] not in (-1, 1):
        header["pixdim"][0] = 1
    for code in ("sform_code", "qform_code"):
        if int(header[code]) not in XFORM_CODES:
            header[code] = 0


def _check_affine(affine: NDArray[np.float64], name: str) -> None:
    if not np.isfinite(affine).all():
        _bad(name, "has an affine with numbers that are not finite")
    if is_singular(affine):
        _bad(name, "has a singular affine: its voxels have no volume")
    zooms = find_zooms(affine)
    if min(zooms) < ZOOM_RANGE[0] or max(zooms) > ZOOM_RANGE[1] or np.abs(affine).max() > MAX_COORDINATE:
        _bad(name, f"has an affine that no scan can have: voxels of {' x '.join(f'{z:g}' for z in zooms)} mm")


def _compare_forms(header: Any, shape: tuple[int, int, int], affine: NDArray[np.float64]) -> list[str]:
    try:
        apart = find_displacement(shape, affine, header.get_qform())
    except (HeaderDataError, ValueError):
        apart = math.inf
    if apart <= min(find_zooms(affine)) / 2:
        return []
    how_far = f"up to {apart:.3g} mm apart" if math.isfinite(apart) else "differently"
    return [f"The header's sform and qform place the image {how_far}; the sform is taken"]


def _bytes_in_words(n: int) -> str:
    power = max(0, min(6, (n.bit_length() - 1) // 10))
    return f"{n / (1 << 10 * power):.3g} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')[power]}"
