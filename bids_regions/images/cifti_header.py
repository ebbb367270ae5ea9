"""What the XML of a CIFTI-2 file says: which grayordinates its columns are, and the names of its maps.

A *grayordinate* is a column of the file: a vertex of a surface or a voxel of a grid; a *brain model* is those of one
structure. The numbers themselves are `cifti`'s.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from bids_regions.errors import BadMap, UnsuitableMap
from bids_regions.files import hash_bytes
from bids_regions.frozen import dataclass
from bids_regions.images.gifti import LabelName
from bids_regions.images.inflation import FETCH_AGAIN
from bids_regions.images.structures import in_cifti
from bids_regions.images.xml import parse_xml
from bids_regions.space.grid import find_zooms, is_singular

__all__ = ["BrainModel", "Grayordinates", "Matrix", "read_matrix"]

MAX_VERTICES = 1 << 26  # of one mesh
MAX_SIDE = 1 << 14  # voxels along one axis of the volume
MAX_MODELS = 1 << 10
MAX_MAPS = 1 << 20
BLOCK = 1 << 16  # bytes parsed at once
INDICES, INDICES_END, BRAIN_MODELS = b"<MatrixIndicesMap", b"</MatrixIndicesMap>", b"CIFTI_INDEX_TYPE_BRAIN_MODELS"
GIVE_DENSE = "Give a file of grayordinates: dscalar, or dtseries of one point"
INDEX_TYPE, MODEL_TYPE = "CIFTI_INDEX_TYPE_", "CIFTI_MODEL_TYPE_"
WHOLE = re.compile(r"[0-9\s]*")
CONVERT = "Convert it: wb_command -file-convert -cifti-version-convert IN 2 OUT"


@dataclass(frozen=True, kw_only=True, eq=False)
class BrainModel:
    """The grayordinates of one structure."""

    structure: str  # CORTEX_LEFT, THALAMUS_LEFT, ...
    offset: int  # the number of its first grayordinate
    vertices: NDArray[np.int32] | None  # (n,) numbers of vertices of its mesh; None where these are voxels
    n_vertices: int  # of the whole mesh, the medial wall's too; 0 for voxels
    ijk: NDArray[np.int32] | None  # (n, 3) voxels of the file's volume, 0-based; None where these are vertices

    @property
    def size(self) -> int:
        """How many grayordinates."""
        held = self.vertices if self.vertices is not None else self.ijk
        return 0 if held is None else len(held)


@dataclass(frozen=True, kw_only=True, eq=False)
class Grayordinates:
    """Which vertices and voxels the numbers of a file belong to, in the file's order."""

    models: tuple[BrainModel, ...]  # by offset, one after the other
    volume_shape: tuple[int, int, int] | None  # voxels along i, j, k
    affine: NDArray[np.float64] | None  # (4, 4) ijk -> mm, RAS+

    @property
    def size(self) -> int:
        """How many grayordinates."""
        return sum(model.size for model in self.models)


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """What the XML says."""

    grayordinates: Grayordinates
    map_names: tuple[str, ...]  # of the maps, where they have names
    labels: tuple[Mapping[int, LabelName], ...]  # a label table for each map of a dlabel file


def read_matrix(xml: bytes | bytearray, name: str) -> Matrix:
    """What `xml` says; `name` is what sentences call the file.

    The brain models, some hundred thousand numbers, are read once and known again by their hash, also where files
    differ in what stands around them.

    Raises
    ------
    BadMap
        The XML is broken or contradicts itself.
    UnsuitableMap
        The file's columns are no grayordinates, or it is CIFTI-1.
    """
    document = _Document(name)
    at = xml.find(BRAIN_MODELS)
    start, end = xml.rfind(INDICES, 0, max(at, 0)), xml.find(INDICES_END, at)
    if at >= 0 <= start < end:
        models = memoryview(xml)[start : end + len(INDICES_END)]
        _parse(xml[:start] + xml[end + len(INDICES_END) :], document)
        grayordinates = _known_grayordinates(models, name)
    else:  # another encoding or another spelling of the same
        _parse(xml, document)
        grayordinates = document.grayordinates()
    return Matrix(grayordinates=grayordinates, map_names=tuple(document.map_names), labels=tuple(document.labels))


_KNOWN: dict[str, Grayordinates] = {}  # by the hash of the XML; few layouts occur in a dataset
MOST_KNOWN = 8


def _known_grayordinates(xml: memoryview, name: str) -> Grayordinates:
    key = hash_bytes(xml)
    if key not in _KNOWN:
        document = _Document(name, root="MatrixIndicesMap")
        _parse(xml, document)
        while len(_KNOWN) >= MOST_KNOWN:
            del _KNOWN[next(iter(_KNOWN))]
        _KNOWN[key] = document.grayordinates()
    return _KNOWN[key]


