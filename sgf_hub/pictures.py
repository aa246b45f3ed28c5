"""Images as files: tensors to Pillow pictures, sheets, and animated GIFs."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

_SHOWN = 256  # px; a small generator's pictures are enlarged to this when saved for people to look at


def to_pictures(images: Tensor, *, side: int | None = None) -> list[Image.Image]:
    """[B, 3, R, R] in [-1, 1] => B pictures, enlarged to `side` pixels if given."""
    pixels = ((images.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    pictures = [Image.fromarray(one.permute(1, 2, 0).numpy()) for one in pixels]
    if side is None:
        return pictures
    return [picture.resize((side, side), Image.Resampling.LANCZOS) for picture in pictures]


def sheet(images: Tensor, *, columns: int | None = None) -> Image.Image:
    """[B, 3, R, R] in [-1, 1] => one picture of all, a little wider than high."""
    pictures = to_pictures(images)
    columns = columns or math.ceil(math.sqrt(1.6 * len(pictures)))
    side = pictures[0].width
    page = Image.new("RGB", (columns * side, math.ceil(len(pictures) / columns) * side), "white")
    for i, picture in enumerate(pictures):
        page.paste(picture, (i % columns * side, i // columns * side))
    return page


def save_gif(frames: Sequence[Image.Image], path: Path, *, seconds: float = 0.12, hold: float = 1.2) -> None:
    """Write frames as a looping GIF that rests on the first and the last one.

    Args:
        frames: pictures of one size.
        path: the file.
        seconds: how long a frame shows.
        hold: how long the first and the last one show.
    """
    # one palette for all frames: colours of still parts must not flicker
    chosen = [frames[i * (len(frames) - 1) // 3] for i in range(4)]
    page = Image.new("RGB", (4 * frames[0].width, frames[0].height))
    for i, frame in enumerate(chosen):
        page.paste(frame, (i * frame.width, 0))
    palette = page.quantize(128)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [round(1000 * (hold if i in (0, len(frames) - 1) else seconds)) for i in range(len(frames))]
    indexed[0].save(path, save_all=True, append_images=indexed[1:], duration=durations, loop=0)


def shown_side(resolution: int) -> int:
    """The side at which a picture of `resolution` pixels is saved for people."""
    return max(resolution, _SHOWN)
