"""The avatars: exact labels, faces that depend on nothing but their seed, attributes that can be seen."""

import numpy as np
import pytest

from sgf_hub.data import paint
from sgf_hub.data.avatars import (
    ATTRIBUTES,
    CAUSES,
    EXCLUSIVE,
    KEYPOINTS,
    Factors,
    draw,
    sample,
    sample_batch,
    sheet,
)
from sgf_hub.data.avatars.geometry import Layout
from sgf_hub.errors import SGFError

pytest.importorskip("skia")


@pytest.fixture(scope="module")
def faces() -> list[Factors]:
    return [sample(seed) for seed in range(3000)]


@pytest.fixture(scope="module")
def labels(faces: list[Factors]) -> dict[str, np.ndarray]:
    table = np.array([face.attributes for face in faces])
    return {name: table[:, index] > 0.5 for index, name in enumerate(ATTRIBUTES)}


def test_a_seed_gives_one_face():
    assert sample(7) == sample(7)
    assert sample(7) != sample(8)
    first, second = draw(sample(7), 64), draw(sample(7), 64)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8


def test_a_face_of_a_batch_depends_on_its_index_only():
    few, many = (sample_batch(count, seed=3, resolution=32) for count in (4, 9))
    shared = sample_batch(9, seed=3, resolution=32, workers=2)
    for name in ("images", "attributes", "causes", "keypoints"):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:4])
        np.testing.assert_array_equal(getattr(shared, name), getattr(many, name))
    assert many.images.shape == (9, 3, 32, 32) and many.images.dtype == np.uint8
    assert many.attributes.shape == (9, len(ATTRIBUTES)) and many.attributes.dtype == np.float32
    assert many.causes.shape == (9, len(CAUSES)) and many.causes.dtype == np.float32
    assert many.keypoints.shape == (9, len(KEYPOINTS), 2) and many.keypoints.dtype == np.float32


def test_a_sheet_shows_the_batch():
    page = sheet(3, seed=3, resolution=32, columns=2)
    batch = sample_batch(3, seed=3, resolution=32)
    assert page.shape == (64, 64, 3)
    np.testing.assert_array_equal(page[32:, :32], batch.images[2].transpose(1, 2, 0))
    assert (page[32:, 32:] == 255).all()


def test_every_attribute_is_neither_rare_nor_the_rule(labels: dict[str, np.ndarray]):
    assert len(ATTRIBUTES) >= 24 and len(set(ATTRIBUTES)) == len(ATTRIBUTES)
    for name, on in labels.items():
        assert 0.08 <= on.mean() <= 0.60, f"{name}: {on.mean():.3f}"


@pytest.mark.parametrize(
    ("name", "given", "sign"),
    [
        ("bald", "male", 1), ("beard", "male", 1), ("mustache", "male", 1), ("lipstick", "male", -1),
        ("long_hair", "male", -1), ("earrings", "male", -1), ("blush", "male", -1), ("gray_hair", "old", 1),
        ("glasses", "old", 1), ("bald", "old", 1), ("mouth_open", "smile", 1), ("black_hair", "dark_skin", 1),
    ],
)  # fmt: skip
def test_attributes_go_together_as_on_real_faces_but_not_always(
    labels: dict[str, np.ndarray], name: str, given: str, sign: int
):
    on, condition = labels[name], labels[given]
    assert sign * np.corrcoef(on, condition)[0, 1] > 0.08
    against = on & (condition if sign < 0 else ~condition)
    assert against.sum() >= 3, "an attribute must also occur against its correlation"


def test_no_attribute_is_a_copy_of_another(labels: dict[str, np.ndarray]):
    correlation = np.abs(np.corrcoef(np.array(list(labels.values()))))
    np.fill_diagonal(correlation, 0)
    assert correlation.max() < 0.75


def test_bald_is_mostly_but_not_only_male(labels: dict[str, np.ndarray]):
    assert 0.93 <= labels["male"][labels["bald"]].mean() < 1


def test_groups_are_exclusive(labels: dict[str, np.ndarray]):
    for group in EXCLUSIVE:
        assert sum(labels[name].astype(int) for name in group).max() == 1, group


def test_an_impossible_face_is_refused():
    with pytest.raises(SGFError, match="a face cannot have bald and long_hair at once"):
        Factors(bald=True, long_hair=True)
    with pytest.raises(SGFError, match="at most one of glasses, sunglasses"):
        Factors(glasses=True).replace(sunglasses=True)