def _parse(xml: bytes | bytearray | memoryview, document: "_Document") -> None:
    whole = memoryview(xml)
    parse_xml((whole[at : at + BLOCK] for at in range(0, len(xml), BLOCK)), document, document.name)


def _check_voxels(model: BrainModel, found: Grayordinates, document: "_Document") -> None:
    if model.ijk is None or found.volume_shape is None:
        return
    if (model.ijk >= found.volume_shape).any():
        document.bad(f"voxels of {model.structure} outside its volume of {' x '.join(map(str, found.volume_shape))}")
    numbers = np.ravel_multi_index(tuple(model.ijk.T), found.volume_shape)
    if np.unique(numbers).size < numbers.size:
        document.bad(f"voxels of {model.structure} that stand twice")


@dataclass(kw_only=True)
class _Map:
    """A map that is being read."""

    name: str = ""
    labels: dict[int, LabelName] = field(default_factory=dict)


class _Document:
    """Listens to the elements of a CIFTI header."""

    def __init__(self, name: str, root: str = "CIFTI") -> None:
        self.name, self.expected = name, root
        self.models: list[BrainModel] = []
        self.map_names: list[str] = []
        self.labels: list[Mapping[int, LabelName]] = []
        self.volume_shape: tuple[int, int, int] | None = None
        self.affine: NDArray[np.float64] | None = None
        self._root = ""
        self._model: Mapping[str, str] = {}
        self._numbers: NDArray[np.int32] | None = None
        self._exponent = 0
        self._label: Mapping[str, str] = {}
        self._map: _Map | None = None
        self._words: list[str] | None = None
        self._starts: dict[str, Callable[[Mapping[str, str]], None]] = {
            "CIFTI": self._start_root, "MatrixIndicesMap": self._start_indices, "BrainModel": self._start_model,
            "Volume": self._start_volume, "TransformationMatrixVoxelIndicesIJKtoXYZ": self._start_transform,
            "NamedMap": self._start_map, "Label": self._start_label,
        }  # fmt: skip
        self._ends: dict[str, Callable[[str], None]] = {
            "BrainModel": self._end_model, "VertexIndices": self._end_numbers, "VoxelIndicesIJK": self._end_numbers,
            "TransformationMatrixVoxelIndicesIJKtoXYZ": self._end_transform, "NamedMap": self._end_map,
            "MapName": self._end_map_name, "Label": self._end_label,
        }  # fmt: skip

    def grayordinates(self) -> Grayordinates:
        """What the brain models say, if they agree with each other."""
        if not self.models:
            raise UnsuitableMap(f"{self.name} names no grayordinates: its numbers have no place", hint=GIVE_DENSE)
        models, at = tuple(sorted(self.models, key=lambda model: model.offset)), 0
        for model in models:
            if model.offset != at:
                self.bad(f"brain models that overlap or leave gaps (at grayordinate {min(at, model.offset)})")
            at += model.size
        if len({model.structure for model in models}) < len(models):
            self.bad("two brain models of one structure")
        if any(model.ijk is not None for model in models) and self.affine is None:
            self.bad("voxels, but no volume that they lie in")
        found = Grayordinates(models=models, volume_shape=self.volume_shape, affine=self.affine)
        for model in models:
            _check_voxels(model, found, self)
        return found

    def bad(self, what: str) -> NoReturn:
        raise BadMap(f"{self.name} is damaged: its CIFTI header has {what}", hint=FETCH_AGAIN)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._root:
            self._root = name
            if name != self.expected:
                self.bad(f"the root element {name[:40]}")
        if name in self._starts:
            self._starts[name](attributes)
        self._words = [] if name in self._ends else None

    def text(self, text: str) -> None:
        if self._words is not None:
            self._words.append(text)

    def end(self, name: str) -> None:
        if name in self._ends:
            self._ends[name]("".join(self._words or ()))
            self._words = None

    def _start_root(self, attributes: Mapping[str, str]) -> None:
        if attributes.get("Version", "").split(".")[0] != "2":
            version = attributes.get("Version", "")[:20]
            raise UnsuitableMap(f"{self.name} is a CIFTI file of version {version!r}; 2 is read", hint=CONVERT)

    def _start_indices(self, attributes: Mapping[str, str]) -> None:
        kind = attributes.get("IndicesMapToDataType", "").removeprefix(INDEX_TYPE)
        dimension = attributes.get("AppliesToMatrixDimension", "").strip()
        if (kind == "BRAIN_MODELS") != (dimension == "1"):
            raise UnsuitableMap(f"{self.name} has no map of grayordinates: {kind[:40]} along dimension {dimension[:9]}")

    def _start_model(self, attributes: Mapping[str, str]) -> None:
        self._model, self._numbers = attributes, None
        if len(self.models) >= MAX_MODELS:
            self.bad(f"more than {MAX_MODELS} brain models")

    def _end_numbers(self, text: str) -> None:
        if not WHOLE.fullmatch(text):
            self.bad("numbers of vertices or voxels that are no whole numbers")
        numbers = np.fromstring(text, dtype=np.int64, sep=" ") if text.strip() else np.empty(0, np.int64)
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < MAX_VERTICES:
            self.bad("numbers of vertices or voxels that no brain has")
        self._numbers = numbers.astype(np.int32)

    def _end_model(self, _: str) -> None:
        attributes, numbers = self._model, self._numbers
        structure = in_cifti(attributes.get("BrainStructure", ""))
        offset, count = self._whole("IndexOffset"), self._whole("IndexCount")
        if not structure or numbers is None:
            self.bad("a brain model without structure or numbers")
        if attributes.get("ModelType") == MODEL_TYPE + "SURFACE":
            n = self._whole("SurfaceNumberOfVertices")
            if numbers.size and (int(numbers.max()) >= n or np.unique(numbers).size < numbers.size):
                self.bad(f"vertices of {structure} beyond its {n}, or twice")
            model = BrainModel(structure=structure, offset=offset, vertices=numbers, n_vertices=n, ijk=None)
        else:
            if numbers.size % 3:
                self.bad(f"voxels of {structure} without three indices each")
            model = BrainModel(
                structure=structure, offset=offset, vertices=None, n_vertices=0, ijk=numbers.reshape(-1, 3)
            )
        if model.size != count:
            self.bad(f"{model.size} grayordinates of {structure}, where it promises {count}")
        self.models.append(model)

    def _whole(self, name: str) -> int:
        text = self._model.get(name, "").strip()
        if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= MAX_VERTICES):
            self.bad(f"a brain model whose {name} is {text[:40]!r}")
        return int(text)

    def _start_volume(self, attributes: Mapping[str, str]) -> None:
        sides = attributes.get("VolumeDimensions", "").split(",")
        if len(sides) != 3 or not all(s.strip().isdigit() and len(s) < 8 and 0 < int(s) <= MAX_SIDE for s in sides):
            self.bad("a volume whose dimensions cannot be believed")
        i, j, k = map(int, sides)
        self.volume_shape = i, j, k

    def _start_transform(self, attributes: Mapping[str, str]) -> None:
        exponent = attributes.get("MeterExponent", "-3").strip()
        if not re.fullmatch(r"-?\d{1,2}", exponent):
            self.bad(f"a volume in units of 10^{exponent[:9]} m")
        self._exponent = int(exponent)

    def _end_transform(self, text: str) -> None:
        try:
            numbers = np.array(text.split(), dtype=np.float64)
        except ValueError:
            numbers = np.empty(0)
        if numbers.size != 16 or not np.isfinite(numbers).all():
            self.bad("a volume without an affine of 16 numbers")
        affine = numbers.reshape(4, 4)
        affine[:3] *= 10.0 ** (self._exponent + 3)
        zooms = np.array(find_zooms(affine))
        if not (zooms > 1e-6).all() or not (zooms < 1e6).all() or not np.abs(affine).max() < 1e9:
            self.bad("a volume with an affine that no scan can have")
        if is_singular(affine):
            self.bad("a volume with a singular affine")
        affine.setflags(write=False)
        self.affine = affine

    def _start_map(self, _: Mapping[str, str]) -> None:
        self._map = _Map()

    def _end_map_name(self, text: str) -> None:
        if self._map is not None:
            self._map.name = text[:1000]

    def _start_label(self, attributes: Mapping[str, str]) -> None:
        self._label = attributes

    def _end_label(self, text: str) -> None:
        label = self._label
        try:
            key = int(label.get("Key", ""))
            red, green, blue, alpha = (float(label.get(c, 0)) for c in ("Red", "Green", "Blue", "Alpha"))
        except ValueError:
            self.bad("a label whose key or colour is no number")
        if self._map is not None:
            self._map.labels[key] = LabelName(name=text[:1000], rgba=(red, green, blue, alpha))

    def _end_map(self, _: str) -> None:
        if self._map is not None:
            if len(self.map_names) >= MAX_MAPS:
                self.bad("more maps than can be")
            self.map_names.append(self._map.name)
            self.labels.append(self._map.labels)
        self._map = None
