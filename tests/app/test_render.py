"""Tensors to pictures."""

import base64
import io
import sys

import pytest
import torch
from PIL import Image

from app.core.errors import UserError
from app.widgets import render


@pytest.fixture
def image():
    return torch.linspace(-1, 1, 3 * 16 * 16).reshape(3, 16, 16)


def test_picture_is_the_image(image):
    drawn = render.picture(image)
    assert drawn.size == (16, 16)
    assert drawn.getpixel((0, 0)) == tuple(((image[:, 0, 0] + 1) * 127.5).round().int().tolist())
    assert render.picture(image, 64).size == (64, 64)


def test_values_out_of_range_do_not_wrap():
    assert render.picture(torch.full((3, 2, 2), 1.7)).getpixel((0, 0)) == (255, 255, 255)


def test_previews_are_jpeg(image):
    uri = render.jpeg_uri(render.picture(image, 64))
    kind, data = uri.split(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as drawn:
        assert (drawn.format, drawn.size) == ("JPEG", (64, 64))


@pytest.mark.parametrize(("count", "most", "kept"), [(1, 60, 1), (7, 60, 7), (100, 10, 10)])
def test_strip_keeps_both_ends(image, count, most, kept):
    images = [image * i / max(count, 1) for i in range(count)]
    frames = render.strip(images, most)
    assert len(frames) == kept
    assert frames[0] == (0, render.thumbnail(images[0]))
    assert frames[-1] == (count - 1, render.thumbnail(images[-1]))


def test_files(image, tmp_path):
    with Image.open(render.write_png(image, tmp_path / "a.png")) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (render.SIDE, render.SIDE))
    with Image.open(render.write_gif([image, -image, image * 0.5], tmp_path / "a.gif", side=32)) as drawn:
        assert (drawn.format, drawn.size, drawn.n_frames) == ("GIF", (32, 32), 3)
    with Image.open(render.write_gif([image], tmp_path / "b.gif", side=32)) as drawn:
        assert drawn.n_frames == 1


def test_films(image, tmp_path):
    frames = [image, -image, image * 0.5]
    written = render.write_mp4(frames, tmp_path / "a.mp4", side=32)
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="films need imageio-ffmpeg")
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(written))
    assert (count, seconds) == (2 * render.FPS + 1, pytest.approx((2 * render.FPS + 1) / render.FPS, abs=0.05))
    meta = next(imageio_ffmpeg.read_frames(str(written)))
    assert meta["size"] == (32, 32) and meta["codec"] == "h264"


def test_a_film_without_ffmpeg_is_told(image, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match="ffmpeg is missing"):
        render.write_mp4([image], tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())
