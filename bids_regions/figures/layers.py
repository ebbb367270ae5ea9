"""What a picture is laid of: pixels in a place, numbers into a palette, one layer over the other.

A layer keeps the pixels that it is made of, one for a voxel, and is enlarged by who shows it: a voxel stays a square,
anatomy is smoothed. So a picture takes a fifth of the bytes that its pixels on the screen would, and of the time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import deflate
import numpy as np
import numpy.typing as npt

from bids_regions.figures.colors import PAPER
from bids_regions.frozen import dataclass

__all__ = ["GREYS", "Layer", "enlarge", "paint_layers", "png_bytes", "solid"]

PNG_LEVEL = 1  # of libdeflate: 6 makes pictures a fortieth smaller in twice the time
GREYS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, axis=1)  # the palette of grey levels
GREYS[:, 3] = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """Pixels in their place."""

    left: int  # pixels of the picture, as the next three
    top: int
    width: int
    height: int
    pixels: npt.NDArray[np.uint8]  # (rows, columns), numbers into the palette
    palette: npt.NDArray[np.uint8]  # (n, 4) red, green, blue, opacity
    smooth: bool = False  # between pixels when they are enlarged

    def moved(self, right: int, down: int) -> "Layer":
        """The layer in another place."""
        return replace(self, left=self.left + right, top=self.top + down)


def solid(left: int, top: int, width: int, height: int, color: tuple[int, int, int]) -> Layer:
    """A rectangle of one colour."""
    palette = np.array([[*color, 255]], np.uint8)
    return Layer(left=left, top=top, width=width, height=height, pixels=np.zeros((1, 1), np.uint8), palette=palette)


def enlarge(planes: npt.NDArray[Any], width: int, height: int) -> npt.NDArray[Any]:
    """Planes of (..., rows, columns) as (..., height, width) pixels, each the value it lies in."""
    rows, columns = (
        ((np.arange(size) + 0.5) * n / size).astype(np.intp)
        for size, n in zip((height, width), planes.shape[-2:], strict=True)
    )
    large: npt.NDArray[Any] = planes.take(columns, axis=-1).take(rows, axis=-2)
    return large


def paint_layers(layers: Iterable[Layer], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """All layers on white paper, as (height, width, 3) pixels."""
    layers = tuple(layers)
    # where every pixel of a layer hides what is below or is not there nothing is blended
    if all(not layer.smooth and (layer.palette[:, 3] % 255 == 0).all() for layer in layers):
        return _cover(layers, shape)
    canvas = np.full((*shape, 3), PAPER, np.uint8)
    for layer in layers:
        part = canvas[layer.top : layer.top + layer.height, layer.left : layer.left + layer.width]
        colors = _smoothed(layer) if layer.smooth else layer.palette[enlarge(layer.pixels, layer.width, layer.height)]
        weight = colors[..., 3:].astype(np.int32)
        base = part.astype(np.int32)
        part[...] = base + ((colors[..., :3] - base) * weight + 127) // 255
    return canvas


def _cover(layers: Iterable[Layer], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Solid layers on white paper: a pixel as one number of four bytes, of which a layer takes all bits or none."""
    canvas = np.full((*shape, 4), PAPER, np.uint8)
    whole = canvas.view(np.uint32)[..., 0]
    for layer in layers:
        numbers = enlarge(layer.pixels, layer.width, layer.height)
        there = np.repeat(layer.palette[:, 3:], 4, axis=1)
        hidden, shown = (np.ascontiguousarray(table).view(np.uint32)[:, 0] for table in (~there, layer.palette & there))
        part = whole[layer.top : layer.top + layer.height, layer.left : layer.left + layer.width]
        part &= hidden.take(numbers)
        part |= shown.take(numbers)
    colors = np.empty((*shape, 3), np.uint8)
    for band in range(3):  # one by one, in a third of the time
        colors[..., band] = canvas[..., band]
    return colors


def _smoothed(layer: Layer) -> npt.NDArray[np.uint8]:
    from PIL import Image  # noqa: PLC0415  only pictures made of pixels need it

    colors = layer.palette[layer.pixels]
    bands = [Image.fromarray(np.ascontiguousarray(colors[..., band])) for band in range(4)]
    size = layer.width, layer.height
    return np.stack([np.asarray(band.resize(size, Image.Resampling.BILINEAR)) for band in bands], axis=-1)


def png_bytes(layer: Layer) -> bytes:
    r"""The layer's own pixels as a PNG with a palette.

    >>> png_bytes(solid(0, 0, 9, 9, (255, 0, 0)))[:4]
    b'\x89PNG'
    """
    height, width = layer.pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row behind the number of its filter: none, or, where
    rows[:, 1:] = layer.pixels  # neighbours are alike, the difference to the row above
    if layer.smooth:
        rows[:, 0] = 2
        rows[1:, 1:] -= layer.pixels[:-1]
    shape = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    chunks: Sequence[tuple[bytes, bytes]] = (
        (b"IHDR", shape + bytes([8, 3, 0, 0, 0])),  # 8 bits, a palette
        (b"PLTE", layer.palette[:, :3].tobytes()),
        (b"tRNS", layer.palette[:, 3].tobytes()),
        (b"IDAT", bytes(deflate.zlib_compress(rows.tobytes(), PNG_LEVEL))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + name + body + deflate.crc32(name + body).to_bytes(4, "big")
        for name, body in chunks
    )
