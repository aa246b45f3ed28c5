"""Readers of faces: what a mesh of any weights does, how heads share it, and the fetched networks against their own
runtimes."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.generators import load_generator
from sgf_hub.hub import names
from sgf_hub.hub.fetching.manifest import read_manifest
from sgf_hub.hub.fetching.registry import take
from sgf_hub.predictors import BasePredictor, load_predictor
from sgf_hub.predictors.faces.heads import MEASURES, FaceGender, FaceKeypoints, FaceMeasures, chips
from sgf_hub.predictors.faces.mesh import LANDMARKS, LEAST_FACE, FaceMesh, FaceReading, in_head
from sgf_hub.predictors.graph import GraphNetwork
from tests.toys import edit_config, write_predictor

MESH = "sgf-hub/toy-mesh"
EYES = {"left": (33, 133), "right": (362, 263)}  # of the picture
OFTEN = ["mouth_left", "chin", "nose_tip"]
FACES = ["faces-measures", "faces-keypoints", "faces-gender"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def graph(outputs: list[list[int]], side: int) -> dict:
    """A config of linear readings of the mean colours of 4 x 4 cells."""
    nodes = [
        {"op": "mean_pool", "inputs": ["images"], "output": "cells", "size": side // 4, "stride": side // 4},
        {"op": "flatten", "inputs": ["cells"], "output": "row"},
        *({"op": "linear", "inputs": ["row"], "output": f"o{i}", "weight": one} for i, one in enumerate(outputs)),
    ]
    return {"side": side, "nodes": nodes, "outputs": [f"o{i}" for i in range(len(outputs))]}


def toy_mesh(*, spread: float = 3.0) -> FaceMesh:
    """A mesh whose points lie about the middle, and that finds a face where a picture is bright."""
    mesh = FaceMesh(**graph([[1404, 48], [1, 48]], 16)).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for name, weight in mesh.named_parameters():
        weight.copy_(torch.randn(weight.shape, generator=generator) * spread + 8 * name.startswith("bias"))
    mesh.weight_3.fill_(1)
    mesh.bias_3.fill_(-0.5 * 48 + LEAST_FACE)
    return mesh


def write_faces(root: Path) -> Path:
    """The mesh and its three heads."""
    toy_mesh().save_pretrained(root / "toy-mesh")
    FaceKeypoints(backbone=MESH, keypoints=OFTEN).save_pretrained(root / "toy-points")
    measures = FaceMeasures(backbone=MESH, attributes=["facing_left", "warm_light"])
    measures.fit(torch.randn(50, 2, generator=torch.Generator().manual_seed(0)))
    measures.save_pretrained(root / "toy-measures")
    nodes = graph([[2, 48]], 32)
    nodes["nodes"].append({"op": "softmax", "inputs": ["o0"], "output": "p"})
    gender = FaceGender(backbone=MESH, **{**nodes, "outputs": ["p"]})
    torch.nn.init.normal_(gender.weight_2, generator=torch.Generator().manual_seed(0))
    gender.save_pretrained(root / "toy-gender")
    return root


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 3, 24, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1


def reading_of(points: Tensor, images: Tensor | None = None) -> FaceReading:
    return FaceReading(
        torch.zeros(len(points), 3, 8, 8) if images is None else images, points, torch.zeros(len(points))
    )


def turned(degrees: float, axis: int) -> Tensor:
    """The rotation about x, y or z, [3, 3]."""
    a, b = (i for i in range(3) if i != axis)
    rotation = torch.eye(3)
    rotation[a, a] = rotation[b, b] = math.cos(math.radians(degrees))
    rotation[b, a] = math.sin(math.radians(degrees))
    rotation[a, b] = -rotation[b, a]
    return rotation


class TestMesh:
    @pytest.mark.parametrize(("side", "share"), [(64, 1 / 8), (20, 2 / 20), (3, 0.0)])
    def test_points_are_in_the_pictures_own_unit(self, side: int, share: float) -> None:
        mesh = toy_mesh(spread=0.0)
        for pixel in (0.0, 4.0, 16.0):
            mesh.bias_2.fill_(pixel)
            points = mesh(torch.zeros(2, 3, side, side)).points
            expected = pixel / 16 * (1 + 2 * share) - torch.tensor([share, share, 0])
            torch.testing.assert_close(points, expected.expand(2, 468, 3))

    def test_it_sees_the_picture_framed_and_from_0_to_1(self) -> None:
        seen = []
        mesh = toy_mesh()
        whole = torch.full((1, 3, 16, 16), 1.0)
        for scale in (1.0, -1.0, 0.0):  # white, black, grey; the frame is black
            seen.append(mesh(whole * scale).face.item() - LEAST_FACE + 24)
        white, black, grey = seen
        assert black == pytest.approx(0) and white == pytest.approx(48 / 1.25**2, rel=0.02)
        assert grey == pytest.approx(white / 2)

    def test_a_face_is_found_above_the_threshold(self) -> None:
        reading = FaceReading(torch.zeros(3, 3, 8, 8), torch.zeros(3, 468, 3), LEAST_FACE + torch.tensor([-0.1, 0, 9]))
        assert reading.found.tolist() == [False, False, True]

    @pytest.mark.parametrize("count", [1, 16, 17, 40])
    def test_batches_equal_singles(self, count: int) -> None:
        images = torch.rand(count, 3, 24, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1
        mesh = toy_mesh()
        together, alone = mesh(images), [mesh(one[None]) for one in images]
        torch.testing.assert_close(together.points, torch.cat([one.points for one in alone]))
        torch.testing.assert_close(together.face, torch.cat([one.face for one in alone]))
        assert together.points.shape == (count, 468, 3) and together.face.shape == (count,)

    def test_an_empty_batch(self) -> None:
        reading = toy_mesh()(torch.zeros(0, 3, 24, 24))
        assert reading.points.shape == (0, 468, 3) and reading.found.shape == (0,)

    @pytest.mark.parametrize("shape", [(3, 24, 24), (1, 1, 24, 24), (1, 3, 24, 20)])
    def test_what_is_no_picture_is_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(BadValueError, match="reads floating-point images"):
            toy_mesh()(torch.zeros(shape))

    @pytest.mark.parametrize("outputs", [[[1404, 48]], [[1404, 48], [1, 48], [1, 48]]])
    def test_another_number_of_outputs(self, outputs: list) -> None:
        with pytest.raises(BadValueError, match=f"gives points and a logit, not {len(outputs)} outputs"):
            FaceMesh(**graph(outputs, 16))


class TestInHead:
    @pytest.fixture
    def points(self) -> Tensor:
        """A head seen from the front, the axes being those of the picture."""
        points = torch.randn(1, 468, 3, generator=torch.Generator().manual_seed(0)) * 0.1
        for number, place in {33: (-2, 0, 0), 133: (-1, 0, 0), 362: (1, 0, 0), 263: (2, 0, 0)}.items():
            points[0, number] = torch.tensor(place) * 0.1
        points[0, 10], points[0, 152] = torch.tensor([0, -0.4, 0.0]), torch.tensor([0, 0.6, 0.0])
        return points

    def test_axes_and_units(self, points: Tensor) -> None:
        seen, axes = in_head(points)
        torch.testing.assert_close(axes, torch.eye(3)[None])
        torch.testing.assert_close(seen, points / 0.4)

    @pytest.mark.parametrize(("degrees", "axis"), [(20, 0), (-35, 1), (50, 2)])
    def test_it_does_not_depend_on_how_the_head_stands(self, points: Tensor, degrees: float, axis: int) -> None:
        rotation = turned(degrees, axis)
        seen, axes = in_head(0.7 * points @ rotation.T + torch.tensor([0.4, 0.6, 0.1]))
        torch.testing.assert_close(seen, in_head(points)[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(axes[0], rotation.T, atol=1e-5, rtol=0)

    @pytest.mark.parametrize(
        ("name", "axis", "degrees"), [("facing_left", 1, -30), ("facing_up", 0, -30), ("tilted_right", 2, 30)]
    )
    def test_how_it_stands_is_measured(self, points: Tensor, name: str, axis: int, degrees: float) -> None:
        """y points down: about it, the nose (at -z) goes left by a negative angle, and up by one about x."""
        quantity = [
            MEASURES[name](reading_of(points @ turned(angle, axis).T)).item() for angle in (-degrees, 0, degrees)
        ]
        size = math.radians(30) if name == "tilted_right" else 0.5
        assert quantity == pytest.approx([-size, 0, size], abs=1e-5)
        others = {"facing_left", "facing_up", "tilted_right"} - {name}
        assert [MEASURES[other](reading_of(points @ turned(degrees, axis).T)).item() for other in others] == (
            pytest.approx([0, 0], abs=1e-5)
        )

    def test_brows(self, points: Tensor) -> None:
        before = MEASURES["brows_raised"](reading_of(points))
        points[:, [70, 105, 107, 336, 334, 300], 1] -= 0.04
        assert (MEASURES["brows_raised"](reading_of(points)) - before).item() == pytest.approx(0.1, abs=1e-5)


class TestHeads:
    def test_keypoints_are_the_meshs(self, images: Tensor) -> None:
        reading, head = toy_mesh()(images), FaceKeypoints(backbone=MESH, keypoints=OFTEN)
        points = head.spec.points(head(reading))
        for i, name in enumerate(OFTEN):
            assert torch.equal(points[:, i], reading.points[:, LANDMARKS[name], :2])

    def test_half_of_the_faces_measured_are_above_and_half_are_clear(self, images: Tensor) -> None:
        head = FaceMeasures(backbone=MESH, attributes=["warm_light", "bright_background"])
        quantities = head.quantities(toy_mesh()(images))
        head.fit(quantities)
        scores = head(toy_mesh()(images))
        off = quantities - quantities.median(0).values
        torch.testing.assert_close(scores, torch.tanh(math.atanh(0.8) * off / off.abs().median(0).values))
        assert (scores == 0).sum(0).tolist() == [1, 1] == (scores > 0).sum(0).sub(1).tolist()  # of five
        torch.testing.assert_close(scores.abs().median(0).values, torch.tensor([0.8, 0.8]))

    def test_colours(self) -> None:
        points = torch.full((1, 468, 3), 0.5)
        images = torch.full((1, 3, 64, 64), -0.5)
        images[:, :, 20:44, 20:44] = 0.5

        def measured(images: Tensor) -> dict[str, float]:
            names = ("bright_background", "dark_skin", "warm_light")
            return {name: MEASURES[name](reading_of(points, images)).item() for name in names}

        plain = measured(images)
        assert plain == pytest.approx({"bright_background": -0.5, "dark_skin": -0.5, "warm_light": 0}, abs=1e-4)
        red = images.clone()
        red[:, 0] += 0.3
        red[:, 2] -= 0.1
        assert measured(red)["warm_light"] == pytest.approx(0.4, abs=1e-4)
        images[:, :, 20:44, 20:44] = 0.8
        assert measured(images)["dark_skin"] == pytest.approx(-0.8, abs=1e-4)
        images[:, :, :, :4] = 0.5  # one edge of two
        assert measured(images)["bright_background"] == pytest.approx(0, abs=0.02)
        images[:, :, 48:] = 1  # the shoulders are no background
        assert measured(images)["bright_background"] == pytest.approx(0, abs=0.02)

    @pytest.mark.parametrize(("side", "size"), [(128, 64), (64, 32), (96, 96)])
    @pytest.mark.parametrize(("left", "right"), [((0.35, 0.45), (0.65, 0.45)), ((0.4, 0.6), (0.62, 0.45))])
    def test_chips_are_upright_with_the_eyes_where_dlib_has_them(
        self, left: tuple, right: tuple, side: int, size: int
    ) -> None:
        points, images = torch.zeros(1, 468, 3), torch.zeros(1, 3, side, side)
        axis = (torch.arange(side) + 0.5) / side
        for channel, (eye, place) in enumerate((("left", left), ("right", right))):
            for number, offset in zip(EYES[eye], (-0.03, 0.03), strict=True):
                points[0, number, :2] = torch.tensor([place[0] + offset, place[1]])
            distance = (axis - place[0])[None, :] ** 2 + (axis - place[1])[:, None] ** 2
            images[0, channel] = torch.exp(-distance / (2 * 0.03**2))
        chip = chips(reading_of(points, images), size)[0]
        axis = (torch.arange(size) + 0.5) / size
        for channel, x in enumerate((0.4929 - 0.3754 / 2, 0.4929 + 0.3754 / 2)):
            spot = chip[channel] / chip[channel].sum()
            assert (spot.sum(0) * axis).sum().item() == pytest.approx(x, abs=0.01)
            assert (spot.sum(1) * axis).sum().item() == pytest.approx(0.301, abs=0.01)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (
                lambda: FaceKeypoints(backbone=MESH, keypoints=["nose_tip", "tail"]),
                "keypoints must be some of .*; tail",
            ),
            (lambda: FaceKeypoints(backbone=MESH, keypoints=[]), "none given"),
            (lambda: FaceKeypoints(backbone=MESH, keypoints=["chin", "chin"]), "distinct names"),
            (lambda: FaceKeypoints(backbone="", keypoints=["chin"]), "backbone must be"),
            (lambda: FaceMeasures(backbone=MESH, attributes=["age"]), "attributes must be some of .*; age given"),
            (lambda: FaceMeasures(backbone=7, attributes=["warm_light"]), "backbone must be"),
            (lambda: FaceGender(backbone=MESH, **graph([[2, 48], [2, 48]], 32)), "has one output, not 2"),
        ],
    )
    def test_refused(self, make: Callable, message: str) -> None:
        with pytest.raises(BadValueError, match=message):
            make()


class TestJoint:
    def names(self, root: Path, *parts: str) -> list[str]:
        return [str(root / f"toy-{part}") for part in parts]

    def test_attributes_come_first_and_each_head_reads_the_same(self, faces: Path, images: Tensor) -> None:
        predictor = load_predictor(self.names(faces, "points", "measures", "gender"))
        assert predictor.spec.attributes == ("facing_left", "warm_light", "male")
        assert predictor.spec.keypoints == tuple(OFTEN)
        parts = [load_predictor(self.names(faces, part))(images) for part in ("measures", "gender", "points")]
        torch.testing.assert_close(predictor(images), torch.cat(parts, dim=1))
        assert predictor.spec.scores(predictor(images)).abs().max() <= 1

    def test_one_pass_of_the_mesh_is_shared(self, faces: Path, images: Tensor) -> None:
        predictor, passes = load_predictor(self.names(faces, "measures", "points", "gender")), []
        assert len(predictor.backbones) == 1
        predictor.backbones[0].register_forward_hook(lambda *_: passes.append(1))
        predictor(images)
        assert len(passes) == 1

    def test_a_head_beside_another_backbones(self, faces: Path, toy_zoo: Path, images: Tensor) -> None:
        heads = [str(toy_zoo / "toy-attributes"), *self.names(faces, "points")]
        predictor = load_predictor(heads)
        assert len(predictor.backbones) == 2
        torch.testing.assert_close(predictor(images), torch.cat([load_predictor(one)(images) for one in heads], dim=1))

    def test_readable_where_the_mesh_finds_a_face(self, faces: Path, toy_zoo: Path) -> None:
        images = torch.stack([torch.full((3, 24, 24), value) for value in (1.0, -1.0, 0.9)])
        predictor = load_predictor([str(toy_zoo / "toy-attributes"), *self.names(faces, "points")])
        assert predictor.readable(images).tolist() == [True, False, True]
        assert load_predictor(self.names(faces, "measures")).readable(images).tolist() == [True, False, True]
        assert load_predictor(str(toy_zoo / "toy-attributes")).readable(images).tolist() == [True] * 3
        assert BasePredictor().readable(images).tolist() == [True] * 3

    def test_an_empty_batch(self, faces: Path) -> None:
        predictor = load_predictor(self.names(faces, "measures", "points", "gender"))
        assert predictor(torch.zeros(0, 3, 24, 24)).shape == (0, 9)

    def test_heads_and_backbones_of_other_kinds_are_refused(self, tmp_path: Path) -> None:
        write_predictor(write_faces(tmp_path))
        edit_config(tmp_path / "toy-points", backbone="sgf-hub/toy-backbone")
        with pytest.raises(CorruptFileError, match="a FaceKeypoints does not read what a Backbone gives"):
            load_predictor(str(tmp_path / "toy-points"))
        edit_config(tmp_path / "toy-attributes", backbone=MESH)
        with pytest.raises(CorruptFileError, match="a AttributeHead does not read what a FaceMesh gives"):
            load_predictor(str(tmp_path / "toy-attributes"))

    def test_two_that_read_the_same(self, faces: Path) -> None:
        with pytest.raises(BadValueError, match="both give chin.x, chin.y|both give chin"):
            load_predictor(self.names(faces, "points", "points"))

    def test_a_mesh_alone_is_no_predictor(self, faces: Path) -> None:
        with pytest.raises(CorruptFileError, match="holds a FaceMesh; a predictor is made of"):
            load_predictor(str(faces / "toy-mesh"))

    def test_heads_survive_saving(self, faces: Path, tmp_path: Path, images: Tensor) -> None:
        reading = toy_mesh()(images)
        for name, kind in (("points", FaceKeypoints), ("measures", FaceMeasures), ("gender", FaceGender)):
            head = kind.from_pretrained(faces / f"toy-{name}")
            head.save_pretrained(tmp_path / name)
            again = kind.from_pretrained(tmp_path / name)
            assert again.config() == head.config() and torch.equal(again(reading), head(reading))


# -- the fetched networks ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(fetched_faces: dict[str, Path]) -> Tensor:
    """Faces of 64 px, in all of which a face is found."""
    generator = load_generator(fetched_faces["faces-dcgan"])
    with torch.inference_mode():
        return generator.synthesize(generator.sample(24, seed=3))


@pytest.fixture(scope="module")
def mesh(fetched_faces: dict[str, Path]) -> FaceMesh:
    return FaceMesh.from_pretrained(fetched_faces["faces-mesh"])


@pytest.fixture(scope="module")
def predictor(fetched_faces: dict[str, Path]) -> BasePredictor:
    return load_predictor(FACES)


@pytest.fixture(scope="module")
def published(fetched_faces: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The file that an entry was converted from."""

    def get(name: str) -> Path:
        try:
            return take(read_manifest(names.root() / name), tmp_path_factory.mktemp(name))
        except UnknownNameError as error:
            pytest.skip(f"{name}: {error}")

    return get


