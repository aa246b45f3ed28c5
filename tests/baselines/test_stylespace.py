"""Channels of StyleSpace: which are found, and how they move."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sgf_hub.baselines import StyleChannels, StyleSpaceEditor, baseline, fit_channels
from sgf_hub.baselines.channels import candidates
from sgf_hub.editing import EditConfig, SGFEditor, edit
from sgf_hub.errors import BadValueError, CorruptFileError, SpaceError
from sgf_hub.types import Latent
from tests.baselines.toys import channels_of, pairs_of, sampled_pairs, towards
from tests.toys import PlainGenerator, PlainPredictor, edit_config

STEPS = EditConfig.paper(max_steps=3, tolerance=0.0)
MIX = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(4))).Q
NOTHING = {"latent_dim": 6}


class StyledGenerator(PlainGenerator):
    """Its styles mix all of w, and its pictures show them."""

    num_layers = 3
    style_dim = 6
    style_rows = torch.tensor([0, 0, 1, 1, 2, 2])

    def __init__(self) -> None:
        super().__init__(6, layers=3)

    def to_s(self, latent: Latent) -> Latent:
        if latent.space == "s":
            return latent
        rows = self.to_w_plus(latent).data if latent.space == "w" else latent.data
        return Latent((rows @ MIX)[:, self.style_rows, torch.arange(6)], "s")

    def synthesize(self, latent: Latent, *, resolution: int | None = None) -> Tensor:
        return super().synthesize(self.to_s(latent), resolution=resolution)


G = StyledGenerator()


class TestFit:
    def test_the_relevance_of_channels(self) -> None:
        rng = torch.Generator().manual_seed(0)
        styles = torch.randn(1000, 5, generator=rng) * torch.tensor([1.0, 5, 1, 1, 1]) + 3
        present = torch.arange(1000) < 300
        styles[present, 3] += 10  # the surest
        styles[present, 1] -= 8
        found = candidates(styles, present)
        singles, two = found[:4], found[4]
        assert [row.nonzero().flatten().tolist() for row in singles[:2]] == [[3], [1]]
        std = styles.std(dim=0)
        assert singles[0, 3].item() == pytest.approx(std[3]) and singles[1, 1].item() == pytest.approx(-std[1])
        assert set(two.nonzero().flatten().tolist()) == {1, 3}
        assert (two / std).norm().item() == pytest.approx(1)
        assert len(found) == 4 + 2  # no more together than there are

    def test_it_finds_the_channel_that_draws_an_attribute(self) -> None:
        matrix = torch.zeros(2, 6)
        matrix[0, 4], matrix[1, 1] = 2, -2
        predictor = PlainPredictor(matrix)
        made = fit_channels(G, predictor, sampled_pairs(G, predictor, 400))
        expected = torch.zeros(2, 6)
        expected[0, 4], expected[1, 1] = 1, -1
        torch.testing.assert_close(torch.nn.functional.normalize(made.directions, dim=1), expected)
        assert made.measured()["channels"] == {"a0": 1, "a1": 1} and min(made.scores) > 0.8

    def test_an_attribute_of_two_channels_gets_both(self) -> None:
        # neither reaches it alone
        matrix = torch.zeros(2, 6)
        matrix[0, :2] = 1
        matrix[1, 3] = 1

        class Both(PlainPredictor):
            def forward(self, images: Tensor) -> Tensor:
                s = images.flatten(1)[:, :6]
                return torch.stack([torch.minimum(s[:, 0], s[:, 1]).clamp(-1, 1), s[:, 3].clamp(-1, 1)], dim=1)

        predictor = Both(matrix)
        made = fit_channels(G, predictor, sampled_pairs(G, predictor, 600))
        assert {0, 1} <= set(made.directions[0].nonzero().flatten().tolist())

    def test_a_seed_repeats(self) -> None:
        predictor = PlainPredictor(torch.eye(6)[:2])
        pairs = sampled_pairs(G, predictor, 200)
        one, same = (fit_channels(G, predictor, pairs, seed=3).directions for _ in range(2))
        assert torch.equal(one, same)

    def test_an_attribute_that_never_differs(self) -> None:
        predictor = PlainPredictor(torch.zeros(1, 6))
        with pytest.raises(BadValueError, match="the pairs hold no contrast in 'a0': sample more, or leave it out"):
            fit_channels(G, predictor, pairs_of(torch.randn(20, 6), torch.zeros(20, 1)))

    def test_as_a_repo(self, tmp_path: Path) -> None:
        made = channels_of(torch.eye(6)[:2], ["x", "y"], scores=[0.5, 1.0], **NOTHING)
        made.save_pretrained(tmp_path / "repo")
        read = StyleChannels.from_pretrained(tmp_path / "repo")
        assert torch.equal(read.directions, made.directions) and read.scores == (0.5, 1.0)

    @pytest.mark.parametrize(
        "change", [{"styles": 0}, {"styles": 7}, {"latent_space": "z"}, {"scores": [1]}, {"attributes": "x"}]
    )
    def test_hostile_configs(self, tmp_path: Path, change: dict) -> None:
        channels_of(torch.eye(6)[:2], ["x", "y"], **NOTHING).save_pretrained(tmp_path / "repo")
        edit_config(tmp_path / "repo", **change)
        with pytest.raises(CorruptFileError) as caught:
            StyleChannels.from_pretrained(tmp_path / "repo")
        assert "\n" not in str(caught.value)


def editor_of() -> StyleSpaceEditor:
    directions = torch.zeros(2, 6)
    directions[0, 0], directions[1, 2:4] = 2, -1
    made = channels_of(directions, ["a0", "a1"], **NOTHING)
    return StyleSpaceEditor(G, PlainPredictor(torch.eye(6)[[0, 2]]), made, step_size=0.5)


class TestPath:
    start = Latent(torch.randn(3, 6, generator=torch.Generator().manual_seed(0)), "w")

    def moved(self, target, config: EditConfig = STEPS, latent: Latent = start) -> Tensor:
        steps = list(editor_of().steps(latent, target, config))
        assert all(step.latent.space == "s" for step in steps)
        return torch.stack([step.latent.data for step in steps]).diff(dim=0)

    def test_equal_steps_up_or_down(self) -> None:
        target = towards([[9.0, 0], [-9, 0], [9, 0]], [True, False])
        expected = torch.zeros(3, 3, 6)
        expected[..., 0] = torch.tensor([1.0, -1, 1])
        torch.testing.assert_close(self.moved(target), expected)

    def test_several_at_once(self) -> None:
        step = self.moved(towards([[9.0, 9.0]] * 3, [True, True]))[0, 0]
        assert step.tolist() == pytest.approx([1, 0, -0.5, -0.5, 0, 0])

    def test_layers(self) -> None:
        target = towards([[9.0, 9.0]] * 3, [True, True])
        config = EditConfig.paper(layers=(1, 2), max_steps=1, tolerance=0.0)
        assert (self.moved(target, config)[0, 0] != 0).tolist() == [False, False, True, True, False, False]

    def test_an_edit_of_an_edit(self) -> None:
        first = edit(editor_of(), self.start, towards([[9.0, 0]] * 3, [True, False]), STEPS).result.latent
        second = edit(editor_of(), first, towards([[0.0, 9]] * 3, [False, True]), STEPS)
        assert torch.equal(second.first.latent.data, first.data)

    def test_latents_by_layer(self) -> None:
        plus = G.to_w_plus(self.start)
        target = towards([[9.0, 0]] * 3, [True, False])
        torch.testing.assert_close(self.moved(target, latent=plus), self.moved(target))


class TestWhoTakesStyles:
    def test_generators_without(self) -> None:
        def never():
            raise AssertionError("no pairs are needed")

        plain = PlainGenerator(3)
        with pytest.raises(
            BadValueError, match="'stylespace' moves the styles of a StyleGAN2, and sgf-hub/plain has n"
        ):
            baseline("stylespace", plain, PlainPredictor(torch.eye(3)), generator_name="sgf-hub/plain", pairs=never)
        with pytest.raises(SpaceError, match="these channels are of 6 styles, the generator has 0: use the generator"):
            StyleSpaceEditor(PlainGenerator(6), PlainPredictor(torch.eye(6)), channels_of(torch.eye(6), list("abcdef"),
                             **NOTHING))  # fmt: skip

    def test_a_mapping_refuses_them(self, in_toy_zoo: Path) -> None:
        editor = SGFEditor.from_pretrained("sgf-toy-attributes")
        styles = editor.generator.to_s(editor.generator.sample(1, seed=0))  # type: ignore[attr-defined]
        with pytest.raises(SpaceError, match="^latent is in space 's', this editor moves 'w': give one in 'w'.$"):
            edit(editor, styles, {"smile": 1})
