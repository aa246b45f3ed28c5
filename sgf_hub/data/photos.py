"""Pictures from outside, hostile until proven otherwise: read, turned upright, made RGB, and cropped to a square.

PNG, JPEG, WebP, AVIF, BMP and GIF are read, by what is in the file and not by its name; of what moves, the first frame.
A file's size and a picture's pixels are checked before anything is decoded. Colour profiles are not applied.
"""

import base64
import binascii
import io
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.validation import bounded, short

BYTES = 20 * 2**20  # of a file
PIXELS = 50_000_000  # of a picture
TEXT = 2 * 2**20  # characters of a data URI
TEXT_PIXELS = 16_000_000  # of the picture in it
SMALLEST = 16  # side of a picture, in pixels: a smaller one shows nothing
ZOOM = 20.0
SCANS = 100  # of a JPEG: each may go through all pixels again, and has but a few bytes; cameras write 10 or so

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF")
ACCEPTED = "give a PNG, JPEG, WebP, AVIF, BMP or GIF picture"
# what people try besides, by how such files begin
_FOREIGN = {
    b"<svg": "an SVG drawing", b"<?xml": "an SVG drawing or other XML", b"%PDF": "a PDF", b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture", b"8BPS": "a Photoshop file", b"\0\0\1\0": "an icon", b"PK\3\4": "a ZIP archive",
}  # fmt: skip
_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")  # what a phone's camera writes


def read_photo(source: Path | bytes, *, most_bytes: int = BYTES, most_pixels: int = PIXELS) -> Image.Image:
    """A picture from a file or its content, upright and in RGB.

    Rotation by EXIF is applied; transparency is laid on white; palettes, greys, CMYK and 16 bits are converted.

    Args:
        source: the file, or what is in it.
        most_bytes: of the file.
        most_pixels: width times height.

    Raises:
        CorruptFileError: if it is no such picture, damaged, or cut off.
        BadValueError: if it is too large or too small.
    """
    content = _content(source, most_bytes)
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > SCANS:
        raise CorruptFileError(f"this JPEG has more than {SCANS} scans, which would take for ever: save it anew.")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:  # reads the header alone
            _check_size(opened.size, most_pixels)
            opened.seek(0)
            opened.load()
            return _rgb(_upright(opened))
    except BadValueError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(most_pixels) from None
    except Image.UnidentifiedImageError:
        advice = "save it as JPEG, which phones and their photo apps can" if _is_heic(content) else ACCEPTED
        raise CorruptFileError(f"this is {_kind(content)}: {advice}.") from None
    except Exception as error:  # a hostile file can make a decoder raise anything
        raise CorruptFileError(
            f"this picture is damaged or cut off ({' '.join(str(error).split())[:80]}): {ACCEPTED}."
        ) from None


def from_data_uri(text: object) -> Image.Image:
    """A picture out of a data URI ("data:image/png;base64,...") or its base64 alone, as a client sends it.

    Raises:
        BadValueError: if it is not such text, too long, or the picture too large.
        CorruptFileError: if what it holds is no picture.
    """
    if not isinstance(text, str) or not text:
        raise BadValueError(f"a picture is sent as a data URI or as base64 text, not {short(text)}.")
    if len(text) > TEXT:
        raise BadValueError(f"the picture's text is longer than {TEXT >> 20} MB: send it at a smaller size.")
    head, comma, body = text.partition(",") if text.startswith("data:") else ("", ",", text)
    if not comma or (head and not head.endswith(";base64")):
        raise BadValueError("the data URI is not in base64: send 'data:image/png;base64,' and the picture's base64.")
    try:
        content = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadValueError(
            "the picture's text is not base64: send 'data:image/png;base64,' and the picture's base64."
        ) from None
    return read_photo(content, most_pixels=TEXT_PIXELS)


def squared(
    picture: Image.Image, side: int, *, zoom: float = 1.0, centre: tuple[float, float] = (0.5, 0.5)
) -> Image.Image:
    """A square part of a picture at another size.

    Args:
        picture: any size.
        side: of the result, in pixels.
        zoom: 1 is the largest square there is, 2 one of half its side, up to 20.
        centre: of the square, (x, y) in [0, 1] of the picture's width and height; the square is kept inside.

    Raises:
        BadValueError: if a number is out of range.
    """
    bounded("side", side, 1, 4096)
    zoom = in_range("zoom", zoom, 1.0, ZOOM)
    if not isinstance(centre, (tuple, list)) or len(centre) != 2:
        raise BadValueError(f"the centre is {short(centre)}; it must be two numbers, x and y, from 0 to 1.")
    crop = min(picture.size) / zoom
    left, top = (
        min(max(in_range(name, share, 0.0, 1.0) * length - crop / 2, 0.0), length - crop)
        for name, share, length in zip("xy", centre, picture.size, strict=True)
    )
    box = (left, top, min(left + crop, picture.width), min(top + crop, picture.height))
    return picture.resize((side, side), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def in_range(name: str, value: object, low: float, high: float) -> float:
    """A number of a client's as a float, or a BadValueError that says what it may be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadValueError(f"{name} is {short(value)}; it must be a number from {low:g} to {high:g}.")
    return bounded(name, float(value), low, high)


def to_images(picture: Image.Image) -> Tensor:
    """An RGB picture as a batch of one, [1, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.asarray(picture, dtype=np.float32).copy()).permute(2, 0, 1)[None] / 127.5 - 1


def _content(source: Path | bytes, most: int) -> bytes:
    if isinstance(source, bytes):
        size = len(source)
    elif source.is_file():  # no folder, pipe or device
        size = source.stat().st_size
    else:
        raise CorruptFileError(f"there is no picture at {short(str(source))}: {ACCEPTED}.")
    if size > most:
        raise BadValueError(f"the file has {size / 2**20:.1f} MB, more than {most >> 20}: give a smaller picture.")
    if isinstance(source, bytes):
        return source
    with source.open("rb") as file:
        return file.read(most)


def _check_size(size: tuple[int, int], most: int) -> None:
    width, height = size
    if width * height > most:
        raise _too_large(most, f" of {width} x {height} pixels")
    if min(size) < SMALLEST:
        raise BadValueError(f"a picture of {width} x {height} pixels is too small: {SMALLEST} is the shortest side.")


def _too_large(most: int, what: str = "") -> BadValueError:
    return BadValueError(
        f"a picture{what} is too large: at most {most // 1_000_000} million pixels are read, so make it smaller."
    )


def _upright(picture: Image.Image) -> Image.Image:
    """Turned as its EXIF says, if that can be read."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # what cannot be read turns nothing
        return picture.copy()


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        grey = np.asarray(picture).astype(np.float64) / 257
        picture = Image.fromarray(grey.clip(0, 255).round().astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return picture.convert("RGB")


def _is_heic(content: bytes) -> bool:
    return content[4:8] == b"ftyp" and content[8:12] in _HEIC


def _kind(content: bytes) -> str:
    """What a file is that is none of ours, for the message."""
    start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not content:
        return "an empty file"
    if content[4:8] == b"ftyp":
        avif = content[8:12] in (b"avif", b"avis")
        return "an AVIF picture, damaged or cut off" if avif else "a HEIC file" if _is_heic(content) else "a video file"
    return next((name for mark, name in _FOREIGN.items() if start.startswith(mark)), "no picture that can be read")
