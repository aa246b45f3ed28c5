"""Images as files: tensors to Pillow pictures, sheets, and animated GIFs."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_INK = "#333333"
_SHOWN = 256  # px; a small generator's pictures are enlarged to this when saved for people to look at


def to_bytes(images: Tensor) -> Tensor:
    """[B, 3, R, R] in [-1, 1] => uint8 of the same shape, on the CPU."""
    return ((images.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def to_pictures(images: Tensor, *, side: int | None = None) -> list[Image.Image]:
    """[B, 3, R, R] in [-1, 1] => B pictures, enlarged to `side` pixels if given."""
    pictures = [Image.fromarray(one.permute(1, 2, 0).numpy()) for one in to_bytes(images)]
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


def labelled_sheet(
    rows: Sequence[Sequence[tuple[str, Image.Image]]], *, titles: Sequence[str] = (), side: int = 128
) -> Image.Image:
    """Rows of pictures, each with words under it, on white.

    Args:
        rows: (words, picture) cells; the rows may differ in length.
        titles: above each row; none where it is empty.
        side: of a picture, in pixels.
    """
    font, bold = ImageFont.load_default(side / 10), ImageFont.load_default(side / 8)
    gap, line = side // 16, side // 8
    said = [[_lines(words, font, side) for words, _ in row] for row in rows]
    above = [2 * line if title else 0 for title in (*titles, *[""] * (len(rows) - len(titles)))]
    heights = [top + side + line * max(map(len, texts)) + 2 * gap for top, texts in zip(above, said, strict=True)]
    wide = max(map(len, rows)) * (side + gap) + gap
    page = Image.new("RGB", (wide, sum(heights) + gap), "white")
    pen = ImageDraw.Draw(page)
    y = gap
    for number, (row, texts) in enumerate(zip(rows, said, strict=True)):
        if above[number]:
            pen.text((gap, y + gap), titles[number], _INK, bold)
        for column, ((_, picture), lines) in enumerate(zip(row, texts, strict=True)):
            x, top = gap + column * (side + gap), y + above[number]
            page.paste(picture.resize((side, side), Image.Resampling.LANCZOS), (x, top))
            for at, text in enumerate(lines):
                pen.text((x + side / 2, top + side + gap / 2 + at * line), text, _INK, font, anchor="ma")
        y += heights[number]
    return page


def _lines(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Words in lines of at most `width` pixels; a longer word has a line of its own."""
    lines: list[str] = []
    for word in words.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


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
