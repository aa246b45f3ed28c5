"""Latent classifiers and the flow of their energy: the fit, the drift in closed form, and what edits arrive at."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.baselines import LACEEditor, LatentClassifiers, classifiers, fit_classifiers, lace
from sgf_hub.baselines.lace import Flow, choose_settings
from sgf_hub.editing import EditConfig, edit
from sgf_hub.errors import BadValueError, CorruptFileError, SpaceError, UnknownNameError
from sgf_hub.types import ConditionSpec, Latent
from tests.baselines.toys import NAMES, classifiers_of, pairs_of, sampled_pairs
from tests.toys import PlainGenerator, PlainPredictor, edit_config

EVERYONE = torch.ones(3, dtype=torch.bool)


class Saturated(PlainPredictor):
    """c = tanh(2 M z): a probability is the sigmoid of 4 M z."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(2 * super().forward(images))


def linear(slopes: Tensor, attributes: list[str] | None = None, **changes: object) -> LatentClassifiers:
    """Classifiers whose log-odds are slopes z: silu(x) - silu(-x) = x."""
    count, size = slopes.shape
    made = LatentClassifiers(
        **{**NAMES, "latent_dim": size, "attributes": attributes or [f"a{i}" for i in range(count)], "width": 2 * count,
           **changes}
    )  # fmt: skip
    both = torch.cat([torch.eye(count), -torch.eye(count)])
    for layer, weight in zip(made.layers, (both @ slopes, both @ both.T, both.T), strict=True):
        layer.weight.data.copy_(weight)
        layer.bias.data.zero_()
    return made.requires_grad_(False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "_STEPS", 300)


def planted(count: int = 3000, size: int = 6):
    rng = torch.Generator().manual_seed(0)
    directions = torch.linalg.qr(torch.randn(size, 2, generator=rng)).Q.T
    z = torch.randn(count, size, generator=rng) * torch.linspace(0.5, 2, size) + 1
    return pairs_of(z, torch.tanh(2 * (z - 1) @ directions.T)), directions


@pytest.mark.usefixtures("quick")
class TestFit:
    def test_it_finds_planted_directions(self) -> None:
        pairs, directions = planted()
        made = fit_classifiers(pairs)
        assert min(made.validation) > 0.95 and made.measured()["validation"].keys() == {"a0", "a1"}
        u = made.whitened(pairs.z)
        torch.testing.assert_close(torch.cov(u.T), torch.eye(6), atol=0.05, rtol=0)
        _, slopes = made.linearised(u[:200])
        # the slope by u of directions (m + L u) is L^T directions
        cosines = F.cosine_similarity(slopes, directions @ made.factor, dim=2)
        assert cosines.mean() > 0.9

    def test_a_seed_repeats(self) -> None:
        pairs, _ = planted(200)
        one, same, other = (fit_classifiers(pairs, seed=seed).state_dict() for seed in (1, 1, 2))
        assert all(torch.equal(one[key], same[key]) for key in one)
        assert not torch.equal(one["layers.0.weight"], other["layers.0.weight"])

    def test_an_attribute_that_never_differs(self) -> None:
        pairs, _ = planted(50)
        pairs.c[:, 1] = 0.25
        with pytest.raises(BadValueError, match="the pairs hold no contrast in 'a1': sample more, or leave it out"):
            fit_classifiers(pairs)

    def test_as_a_repo(self, tmp_path: Path) -> None:
        made = classifiers_of(4, ["x", "y"], validation=[0.5, 1.0]).with_settings(0.25, 0.5, 0.75)
        made.save_pretrained(tmp_path / "repo")
        read = LatentClassifiers.from_pretrained(tmp_path / "repo")
        assert (read.held, read.near, read.score, read.validation) == (0.25, 0.5, 0.75, (0.5, 1.0))
        u = torch.randn(3, 4)
        assert torch.equal(read(u), made(u))

    @pytest.mark.parametrize(
        "change", [{"width": 0}, {"held": -1}, {"near": "x"}, {"score": 2}, {"validation": [1]}, {"width": 10**9},
                   {"latent_space": "s"}, {"attributes": ["x", "y", "z"]}],
    )  # fmt: skip
    def test_hostile_configs(self, tmp_path: Path, change: dict) -> None:
        classifiers_of(4, ["x", "y"]).save_pretrained(tmp_path / "repo")
        edit_config(tmp_path / "repo", **change)
        with pytest.raises(CorruptFileError) as caught:
            LatentClassifiers.from_pretrained(tmp_path / "repo")
        assert "\n" not in str(caught.value)