class TestRuntimes:
    def test_mesh(self, mesh: FaceMesh, drawn: Tensor, published: Callable) -> None:
        runtime = pytest.importorskip("ai_edge_litert.interpreter")
        interpreter = runtime.Interpreter(str(published("faces-mesh")), num_threads=1)
        interpreter.allocate_tensors()
        given = interpreter.get_input_details()[0]["index"]
        outputs = [one["index"] for one in interpreter.get_output_details()]
        framed = F.interpolate(F.pad(drawn[:6] / 2 + 0.5, (8,) * 4), (192, 192), mode="bilinear")
        framed = torch.cat([framed, torch.rand(2, 3, 192, 192, generator=torch.Generator().manual_seed(0))])
        points, logits = [], []
        for one in framed:
            interpreter.set_tensor(given, one.permute(1, 2, 0)[None].numpy())
            interpreter.invoke()
            both = [interpreter.get_tensor(index).reshape(-1) for index in outputs]
            points.append(torch.from_numpy(both[0].copy()))
            logits.append(both[1].item())
        ours = GraphNetwork.forward(mesh, framed)
        torch.testing.assert_close(ours[0].flatten(1), torch.stack(points), atol=1e-3, rtol=0)  # of a pixel of 192
        torch.testing.assert_close(ours[1].flatten(), torch.tensor(logits), atol=1e-3, rtol=1e-4)
        reading = mesh(drawn[:6])
        expected = torch.stack(points[:6]).unflatten(1, (468, 3)) / 192 * 1.25 - torch.tensor([1 / 8, 1 / 8, 0])
        torch.testing.assert_close(reading.points, expected, atol=2e-5, rtol=0)
        torch.testing.assert_close(reading.face, torch.tensor(logits[:6]), atol=1e-3, rtol=1e-4)

    def test_gender(self, mesh: FaceMesh, drawn: Tensor, fetched_faces: dict[str, Path], published: Callable) -> None:
        runtime, reading = pytest.importorskip("onnxruntime"), mesh(drawn)
        pixels = (chips(reading, 32) + 1) / 2 * 255 - torch.tensor([122.782, 117.001, 104.298])[:, None, None]
        session = runtime.InferenceSession(str(published("faces-gender")))
        told = session.run(None, {"images": (pixels / 256).numpy()})[0]
        head = FaceGender.from_pretrained(fetched_faces["faces-gender"])
        np.testing.assert_allclose((head(reading)[:, 0].numpy() + 1) / 2, told[:, 1], atol=1e-5, rtol=0)
        assert told[:, 1].min() < 0.1 < 0.9 < told[:, 1].max()  # both are there