def test_causes_are_in_range_and_bimodal_with_their_label(faces: list[Factors], labels: dict[str, np.ndarray]):
    causes = np.array([face.causes for face in faces])
    assert causes.shape == (len(faces), len(CAUSES))
    assert np.abs(causes).max() <= 1
    pairs = {
        "smile": "smile", "mouth_open": "mouth_open", "brows_raised": "brow_raise", "chubby": "face_width",
        "big_nose": "nose_size", "dark_skin": "skin_tone",
    }  # fmt: skip
    for attribute, cause in pairs.items():
        values, on = causes[:, CAUSES.index(cause)], labels[attribute]
        assert values[on].min() - values[~on].max() > 0.5, attribute
    eye_open = causes[:, CAUSES.index("eye_open")]
    assert eye_open[~labels["eyes_closed"]].min() - eye_open[labels["eyes_closed"]].max() > 0.5


def test_keypoints_stay_in_the_picture_and_move(faces: list[Factors]):
    points = np.array([Layout(face).keypoints() for face in faces[:500]])
    assert points.shape == (500, len(KEYPOINTS), 2) and len(KEYPOINTS) >= 20
    assert points.min() > 0 and points.max() < 1
    nose = points[:, KEYPOINTS.index("nose_tip")]
    assert 0.03 < nose[:, 0].std() < 0.05
    jaw = points[:, KEYPOINTS.index("jaw_left")]
    assert jaw[:, 0].std() < nose[:, 0].std(), "the outline moves less than the nose"


def test_keypoints_mirror_with_the_head():
    face = sample(11)
    other = face.replace(yaw=-face.yaw, shift_x=-face.shift_x)
    swap = {"left": "right", "right": "left"}
    names = ["_".join(swap.get(word, word) for word in name.split("_")) for name in KEYPOINTS]
    mirrored = Layout(other).keypoints()[[KEYPOINTS.index(name) for name in names]]
    mirrored[:, 0] = 1 - mirrored[:, 0]
    np.testing.assert_allclose(mirrored, Layout(face).keypoints(), atol=1e-6)


def test_keypoints_are_where_the_picture_has_them():
    face = Factors(yaw=0.6, pitch=-0.4, brown_hair=True, lipstick=True)
    picture = draw(face, 256).astype(int)
    points = dict(zip(KEYPOINTS, (Layout(face).keypoints() * 256).astype(int), strict=True))
    for name in ("left_pupil", "right_pupil"):
        x, y = points[name]
        assert picture[y, x].max() < 60, "a pupil is black"
    x, y = points["lip_bottom"]
    red, green, _ = picture[y - 2, x]
    assert red - green > 80, "above the lower edge of the lips is lipstick"
    x, y = points["chin"]
    assert np.abs(picture[y - 2, x] - picture[y + 2, x]).sum() > 20, "the chin ends at its keypoint"


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_flip_of_one_attribute_can_be_seen_at_64_pixels(name: str):
    flips = 0
    for seed in range(60):
        face = sample(seed)
        try:
            other = face.replace(**{name: not getattr(face, name)})
        except SGFError:  # the flip would break a group
            continue
        flips += 1
        change = np.abs(draw(face, 64).astype(int) - draw(other, 64).astype(int)).max(axis=2)
        assert (change > 20).sum() >= 12, f"seed {seed}: {(change > 20).sum()} pixels changed"
    assert flips >= 5


def test_resolutions_show_the_same_picture():
    for seed in range(8):
        small, large = draw(sample(seed), 64), draw(sample(seed), 128)
        halved = large.reshape(64, 2, 64, 2, 3).astype(float).mean(axis=(1, 3))
        assert np.abs(halved - small).mean() < 2.5


@pytest.mark.parametrize("resolution", [16, 1024])
def test_a_resolution_out_of_range_is_refused(resolution: int):
    with pytest.raises(SGFError, match=f"resolution is {resolution}: pictures are drawn at 32 to 512 pixels"):
        draw(Factors(), resolution)


def test_bad_arguments_are_refused_in_one_sentence():
    with pytest.raises(SGFError, match="seed is -1, and must be a non-negative integer"):
        sample(-1)
    with pytest.raises(SGFError, match="both must be at least 1"):
        sample_batch(0, seed=0, resolution=64)


def test_without_skia_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paint, "skia", None)
    with pytest.raises(SGFError, match=r"pip install 'sgf-hub\[train\]'"):
        draw(Factors(), 64)