class TestFlow:
    made = classifiers_of(5, ["x", "y", "w"]).double()
    z0, z = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1)).double().unbind()
    wanted = torch.tensor([[1.0, 0, 0.5], [0, 0.2, 0], [1, 1, 1]]).double()
    asked = torch.tensor([[1.0, 0, 1], [1, 0, 0], [0, 1, 0]]).double()
    held = torch.tensor([[0.0, 1, 0], [0, 1, 0], [1, 0, 1]]).double()

    def energy(self, u: Tensor) -> Tensor:
        f, u0 = self.made(u), self.made.whitened(self.z0)
        entropy = F.binary_cross_entropy_with_logits(f, self.wanted, reduction="none")
        apart = (f - self.made(u0)).square()
        each = (self.asked * entropy + self.made.held * self.held * apart).sum(dim=1)
        return each + self.made.near * (u - u0).square().sum(dim=1)

    def test_the_drift_is_the_energys_descent(self) -> None:
        flow = Flow(self.made, self.z0, self.wanted, self.asked, self.held)
        u = self.made.whitened(self.z).requires_grad_()
        drift, bend = flow.drift(u.detach(), EVERYONE)
        torch.testing.assert_close(drift, -torch.autograd.grad(self.energy(u).sum(), u)[0])
        assert (self.energy(u + drift / bend[:, None]) < self.energy(u)).all()

    def test_some_of_the_samples(self) -> None:
        flow = Flow(self.made, self.z0, self.wanted, self.asked, self.held)
        rows = torch.tensor([True, False, True])
        torch.testing.assert_close(flow(self.z[rows], rows), flow(self.z, EVERYONE)[rows])

    def test_whitening_and_slopes(self) -> None:
        z = self.made.whitened(self.z) @ self.made.factor.T + self.made.mean
        torch.testing.assert_close(z, self.z)
        u = self.made.whitened(self.z)
        f, slopes = self.made.linearised(u)
        torch.testing.assert_close(f, self.made(u))
        torch.testing.assert_close(slopes, torch.func.vmap(torch.func.jacrev(self.made))(u))

    def test_by_hand(self) -> None:
        """One attribute along the first axis, f = 3 z_0: the slope of log p is 3 (1 - p)."""
        made = linear(torch.tensor([[3.0, 0.0]]))
        one = torch.ones(1, 1)
        flow = Flow(made, torch.zeros(1, 2), one, one, 0 * one)
        drift, bend = flow.drift(torch.zeros(1, 2), EVERYONE[:1])
        assert drift[0].tolist() == pytest.approx([1.5, 0]) and bend.tolist() == pytest.approx([9 / 4])

    def test_no_step_is_longer_than_said(self) -> None:
        made = linear(torch.tensor([[0.1, 0.0]]))
        one = torch.ones(1, 1)
        flow = Flow(made, torch.zeros(1, 2), one, one, 0 * one, step_size=0.5)
        assert flow(torch.zeros(1, 2), EVERYONE[:1])[0].tolist() == pytest.approx([0.5, 0], abs=1e-4)


SLOPES = torch.tensor([[4.0, 0, 0], [0, 4, 0], [0, 3, 3]])  # a2 moves with a1
CONFIG = EditConfig(max_steps=60, patience=None)


