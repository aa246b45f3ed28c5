"""Points that follow those that are moved: the most probable change, by hand and in an edit."""

from dataclasses import replace

import pytest
import torch

from sgf_hub.data.pairs import PairsInfo
from sgf_hub.editing import EditConfig, SGFEditor
from sgf_hub.editing.statistics import following as following_module
from sgf_hub.editing.statistics.following import fit_factors, followed
from sgf_hub.training.mapping import PRESETS, mapping_for
from sgf_hub.types import ConditionSpec, Target
from tests.toys import coupled_editor, toy_mapping

SPEC = ConditionSpec(("smile",), ("left", "right"))  # c: smile, left.x, left.y, right.x, right.y


def target(c0: torch.Tensor, released: tuple[int, ...] = (), **asked: float) -> Target:
    c1, mask, free = c0.clone(), torch.zeros(5, dtype=torch.bool), torch.zeros(5, dtype=torch.bool)
    for name, change in asked.items():
        mask[SPEC.index(name)] = True
        c1[:, SPEC.index(name)] += torch.tensor([0.0, change]) if name in SPEC.keypoints else change
    free[list(released)] = True
    return Target(c1, mask, free)


class TestFactors:
    def test_they_are_the_principal_directions(self) -> None:
        rng = torch.Generator().manual_seed(0)
        u = torch.randn(4000, 2, generator=rng)
        c = u @ torch.tensor([[3.0, 0.0, 4.0], [0.0, 1.0, 0.0]])
        factors = fit_factors(c, 2)
        assert factors.shape == (3, 2)
        assert factors.norm(dim=0).tolist() == pytest.approx([5, 1], rel=0.05)
        assert factors @ factors.T == pytest.approx(torch.cov(c.T), abs=1e-3)


class TestFollowed:
    def test_the_most_probable_change(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # one direction: both points go down together, .1 a unit of u. left.y is asked to fall by .05 and seen to .001,
        # right.y to stay and seen to .05 (it is at no distance): u = (.05 * .1 / .001^2) / (1 + .1^2 / .001^2 + .1^2 /
        # .05^2) = 5000 / 10005 = .49975, so right.y goes down by .049975
        monkeypatch.setattr(following_module, "_HELD_NEAR", 0.05)
        factors = torch.tensor([[0.0], [0.0], [0.1], [0.0], [0.1]])
        c0 = torch.tensor([[0.2, 0.5, 0.5, 0.5, 0.5]])
        found = followed(factors, SPEC, c0, target(c0, left=0.05))
        assert found.c[0].tolist() == pytest.approx([0.2, 0.5, 0.55, 0.5, 0.549975], abs=1e-6)

    def test_what_is_far_is_held_more(self) -> None:
        factors = torch.tensor([[0.0], [0.0], [0.02], [0.0], [0.02]])
        near, far = torch.tensor([[0.0, 0.5, 0.5, 0.5, 0.5], [0.0, 0.5, 0.5, 0.5, 0.95]]).split(1)
        moved = [followed(factors, SPEC, c0, target(c0, left=0.02)).c[0, 4] - c0[0, 4] for c0 in (near, far)]
        assert moved[0] > moved[1] > 0

    def test_what_is_released_says_nothing(self) -> None:
        factors = torch.tensor([[1.0], [0.0], [0.02], [0.0], [0.0]])  # a smile goes with the left point
        c0 = torch.tensor([[-0.9, 0.5, 0.5, 0.5, 0.5]])
        held = followed(factors, SPEC, c0, target(c0, left=0.001)).c[0, 0]
        free = followed(factors, SPEC, c0, target(c0, released=(0,), left=0.001)).c[0, 0]
        assert free > held > -0.9

    def test_scores_stay_scores_and_points_stay_asked(self) -> None:
        factors = torch.tensor([[9.0], [0.0], [0.02], [0.0], [0.0]])
        c0 = torch.tensor([[0.9, 0.5, 0.5, 0.5, 0.5]])
        found = followed(factors, SPEC, c0, target(c0, released=(0,), left=0.02))
        assert found.c[0].tolist() == pytest.approx([1, 0.5, 0.52, 0.5, 0.5])

    def test_an_asked_attribute_takes_points_along(self) -> None:
        factors = torch.tensor([[1.0], [0.0], [0.01], [0.0], [0.0]])
        c0 = torch.tensor([[-0.5, 0.5, 0.5, 0.5, 0.5]])
        both = followed(factors, SPEC, c0, target(c0, smile=1.0, right=0.01))
        assert both.c[0, 2] > 0.505

    @pytest.mark.parametrize("asked", [{"smile": 1.0}, {"left": 0.1, "right": 0.1}])
    def test_nothing_to_follow(self, asked: dict[str, float]) -> None:
        c0 = torch.full((1, 5), 0.5)
        given = target(c0, **asked)
        assert followed(torch.ones(5, 1), SPEC, c0, given) is given

    def test_sample_by_sample(self) -> None:
        rng = torch.Generator().manual_seed(3)
        c0, factors = torch.rand(4, 5, generator=rng), torch.randn(5, 3, generator=rng) * 0.05
        given = target(c0, left=0.03)
        whole = followed(factors, SPEC, c0, given).c
        for b in range(4):
            alone = followed(factors, SPEC, c0[b : b + 1], replace(given, c=given.c[b : b + 1])).c
            assert alone[0].tolist() == pytest.approx(whole[b].tolist(), abs=1e-6)


def test_mappings_keep_the_factors(tmp_path) -> None:
    from sgf_hub.mapping import SGFMapping

    mapping = toy_mapping(latent_statistics=True, condition_factors=2)
    assert mapping.config()["format"] == 4
    mapping.c_factors.copy_(torch.arange(mapping.c_factors.numel()).view_as(mapping.c_factors) / 8)
    mapping.save_pretrained(tmp_path)
    again = SGFMapping.from_pretrained(str(tmp_path))
    assert again.c_factors.tolist() == mapping.c_factors.tolist()


def test_an_edit_follows(coupled) -> None:
    editor: SGFEditor = coupled
    latent = editor.generator.sample(4, seed=1)
    asked = target(editor.predictor(editor.generator.synthesize(latent)), left=0.1)
    seen: list[torch.Tensor] = []

    class Watching:
        def begin(self, edit):
            seen.append(edit.target.c)
            return lambda state: torch.zeros_like(state.z)

    for config in (EditConfig(max_steps=1), EditConfig(max_steps=1, follow=False)):
        editor.with_stepping(Watching()).edit(latent, asked, config)
    assert (seen[0][:, 4] - asked.c[:, 4] > 0.05).all()
    assert seen[1].tolist() == asked.c.tolist()


@pytest.fixture
def coupled() -> SGFEditor:
    editor = coupled_editor(torch.eye(5), SPEC)
    vars(editor.mapping).update(condition_factors=1, c_factors=torch.tensor([[0.0], [0.0], [0.2], [0.0], [0.2]]))
    return editor


def test_mappings_with_keypoints_are_trained_with_them() -> None:
    def kept(spec: ConditionSpec) -> int:
        info = PairsInfo("g", ("p",), "w", spec, 0.8, 0)
        return mapping_for(PRESETS["fast"], info, 8).condition_factors

    assert kept(SPEC) == 5 and kept(ConditionSpec(("smile",))) == 0
    assert kept(ConditionSpec((), tuple(f"point{i}" for i in range(20)))) == 32
