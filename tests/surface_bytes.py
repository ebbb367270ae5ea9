"""GIFTI and CIFTI files made piece by piece, so that a test can say exactly what is wrong with one."""

import base64
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti2 import Nifti2Header

TETRAHEDRON = (
    np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32),
)
DOCTYPE = '<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">'
CODES = {np.dtype("f4"): "FLOAT32", np.dtype("f8"): "FLOAT64", np.dtype("i4"): "INT32", np.dtype("u1"): "UINT8"}


def encode(values: np.ndarray, encoding: str = "GZipBase64Binary", order: str = "<") -> str:
    """The text of an array's `Data`."""
    if encoding == "ASCII":
        return " ".join(map(repr, values.ravel().tolist()))
    content = values.astype(values.dtype.newbyteorder(order)).tobytes()
    return base64.b64encode(zlib.compress(content) if encoding == "GZipBase64Binary" else content).decode()


def data_array(values: np.ndarray, intent: str = "NONE", inside: str = "", **attributes: Any) -> str:
    """A `DataArray`; attributes, `Data` among them, replace what would stand there; None leaves one out."""
    shape = {f"Dim{k}": n for k, n in enumerate(values.shape)}
    told: dict[str, Any] = {
        "Intent": f"NIFTI_INTENT_{intent}", "DataType": f"NIFTI_TYPE_{CODES[values.dtype]}",
        "ArrayIndexingOrder": "RowMajorOrder", "Dimensionality": values.ndim, **shape,
        "Encoding": "GZipBase64Binary", "Endian": "LittleEndian", "ExternalFileName": "", "ExternalFileOffset": "",
        **attributes,
    }  # fmt: skip
    order = ">" if told["Endian"] == "BigEndian" else "<"
    text = told.pop("Data", None) or encode(values, told["Encoding"], order)
    words = " ".join(f'{name}="{value}"' for name, value in told.items() if value is not None)
    return f"<DataArray {words}>{inside}<Data>{text}</Data></DataArray>"


def metadata(**pairs: str) -> str:
    """A `MetaData` element."""
    return (
        "<MetaData>" + "".join(f"<MD><Name>{k}</Name><Value>{v}</Value></MD>" for k, v in pairs.items()) + "</MetaData>"
    )


def gifti(*arrays: str, front: str = "", doctype: str = DOCTYPE) -> bytes:
    """A GIFTI file of some arrays."""
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}\n<GIFTI Version="1.0" NumberOfDataArrays="{len(arrays)}">'
    )
    return "\n".join([head, front, *arrays, "</GIFTI>"]).encode()


def mesh(xyz: np.ndarray = TETRAHEDRON[0], triangles: np.ndarray = TETRAHEDRON[1], structure: str = "") -> bytes:
    """A GIFTI surface."""
    front = metadata(AnatomicalStructurePrimary=structure) if structure else ""
    return gifti(data_array(xyz, "POINTSET"), data_array(triangles, "TRIANGLE"), front=front)


VERTICES = (
    '<BrainModel IndexOffset="0" IndexCount="3" ModelType="CIFTI_MODEL_TYPE_SURFACE" '
    'BrainStructure="CIFTI_STRUCTURE_CORTEX_LEFT" SurfaceNumberOfVertices="4">'
    "<VertexIndices>0 1 3</VertexIndices></BrainModel>"
)
VOXELS = (
    '<BrainModel IndexOffset="3" IndexCount="2" ModelType="CIFTI_MODEL_TYPE_VOXELS" '
    'BrainStructure="CIFTI_STRUCTURE_THALAMUS_LEFT"><VoxelIndicesIJK>0 0 0\n1 0 0</VoxelIndicesIJK></BrainModel>'
)
VOLUME = (
    '<Volume VolumeDimensions="3,4,5"><TransformationMatrixVoxelIndicesIJKtoXYZ MeterExponent="-3">'
    "-2 0 0 90 0 2 0 -126 0 0 2 -72 0 0 0 1</TransformationMatrixVoxelIndicesIJKtoXYZ></Volume>"
)
NAMES = "<NamedMap><MapName>motor</MapName></NamedMap>"


def cifti_xml(models: str = VOLUME + VERTICES + VOXELS, names: str = NAMES, kind: str = "SCALARS") -> str:
    """The XML of a CIFTI file."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CIFTI Version="2"><Matrix><MatrixIndicesMap '
        f'AppliesToMatrixDimension="0" IndicesMapToDataType="CIFTI_INDEX_TYPE_{kind}">{names}</MatrixIndicesMap>'
        '<MatrixIndicesMap AppliesToMatrixDimension="1" IndicesMapToDataType="CIFTI_INDEX_TYPE_BRAIN_MODELS">'
        f"{models}</MatrixIndicesMap></Matrix></CIFTI>"
    )


def cifti(data: np.ndarray | None = None, xml: str | None = None, *, order: str = "<", **fields: Any) -> bytes:
    """The bytes of a CIFTI file of (maps, grayordinates); `fields` overwrite those of the header."""
    data = np.arange(1, 6, dtype=np.float32).reshape(1, 5) if data is None else data
    packed = (cifti_xml() if xml is None else xml).encode()
    size = -(-(len(packed) + 8) // 16) * 16
    extension = bytes([1, 0, 0, 0]) + struct.pack(order + "2i", size, 32) + packed.ljust(size - 8, b"\0")
    header = Nifti2Header(endianness=order)
    header.set_data_dtype(data.dtype)
    header["dim"] = [6, 1, 1, 1, 1, *data.shape, 1]
    header["pixdim"] = 1
    header["vox_offset"] = 540 + len(extension)
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["intent_code"], header["intent_name"] = 3006, b"ConnDenseScalar"
    for name, value in fields.items():
        header[name] = value
    stored = data.astype(data.dtype.newbyteorder(order)).tobytes(order="F")
    return bytes(header.binaryblock) + extension + stored


def put(path: Path, content: bytes) -> Path:
    """Write `content`."""
    path.write_bytes(content)
    return path
