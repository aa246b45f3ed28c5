"""Tensors to pictures: previews, thumbnails, and files: PNG, GIF, MP4. On the CPU."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from app.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 512  # of a picture on the page, in pixels
PREVIEW = 384  # of a picture while it changes
THUMB = 128
MOVIE, FPS = 384, 16
ACCENT = (200, 70, 43)

Point = tuple[float, float]


def picture(image: Tensor, side: int | None = None) -> Image.Image:
    """An image [3, R, R] in [-1, 1] as a picture, resized to `side` pixels."""
    from sgf_hub.data.pictures import to_pictures  # imported late: the page is served without torch

    return to_pictures(image[None], side=side)[0]


def jpeg_uri(drawn: Image.Image, quality: int = 88) -> str:
    """A picture as a JPEG in a data URI: previews need no file on the server."""
    buffer = io.BytesIO()
    drawn.save(buffer, "JPEG", quality=quality)
    return uri_of(buffer.getvalue())


def uri_of(jpeg: bytes) -> str:
    """The content of a JPEG file as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def thumbnail(image: Tensor, side: int = THUMB) -> str:
    """A small picture as a data URI."""
    return jpeg_uri(picture(image, side), quality=80)


def strip(images: Sequence[Tensor], most: int = 60) -> list[tuple[int, str]]:
    """Thumbnails of the steps, each after its number: at most `most` of them, the first and the last among them."""
    count = min(len(images), most)
    chosen = [round(i * (len(images) - 1) / max(count - 1, 1)) for i in range(count)]
    return [(i, thumbnail(images[i])) for i in chosen]


def write_png(image: Tensor, path: Path, side: int = SIDE) -> Path:
    """The picture as a PNG file."""
    picture(image, side).save(path)
    return path


def write_mp4(images: Iterable[Tensor], path: Path, side: int = MOVIE, rest: float = 1.0) -> Path:
    """The steps as an MP4 that rests at both ends, 16 pictures a second.

    Args:
        images: [3, R, R] in [-1, 1] each.
        path: the file.
        side: of the film, in pixels; even, as H.264 wants it.
        rest: how long the first and the last picture show, in seconds.

    Raises:
        UserError: if there is no ffmpeg.
    """
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise UserError(
            "This page cannot write MP4: ffmpeg is missing where it runs (pip install imageio-ffmpeg). Save a GIF."
        ) from None
    frames = [picture(image, side).tobytes() for image in images]
    still = round(rest * FPS)
    writer = imageio_ffmpeg.write_frames(
        str(path), (side, side), fps=FPS, quality=7, macro_block_size=2, ffmpeg_log_level="error",
        output_params=["-threads", "1", "-movflags", "+faststart"],
    )  # fmt: skip
    writer.send(None)
    try:
        for frame in [*[frames[0]] * still, *frames[1:-1], *[frames[-1]] * still]:
            writer.send(frame)
    finally:
        writer.close()
    return path


def write_gif(images: Iterable[Tensor], path: Path, side: int = 256, milliseconds: int = 60) -> Path:
    """The steps as an endless GIF that rests at both ends."""
    from sgf_hub.data.pictures import save_gif

    save_gif([picture(image, side) for image in images], path, seconds=milliseconds / 1000)
    return path