def editor_of(held: float = 0.0, near: float = 0.0, space: str = "w", slopes: Tensor = SLOPES) -> LACEEditor:
    made = linear(slopes, held=held, near=near, latent_space=space)
    return LACEEditor(PlainGenerator(3, space), Saturated(slopes / 4), made)


class TestEdits:
    @pytest.mark.parametrize("space", ["w", "z"])
    def test_several_attributes_at_once_arrive(self, space: str) -> None:
        editor = editor_of(space=space)
        latent = Latent(torch.tensor([[-1.0, 1, 0], [0.5, -0.4, 1], [-2, 0.2, 0]]), space)
        done = edit(editor, latent, {"a0": 1, "a1": 0}, CONFIG)
        assert {reason.value for reason in done.reasons} == {"target reached"}
        assert (done.result.c[:, 0] > 0.9).all() and (done.result.c[:, 1] < -0.9).all()

    def test_between_absent_and_present(self) -> None:
        result = edit(editor_of(), Latent(torch.full((1, 3), -1.0), "w"), {"a0": 0.3}, EditConfig.paper()).result
        assert result.c[0, 0].item() == pytest.approx(2 * 0.3 - 1, abs=0.2)

    def test_held_attributes_stay(self) -> None:
        latent = Latent(torch.tensor([[0.0, -1, 1.5]]), "w")
        loose, tight = (edit(editor_of(held), latent, {"a1": 1}, CONFIG) for held in (0.0, 0.1))
        assert tight.result.c[0, 1] > 0.9
        moved = [(run.result.c - run.first.c)[0, 2].abs().item() for run in (loose, tight)]
        assert moved[1] < 0.5 * moved[0]

    def test_released_attributes_do_not(self) -> None:
        editor, latent = editor_of(0.1), Latent(torch.tensor([[0.0, -1, 1.5]]), "w")
        target = editor.predictor.target(editor.predictor(editor.generator.synthesize(latent)), release=["a2"], a1=1)
        free = edit(editor, latent, target, CONFIG).result.latent.data
        loose = edit(editor_of(), latent, {"a1": 1}, CONFIG).result.latent.data
        torch.testing.assert_close(free, loose, atol=0.02, rtol=0)  # which differ by the lengths of the flow's steps

    def test_near_keeps_it_near(self) -> None:
        latent, config = Latent(torch.full((1, 3), -1.0), "w"), EditConfig.paper(max_steps=20, tolerance=0.0)
        far, near = (
            edit(editor_of(0.0, weight), latent, {"a0": 1}, config).result.latent.data for weight in (0.0, 0.2)
        )
        assert (near - latent.data).norm() < 0.9 * (far - latent.data).norm()

    def test_mistakes(self) -> None:
        with pytest.raises(SpaceError, match="use the generator they were fitted on, sgf-hub/plain"):
            LACEEditor(PlainGenerator(4), Saturated(torch.eye(4)), linear(SLOPES))
        more = Saturated(torch.eye(3), ConditionSpec(("a0", "a1", "hat")))
        with pytest.raises(UnknownNameError, match="no direction was fitted for 'hat'"):
            edit(LACEEditor(PlainGenerator(3), more, linear(SLOPES)), Latent(torch.zeros(1, 3), "w"), {"hat": 1})


def test_the_best_settings_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    # with such weights the edits get nowhere
    generator, predictor = PlainGenerator(3), Saturated(3 * torch.eye(3)[:2])
    made = linear(torch.tensor([[4.0, 3, 0], [0, 4, 0]]))
    monkeypatch.setattr(lace, "HELD", (3.0, 0.0))
    monkeypatch.setattr(lace, "NEAR", (30.0, 0.0))
    pairs = sampled_pairs(generator, predictor, 100)
    chosen = choose_settings(generator, predictor, made, pairs)
    assert (chosen.held, chosen.near) == (0.0, 0.0) and chosen.score > 0.9
    assert chosen.measured()["scores"] == {"all": chosen.score}
