"""Pictures from outside: every kind that is read, and every kind that is refused with a sentence."""

import base64
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sgf_hub.data import photos
from sgf_hub.data.photos import from_data_uri, read_photo, squared, to_images
from sgf_hub.errors import BadValueError, CorruptFileError, SGFError

RED = (200, 30, 40)


def saved(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def red(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGB", size, RED).convert(mode)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has that many pixels."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(b"\0" * 100)) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF"])
def test_the_accepted_kinds_are_read_by_content(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "named.txt"  # the name says nothing
    file.write_bytes(saved(red(), kind))
    for picture in (read_photo(file), read_photo(file.read_bytes())):
        assert picture.mode == "RGB" and picture.size == (40, 30)
        assert np.abs(np.asarray(picture, int) - RED).max() <= 8


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_what_moves_the_first_frame(kind: str) -> None:
    frames = [red(), Image.new("RGB", (40, 30), "blue")]
    picture = read_photo(saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50))
    assert np.abs(np.asarray(picture, int)[5, 5] - RED).max() <= 8


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_other_modes_become_rgb(mode: str) -> None:
    picture = read_photo(saved(red(mode), "JPEG" if mode == "CMYK" else "PNG"))
    assert picture.mode == "RGB"
    if mode == "CMYK":
        assert np.abs(np.asarray(picture, int)[5, 5] - RED).max() <= 12


def test_sixteen_bits_keep_their_shades() -> None:
    grey = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(64, 0)
    picture = np.asarray(read_photo(saved(Image.fromarray(grey), "PNG")))
    assert picture.shape == (64, 64, 3) and picture[0, 0, 0] == 0 and picture[0, -1, 0] == 255
    assert abs(int(picture[0, 32, 0]) - 130) <= 2


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    clear = Image.new("RGBA", (40, 30), (*RED, 0))
    options = {"transparency": 0} if mode == "P" else {}
    picture = read_photo(saved(Image.new("P", (40, 30)) if mode == "P" else clear.convert(mode), "PNG", **options))
    assert (np.asarray(picture) == 255).all()


def test_exif_turns_the_picture() -> None:
    picture = Image.new("RGB", (40, 30), "white")
    picture.paste(RED, (0, 0, 20, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    turned = read_photo(saved(picture, "JPEG", exif=exif, quality=95))
    assert turned.size == (30, 40)
    assert np.abs(np.asarray(turned, int)[5, 15] - RED).max() <= 12
    assert (np.asarray(turned)[35, 15] > 240).all()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_turns_nothing() -> None:
    assert read_photo(saved(red(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")).size == (40, 30)


SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"hello, world", "no picture that can be read"),
        (SVG, "an SVG drawing"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?>" + SVG, "an SVG drawing or other XML"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "a video file"),
        (b"%PDF-1.7", "a PDF"),
        (saved(red(), "TIFF"), "a TIFF picture"),
        (saved(red(), "ICO"), "an icon"),
        (saved(red(), "PPM"), "no picture that can be read"),
        (b"PK\3\4" + bytes(60), "a ZIP archive"),
        (b"\x89PNG\r\n\x1a\n", "PNG, JPEG, WebP, AVIF, BMP or GIF"),
    ],
)
def test_other_files_are_refused_by_kind(content: bytes, words: str) -> None:
    with pytest.raises(CorruptFileError, match=words) as told:
        read_photo(content)
    assert "give a PNG, JPEG, WebP, AVIF, BMP or GIF picture" in str(told.value)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_what_to_do_with_a_phones_picture(brand: bytes) -> None:
    with pytest.raises(CorruptFileError) as told:
        read_photo(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(100))
    assert str(told.value) == "this is a HEIC file: save it as JPEG, which phones and their photo apps can."


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF"])
def test_what_is_cut_off_is_refused(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    content = saved(noise, kind)
    with pytest.raises(CorruptFileError, match="damaged or cut off|can be read"):
        read_photo(content[: len(content) // 2])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "BMP", "GIF"])
def test_no_damage_gives_anything_but_a_picture_or_a_sentence(kind: str) -> None:
    whole, random = saved(red(), kind), np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(whole)
        for place in random.integers(0, len(whole), 4):
            broken[place] = random.integers(256)
        try:
            assert read_photo(bytes(broken)).mode == "RGB"
        except SGFError as error:
            assert str(error).endswith(".")


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (7_100, 7_100)])
def test_bombs_are_refused_before_they_are_decoded(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(BadValueError, match="at most 50 million pixels"):
        read_photo(bomb(*size))


def test_a_jpeg_of_endless_scans_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = saved(red(), "JPEG", progressive=True)
    assert read_photo(plain).size == (40, 30)
    last = plain[plain.rindex(b"\xff\xda") : -2]
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(CorruptFileError, match="more than 100 scans"):
        read_photo(plain[:-2] + 200 * last + plain[-2:])


def test_a_long_text_in_a_png_is_refused() -> None:
    head, rest = bomb(40, 30)[:33], bomb(40, 30)[33:]
    text = png_chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(80 * 2**20)))
    with pytest.raises(CorruptFileError, match="damaged"):
        read_photo(head + text + rest)


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "large.png"
    with file.open("wb") as sparse:
        sparse.truncate(photos.BYTES + 2**20)
    with pytest.raises(BadValueError, match="21.0 MB, more than 20: give a smaller picture"):
        read_photo(file)
    with pytest.raises(BadValueError, match="more than 20"):
        read_photo(bytes(photos.BYTES + 1))
    with pytest.raises(CorruptFileError, match="there is no picture at"):
        read_photo(tmp_path)
    with pytest.raises(BadValueError, match="15 x 40 pixels is too small"):
        read_photo(saved(red(size=(15, 40)), "PNG"))


def uri(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def test_data_uris() -> None:
    content = saved(red(), "PNG")
    assert from_data_uri(uri(content)).size == (40, 30)
    assert from_data_uri(base64.b64encode(content).decode()).size == (40, 30)
    assert from_data_uri(uri(content, "svg+xml")).size == (40, 30)  # what it says it is counts for nothing


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "as a data URI or as base64 text, not None"),
        (7, "not 7"),
        ({"path": "/etc/passwd"}, "not {'path'"),
        ("", "as a data URI"),
        ("/etc/passwd", "not base64|no picture"),
        ("https://example.org/a.png", "not base64"),
        ("data:image/png,rawtext", "not in base64"),
        ("data:image/png;base64", "not in base64"),
        ("data:image/png;base64,%%%", "not base64"),
        ("data:image/png;base64,é", "not base64"),
        ("x" * (photos.TEXT + 1), "longer than 2 MB"),
        (uri(SVG, "svg+xml"), "an SVG drawing"),
        (uri(bomb(5_000, 4_000)), "at most 16 million pixels"),
    ],
)
def test_what_a_client_sends_is_checked(value: object, words: str) -> None:
    with pytest.raises(SGFError, match=words):
        from_data_uri(value)


def test_squares() -> None:
    picture = Image.new("RGB", (80, 40), "white")
    picture.paste(RED, (0, 0, 20, 40))
    assert squared(picture, 16).getpixel((8, 8)) == (255, 255, 255)  # x from 20 to 60
    assert squared(picture, 16, centre=(0.0, 0.5)).getpixel((2, 8)) == RED  # kept inside: x from 0 to 40
    assert squared(picture, 16, zoom=4, centre=(0.0, 0.0)).getextrema()[1] == (RED[1], RED[1])
    assert squared(picture, 16, zoom=20, centre=(1.0, 1.0)).size == (16, 16)
    assert torch.allclose(to_images(squared(picture, 4, zoom=2))[0, :, 1, 1], torch.ones(3))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"zoom": 0.5}, "zoom is 0.5; it must be a number from 1.0 to 20.0"),
        ({"zoom": float("nan")}, "zoom is nan"),
        ({"zoom": "2"}, "zoom is '2'"),
        ({"zoom": True}, "zoom is True"),
        ({"centre": (0.5, 1.5)}, "y is 1.5; it must be a number from 0.0 to 1.0"),
        ({"centre": (float("inf"), 0.5)}, "x is inf"),
        ({"centre": 0.5}, "must be two numbers"),
        ({"side": 0}, "side is 0"),
    ],
)
def test_squares_out_of_range(options: dict, words: str) -> None:
    with pytest.raises(BadValueError, match=words):
        squared(red(), **{"side": 16, **options})
