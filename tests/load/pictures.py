"""Pictures that no camera makes: what a hostile client uploads in place of one."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _noise(size: tuple[int, int] = (64, 64), mode: str = "RGB") -> Image.Image:
    return Image.effect_noise(size, 60).convert(mode)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A PNG of 2.5 billion pixels: its header says so, and its data begins well."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 10_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A small PNG with a text of 100 MB, compressed."""
    whole = _saved(_noise(), "PNG")
    text = b"Comment\0\0" + zlib.compress(b"a" * 100_000_000, 9)
    return whole[:33] + _chunk(b"zTXt", text) + whole[33:]


def _moving(format: str) -> bytes:
    frames = [_noise() for _ in range(5)]
    return _saved(frames[0], format, save_all=True, append_images=frames[1:], duration=50)


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _saved(_noise((64, 32)), "JPEG", exif=exif)


PICTURES: dict[str, Callable[[], bytes]] = {
    "a PNG of 50,000 x 50,000": bomb,
    "a PNG of 1 x 100,000": lambda: _saved(Image.new("RGB", (1, 100_000)), "PNG"),
    "a PNG of 0 x 0": lambda: bomb(0, 0),
    "a PNG with a text of 100 MB": text_bomb,
    "a PNG cut off": lambda: _saved(_noise(), "PNG")[:-2000],
    "a JPEG cut off": lambda: _saved(_noise(), "JPEG")[:-500],
    "a JPEG's first bytes": lambda: b"\xff\xd8\xff\xe0",
    "an SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "an SVG of entities": lambda: b'<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg>&b;</svg>',
    "HEIC": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100,
    "a TIFF": lambda: _saved(_noise(), "TIFF"),
    "a PDF": lambda: b"%PDF-1.4\n%%EOF",
    "a ZIP": lambda: b"PK\x03\x04" + b"\0" * 60,
    "a text": lambda: b"hello",
    "nothing": lambda: b"",
}
"""What is refused; what is read though odd (EXIF, CMYK, 16 bits, alpha, what moves) is `ODD_BUT_GOOD`."""
ODD_BUT_GOOD: dict[str, Callable[[], bytes]] = {
    "a GIF that moves": lambda: _moving("GIF"),
    "a WebP that moves": lambda: _moving("WEBP"),
    "a JPEG that lies on its side": _turned,
    "a JPEG in CMYK": lambda: _saved(_noise(mode="L").convert("CMYK"), "JPEG"),
    "a PNG of 16 bits": lambda: _saved(Image.new("I;16", (64, 64), 30_000), "PNG"),
    "a PNG with alpha": lambda: _saved(_noise(mode="RGBA"), "PNG"),
    "a PNG with a palette": lambda: _saved(_noise(mode="P"), "PNG"),
}