class TestFaces:
    def test_c(self, predictor: BasePredictor, drawn: Tensor) -> None:
        c = predictor(drawn)
        assert predictor.spec.attributes == (*MEASURES, "male") and set(predictor.spec.keypoints) <= set(LANDMARKS)
        assert c.shape == (24, predictor.spec.dimension) and torch.isfinite(c).all()
        assert predictor.spec.scores(c).abs().max() <= 1
        share = (predictor.spec.scores(c) > 0).float().mean(0)
        assert 0.1 < share.min() and share.max() < 0.9  # their middle is that of the generator's faces

    def test_one_pass_of_the_mesh_is_shared(self, predictor: BasePredictor, drawn: Tensor) -> None:
        passes: list[int] = []
        (shared,) = predictor.backbones
        hook = shared.register_forward_hook(lambda *_: passes.append(1))
        predictor(drawn[:2])
        hook.remove()
        assert isinstance(shared, FaceMesh) and len(passes) == 1

    def test_batches_equal_singles(self, predictor: BasePredictor, drawn: Tensor) -> None:
        some = drawn[:5]
        torch.testing.assert_close(
            predictor(some), torch.cat([predictor(one[None]) for one in some]), atol=1e-4, rtol=1e-4
        )

    def test_faces_are_found_and_nothing_else(self, predictor: BasePredictor, drawn: Tensor) -> None:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(4, 3, 64, 64, generator=generator).clamp(-1, 1)
        blank = torch.stack([torch.full((3, 64, 64), value) for value in (-1.0, 0.0, 1.0)])
        stripes = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
        found = predictor.readable(torch.cat([drawn, noise, blank, stripes]))
        assert found.tolist() == [True] * 24 + [False] * 8

    def test_points_are_where_their_names_say(self, predictor: BasePredictor, drawn: Tensor) -> None:
        points = dict(zip(predictor.spec.keypoints, predictor.spec.points(predictor(drawn)).unbind(1), strict=True))
        assert all(-0.2 < one.min() and one.max() < 1.2 for one in points.values())

        def above(*order: str) -> bool:
            heights = torch.stack([points[name][:, 1] for name in order], dim=1)
            return bool((heights.diff(dim=1) > 0).all())

        assert above("forehead", "nose_bridge", "nose_tip", "lip_top", "lip_bottom", "chin")
        for side in ("left", "right"):
            assert above(f"{side}_brow_mid", f"{side}_eye_top", f"{side}_eye_bottom", f"mouth_{side}")
        across = ("cheek_left", "left_eye_outer", "left_eye_inner", "right_eye_inner", "right_eye_outer", "cheek_right")
        order = torch.stack([points[name][:, 0] for name in across], dim=1).diff(dim=1)
        assert (order[:, 1:4] > 0).all() and (order > 0).float().mean() > 0.9  # a cheek may be turned away

    @pytest.mark.parametrize("times", [2, 4])
    def test_points_do_not_depend_on_the_resolution(self, predictor: BasePredictor, drawn: Tensor, times: int) -> None:
        large = F.interpolate(drawn[:12], scale_factor=times, mode="bilinear", align_corners=False)
        spec = predictor.spec
        off = (spec.points(predictor(large)) - spec.points(predictor(drawn[:12]))).norm(dim=-1)
        assert off.max() < 0.02

    def test_a_mirrored_face_is_turned_and_tilted_the_other_way(self, predictor: BasePredictor, drawn: Tensor) -> None:
        spec = predictor.spec
        c, mirrored = predictor(drawn), predictor(drawn.flip(-1))
        (mesh,) = predictor.backbones
        for name, clear in (("facing_left", 0.2), ("tilted_right", 0.045)):
            before, after = (MEASURES[name](mesh(images)) for images in (drawn, drawn.flip(-1)))
            assert torch.corrcoef(torch.stack([before, after]))[0, 1] < -0.8
            away = before.abs() > clear
            assert away.sum() >= 8 and (before[away] * after[away] < 0).all()
        for name in ("brows_raised", "facing_up", "bright_background", "dark_skin", "warm_light"):
            before, after = c[:, spec.index(name)], mirrored[:, spec.index(name)]
            assert (before - after).abs().median() < 0.2
        for right in [name for name in spec.keypoints if "right" in name]:
            left = right.replace("right", "left")
            off = c[:, spec.index(right)] * torch.tensor([-1, 1]) + torch.tensor([1, 0]) - mirrored[:, spec.index(left)]
            assert off.norm(dim=1).median() < 0.02

    @pytest.mark.parametrize("degrees", [-10, 10])
    def test_a_picture_turned_clockwise_is_tilted_right(self, mesh: FaceMesh, drawn: Tensor, degrees: float) -> None:
        turn = turned(-degrees, 2)[:2].expand(24, 2, 3)  # where a place of the turned picture was; y points down
        grid = F.affine_grid(turn, [24, 3, 64, 64], align_corners=False)
        clockwise = F.grid_sample(drawn, grid, align_corners=False, padding_mode="border")
        roll = MEASURES["tilted_right"]
        rise = (roll(mesh(clockwise)) - roll(mesh(drawn))) / math.radians(degrees)
        assert (rise > 0).float().mean() > 0.9 and 0.5 < rise.median() < 1.1  # the mesh sees less of it

    def test_a_face_that_looks_left_has_its_nose_there(self, predictor: BasePredictor, drawn: Tensor) -> None:
        spec, c = predictor.spec, predictor(drawn)
        nose, right, left = (c[:, spec.index(name)][:, 0] for name in ("nose_tip", "cheek_right", "cheek_left"))
        both = torch.stack([c[:, spec.index("facing_left")][:, 0], (right + left) / 2 - nose])
        assert torch.corrcoef(both)[0, 1] > 0.9

    def test_light(self, predictor: BasePredictor, drawn: Tensor) -> None:
        spec, c = predictor.spec, predictor(drawn)

        def change(images: Tensor, name: str) -> Tensor:
            return (predictor(images) - c)[:, spec.index(name)]

        bright = drawn * 0.6 + 0.4
        for name, sign in (("bright_background", 1), ("dark_skin", -1)):
            assert (sign * change(bright, name) > 0).all() and (sign * change(bright, name)).median() > 0.3
        red = drawn.clone()
        red[:, 0] = (red[:, 0] + 0.25).clamp(max=1)
        red[:, 2] = (red[:, 2] - 0.25).clamp(min=-1)
        blue = drawn + (red - drawn).flip(1)
        for name, images, sign in (("red", red, 1), ("blue", blue, -1)):
            rise = sign * change(images, "warm_light")
            assert (rise > 0).all() and rise.median() > 0.3, name
