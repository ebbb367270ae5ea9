"""A finished picture, and its bytes: WebP or PNG pixels, or an SVG that keeps outlines and letters sharp.

The same drawing gives the same bytes in any process: no date, no random name, no font but DejaVu Sans.
"""

import base64
import io
from collections.abc import Mapping
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from bids_regions.figures.layers import Layer, paint_layers, png_bytes
from bids_regions.figures.lettering import Letters, load_font
from bids_regions.figures.mosaic import outline_paths, outline_pixels
from bids_regions.frozen import dataclass

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Drawing", "Kind", "Picture", "encode"]

Kind = Literal["webp", "png", "svg"]
MIMES: Mapping[Kind, str] = {"webp": "image/webp", "png": "image/png", "svg": "image/svg+xml"}

PNG: Mapping[str, Any] = {"compress_level": 1, "compress_type": 3}  # zlib's run-length matching: voxels are runs


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as a file's bytes."""

    data: bytes
    mime: str  # image/webp, image/png, image/svg+xml
    width: int  # pixels
    height: int  # pixels
    alt: str  # the result in words, for who cannot see it


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawing:
    """Everything on a picture, not yet bytes."""

    layers: tuple[Layer, ...]  # slices and colour bar, bottom first, without outlines and letters
    labels: npt.NDArray[Any]  # (height, width) region numbers, 0 none
    colors: Mapping[int, str]  # region number -> "#rrggbb"
    letters: tuple[Letters, ...]
    alt: str

    @cached_property
    def canvas(self) -> npt.NDArray[np.uint8]:
        """(height, width, 3) the layers on white paper."""
        height, width = self.labels.shape
        return paint_layers(self.layers, (height, width))


def encode(drawing: Drawing, kind: Kind = "svg") -> Picture:
    """The drawing as a file: SVG, which is quickest and stays sharp; WebP is smallest."""
    height, width = drawing.labels.shape
    if kind == "svg":
        data = vectors(drawing).encode()
    else:
        stream = io.BytesIO()
        image = pixels(drawing)
        if kind == "webp":
            image.save(stream, "WEBP", quality=82, method=0)
        else:
            image.save(stream, "PNG", **PNG)
        data = stream.getvalue()
    return Picture(data=data, mime=MIMES[kind], width=width, height=height, alt=drawing.alt)


def pixels(drawing: Drawing) -> "Image":
    """The drawing with its outlines and letters as pixels."""
    from PIL import Image, ImageDraw  # noqa: PLC0415  only pictures need them

    image = Image.fromarray(outline_pixels(drawing.canvas, drawing.labels, drawing.colors))
    pen = ImageDraw.Draw(image)
    for item in drawing.letters:
        font = load_font(item.size, item.bold)
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[item.anchor]
        pen.text((item.x, item.y), item.text, item.color, font, anchor, stroke_width=item.halo, stroke_fill="#ffffff")
    return image


def vectors(drawing: Drawing) -> str:
    """The drawing as SVG: the layers in their places, outlines as paths, letters as text that can be searched."""
    height, width = drawing.labels.shape
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' role="img" font-family="DejaVu Sans, Verdana, sans-serif">',
        f"<title>{escape(drawing.alt)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *map(_element, drawing.layers),
        '<g fill="none" stroke-linecap="square">',
    ]
    paths = outline_paths(drawing.labels, sorted(drawing.colors))
    lines += [f'<path stroke="#000000" stroke-opacity="0.6" stroke-width="3" d="{path}"/>' for path in paths.values()]
    for index, path in paths.items():
        color = escape(drawing.colors[index])
        lines.append(f'<path stroke="{color}" stroke-width="1.6" d="{path}"><title>Region {index}</title></path>')
    lines.append("</g>")
    for item in drawing.letters:
        place = f'x="{item.x:.1f}" y="{item.y:.1f}" font-size="{item.size:.1f}" text-anchor="{item.anchor}"'
        weight = ' font-weight="bold"' if item.bold else ""
        text = escape(item.text)
        if item.halo:
            # drawn below as a text of its own: not every editor knows paint-order
            line = f'stroke="#ffffff" stroke-width="{2 * item.halo:.1f}" stroke-linejoin="round"'
            lines.append(f'<text aria-hidden="true" {place}{weight} fill="#ffffff" {line}>{text}</text>')
        lines.append(f'<text {place}{weight} fill="{item.color}">{text}</text>')
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def _element(layer: Layer) -> str:
    place = f'x="{layer.left}" y="{layer.top}" width="{layer.width}" height="{layer.height}"'
    if layer.pixels.size == 1:
        red, green, blue, _ = layer.palette[layer.pixels[0, 0]]
        return f'<rect {place} fill="#{red:02x}{green:02x}{blue:02x}"/>'
    pixels = base64.b64encode(png_bytes(layer)).decode("ascii")
    enlarged = "" if layer.smooth else ' image-rendering="pixelated"'
    return f'<image {place} preserveAspectRatio="none"{enlarged} href="data:image/png;base64,{pixels}"/>'
