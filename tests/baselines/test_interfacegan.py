"""Linear boundaries: the fit, conditional directions, the public tool's files, and the straight walk."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from sgf_hub.baselines import Boundaries, InterFaceGANEditor, fit_boundaries
from sgf_hub.baselines.fitted import sklearn
from sgf_hub.editing import EditConfig, edit
from sgf_hub.errors import BadValueError, CorruptFileError, SGFError, SpaceError, UnknownNameError
from sgf_hub.types import ConditionSpec, Latent
from tests.baselines.toys import NAMES, boundaries_of, pairs_of, towards
from tests.toys import PlainGenerator, PlainPredictor, edit_config

STEPS = EditConfig.paper(max_steps=3, tolerance=0.0)


def planted(count: int = 3000, size: int = 12):
    """Pairs whose scores are saturated functions of two known directions, of unequal spreads."""
    rng = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(2, size, generator=rng), dim=1)
    z = torch.randn(count, size, generator=rng) * torch.linspace(0.2, 2, size)
    return pairs_of(z, torch.tanh(4 * z @ directions.T - 1)), directions


class TestFit:
    def test_it_finds_planted_directions(self) -> None:
        pairs, directions = planted()
        made = fit_boundaries(pairs, share=0.2)
        assert ((made.normals * directions).sum(dim=1) > 0.95).all()
        torch.testing.assert_close(made.normals.norm(dim=1), torch.ones(2))

    def test_it_agrees_with_a_linear_svc_on_all_that_is_confident(self) -> None:
        pairs, _ = planted()
        made = fit_boundaries(pairs, share=0.1)
        for i, scores in enumerate(pairs.c.unbind(1)):
            order = scores.argsort()
            chosen = torch.cat([order[:300], order[-300:]])
            machine = sklearn("svm").SVC(kernel="linear").fit(pairs.z[chosen].numpy(), np.repeat([0, 1], 300))
            assert made.normals[i].numpy() @ machine.coef_[0] / np.linalg.norm(machine.coef_) >= 0.95

    def test_accuracies_are_kept(self) -> None:
        made = fit_boundaries(planted()[0], share=0.1)
        assert min(made.validation) > 0.97 and min(made.remaining) > 0.85
        assert made.measured()["validation"] == dict(zip(("a0", "a1"), made.validation, strict=True))

    def test_the_sign_of_the_distance_is_the_attribute(self) -> None:
        pairs, _ = planted()
        made = fit_boundaries(pairs, share=0.2)
        assert ((made(pairs.z) > 0) == (pairs.c > 0)).float().mean() > 0.85

    def test_a_seed_repeats(self) -> None:
        pairs, _ = planted()
        one, same, other = (fit_boundaries(pairs, share=0.05, seed=seed).normals for seed in (1, 1, 2))
        assert torch.equal(one, same) and not torch.equal(one, other)

    def test_an_attribute_that_never_differs(self) -> None:
        pairs, _ = planted(50)
        pairs.c[:, 1] = 0.25
        with pytest.raises(BadValueError, match="the pairs hold no contrast in 'a1': sample more, or leave it out"):
            fit_boundaries(pairs)

    def test_without_scikit_learn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "sklearn.svm", None)
        with pytest.raises(SGFError, match=r"needs scikit-learn: pip install 'sgf-hub\[train\]'"):
            fit_boundaries(planted(50)[0], share=0.1)


class TestConditional:
    made = boundaries_of(torch.randn(6, 10, generator=torch.Generator().manual_seed(3)))

    def test_one_condition_in_closed_form(self) -> None:
        a, b = self.made.normals[:2]
        expected = a - (a @ b) * b
        torch.testing.assert_close(self.made.normal("a0", ["a1"]), expected / expected.norm())

    def test_orthogonal_to_any_number(self) -> None:
        found = self.made.normal("a0", [f"a{i}" for i in range(1, 6)])
        assert (self.made.normals[1:] @ found).abs().max() < 1e-6
        assert found.norm().item() == pytest.approx(1) and found @ self.made.normals[0] > 0

    def test_conditions_that_repeat_each_other_cost_nothing(self) -> None:
        normals = torch.cat([self.made.normals[:2], self.made.normals[1:2], -self.made.normals[1:2]])
        torch.testing.assert_close(
            boundaries_of(normals).normal("a0", ["a1", "a2", "a3"]), self.made.normal("a0", ["a1"])
        )

    def test_nothing_left(self) -> None:
        with pytest.raises(BadValueError, match="nothing is left of the direction of 'a0' once a1, a2 are held"):
            boundaries_of(torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])).normal("a0", ["a1", "a2"])


class TestFiles:
    def test_round_trip(self, tmp_path: Path) -> None:
        made = boundaries_of(torch.randn(2, 5, generator=torch.Generator().manual_seed(0)), ["smile", "hat"])
        made.write_npy(tmp_path)
        raw = np.load(tmp_path / "smile.npy", allow_pickle=False)
        assert raw.shape == (1, 5) and raw.dtype == np.float32 and np.linalg.norm(raw) == pytest.approx(1)
        read = Boundaries.read_npy({name: tmp_path / f"{name}.npy" for name in ("hat", "smile")}, **NAMES)
        assert read.attributes == ("hat", "smile") and read.latent_dim == 5
        torch.testing.assert_close(read.normals, made.normals.flip(0))

    def test_as_a_repo(self, tmp_path: Path) -> None:
        made = fit_boundaries(planted(400)[0], share=0.1)
        made.save_pretrained(tmp_path / "repo")
        read = Boundaries.from_pretrained(tmp_path / "repo")
        assert torch.equal(read.normals, made.normals) and torch.equal(read.intercepts, made.intercepts)
        assert (read.validation, read.generator_name) == (made.validation, "sgf-hub/plain")

    @pytest.mark.parametrize(
        "change",
        [{"attributes": ["a0"]}, {"validation": [1]}, {"latent_dim": 10**9}, {"latent_space": "x"}, {"generator": 3},
         {"predictor": "x"}, {"validation": 3}, {"remaining": "ab"}],
    )  # fmt: skip
    def test_hostile_configs(self, tmp_path: Path, change: dict) -> None:
        boundaries_of(torch.eye(3)).save_pretrained(tmp_path / "repo")
        edit_config(tmp_path / "repo", **change)
        with pytest.raises(CorruptFileError) as caught:
            Boundaries.from_pretrained(tmp_path / "repo")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (np.ones(4, np.float32), r"has shape \[4\]; a boundary has \[1, dimensions\]"),
            (np.ones((2, 4), np.float32), r"has shape \[2, 4\]"),
            (np.ones((1, 0), np.float32), r"has shape \[1, 0\]"),
            (np.array([[1, np.nan]], np.float32), "not finite"),
            (np.array([[1, 1e300]]), "not finite"),
            (np.zeros((1, 4), np.float32), "is zero everywhere: it points nowhere"),
            (np.ones((1, 4), np.int64), "it holds no floating-point numbers"),
            (np.array([["a"]]), "it holds no floating-point numbers"),
            (np.array([[{}]], dtype=object), "it holds Python objects, which are not read"),
        ],
    )
    def test_arrays_that_are_no_boundary(self, tmp_path: Path, array: np.ndarray, message: str) -> None:
        np.save(tmp_path / "x.npy", array, allow_pickle=True)
        with pytest.raises(CorruptFileError, match=message):
            Boundaries.read_npy({"smile": tmp_path / "x.npy"}, **NAMES)

    def test_files_that_are_no_array(self, tmp_path: Path) -> None:
        whole = io.BytesIO()
        np.save(whole, np.ones((1, 4), np.float32))
        good = whole.getvalue()
        huge = good.replace(b"(1, 4), }          ", b"(1, 40000000000), }")  # a header that is well formed, and lies
        assert len(huge) == len(good) and huge != good
        for data in (b"", b"\x93NUMPY", good[:-1], good[:40], good + b"x", pickle.dumps({"a": 1}), huge, b"\0" * 99,
                     good.replace(b"(1, 4)", b"(1,-4)"), good.replace(b"<f4", b"|V4")):  # fmt: skip
            (tmp_path / "x.npy").write_bytes(data)
            with pytest.raises(CorruptFileError, match=r"x\.npy cannot be read as \.npy \(") as caught:
                Boundaries.read_npy({"smile": tmp_path / "x.npy"}, **NAMES)
            assert "\n" not in str(caught.value)
        with pytest.raises(CorruptFileError, match="none.npy cannot be read"):
            Boundaries.read_npy({"smile": tmp_path / "none.npy"}, **NAMES)

    def test_too_large(self, tmp_path: Path) -> None:
        with open(tmp_path / "x.npy", "wb") as file:
            file.truncate(2**29)
        with pytest.raises(CorruptFileError, match="x.npy is larger than 256 MB: that is more than is read"):
            Boundaries.read_npy({"smile": tmp_path / "x.npy"}, **NAMES)

    def test_of_different_spaces(self, tmp_path: Path) -> None:
        boundaries_of(torch.eye(4)[:1], ["a"]).write_npy(tmp_path)
        boundaries_of(torch.eye(5)[:1], ["b"]).write_npy(tmp_path)
        with pytest.raises(CorruptFileError, match="of different latent spaces: a 4, b 5 dimensions"):
            Boundaries.read_npy({name: tmp_path / f"{name}.npy" for name in "ab"}, **NAMES)

    def test_none(self) -> None:
        with pytest.raises(BadValueError, match="no boundary was given"):
            Boundaries.read_npy({}, **NAMES)


SPEC = ConditionSpec(("smile", "black", "blond"), groups=(("black", "blond"),))
SLANTED = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.2, 0.0, 1.0]])


def editor_of(
    conditions=(), spec: ConditionSpec = SPEC, space: str = "w", step_size: float | None = 0.5
) -> InterFaceGANEditor:
    made = boundaries_of(SLANTED, ["smile", "black", "blond"], latent_space=space)
    networks = PlainGenerator(3, space), PlainPredictor(torch.eye(3), spec)
    return InterFaceGANEditor(*networks, made, conditions=conditions, step_size=step_size)


class TestPath:
    start = Latent(torch.tensor([[-0.5, 0.1, 0.2], [0.5, 0.1, 0.2], [0.0, 0.3, 0.1]]), "w")

    def path(self, editor: InterFaceGANEditor, target, config: EditConfig = STEPS) -> torch.Tensor:
        return torch.stack([step.latent.data for step in editor.steps(self.start, target, config)])

    def test_straight_on_up_or_down_as_asked(self) -> None:
        c1 = self.start.data.clone()
        c1[:, 0] = torch.tensor([1.0, -1.0, 0.0])  # the third is there already
        found = self.path(editor_of(), towards(c1.tolist(), [True, False, False]))
        normal = SLANTED[0] / SLANTED[0].norm()
        move = 0.5 * torch.tensor([1.0, -1, 0])[:, None] * normal
        torch.testing.assert_close(found, self.start.data + torch.arange(4.0)[:, None, None] * move)

    def test_several_asked_add_up(self) -> None:
        normals = torch.nn.functional.normalize(SLANTED, dim=1)
        moved = self.path(editor_of(), {"smile": 1, "black": 0}).diff(dim=0)[0]
        torch.testing.assert_close(moved, 0.5 * (normals[0] - normals[1]).expand(3, 3))

    def test_named_conditions_are_kept(self) -> None:
        editor = editor_of(["black"])
        before, after = self.path(editor, {"smile": 1})[[0, -1]]
        torch.testing.assert_close(editor.boundaries(after)[:, 1], editor.boundaries(before)[:, 1])
        assert (editor.boundaries(after)[:, 0] - editor.boundaries(before)[:, 0]).min() > 1

    def test_all_that_is_held_is_a_condition(self) -> None:
        editor = editor_of("all")
        before, after = self.path(editor, {"smile": 1})[[0, -1]]
        torch.testing.assert_close(editor.boundaries(after)[:, 1:], editor.boundaries(before)[:, 1:])

    def test_siblings_asked_and_released_are_not(self) -> None:
        editor = editor_of("all")
        held = self.path(editor, {"black": 1}).diff(dim=0)[0, 0]
        torch.testing.assert_close(held / 0.5, editor.boundaries.normal("black", ["smile"]))  # not blond
        target = editor.predictor.target(self.start.data, release=["smile"], black=1)
        torch.testing.assert_close(self.path(editor, target).diff(dim=0)[0, 0] / 0.5, editor.boundaries.normal("black"))

    def test_it_stops_at_the_target(self) -> None:
        trajectory = edit(editor_of(step_size=0.05), self.start, {"smile": 0.75}, EditConfig.paper(max_steps=60))
        assert (trajectory.result.c[:, 0] - 0.5).abs().max() <= 0.2

    def test_in_z(self) -> None:
        latent = Latent(torch.zeros(1, 3), "z")
        assert edit(editor_of(space="z"), latent, {"smile": 1}, STEPS).result.latent.space == "z"

    def test_the_sweep_follows_the_spread_of_the_latents(self) -> None:
        editor = editor_of(step_size=None)  # latents of standard deviation 0.8
        assert editor.step_size == pytest.approx(0.7 * 0.8, rel=0.05)
        assert editor_of("all", step_size=None).step_size == pytest.approx(0.8, rel=0.05)


class TestMistakes:
    def test_another_space(self) -> None:
        with pytest.raises(SpaceError) as caught:
            InterFaceGANEditor(PlainGenerator(3, "z"), PlainPredictor(torch.eye(3)), boundaries_of(SLANTED))
        assert str(caught.value) == (
            "these directions move 'w' of 3 dimensions, the generator has 'z' of 3: use the generator they were fitted "
            "on, sgf-hub/plain."
        )

    def test_an_unknown_condition(self) -> None:
        with pytest.raises(UnknownNameError, match=r"no boundary for 'smle' is here \(did you mean 'smile'\?\)"):
            editor_of(["smle"])

    def test_an_attribute_without_a_boundary(self) -> None:
        editor = editor_of(spec=ConditionSpec(("smile", "hat", "blond")))
        with pytest.raises(UnknownNameError, match="no direction was fitted for 'hat'. There are: smile, black, blond"):
            edit(editor, TestPath.start, {"hat": 1}, STEPS)

    def test_a_keypoint(self) -> None:
        editor = editor_of(spec=ConditionSpec(("smile",), ("nose",)))
        with pytest.raises(BadValueError, match="this method edits attributes only: ask for no keypoint"):
            edit(editor, TestPath.start, {"nose": (0.5, 0.5)}, STEPS)
