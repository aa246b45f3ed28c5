"""Principal components: the fit, the public tool's files, the choice for an attribute, and the walk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sgf_hub.baselines import Choice, Components, GANSpaceEditor, choose, fit_components
from sgf_hub.baselines.choices import area, layer_ranges, short_list
from sgf_hub.editing import EditConfig, edit
from sgf_hub.errors import BadValueError, CorruptFileError, SpaceError, UnknownNameError
from sgf_hub.types import Latent
from tests.baselines.toys import NAMES, components_of, pairs_of, sampled_pairs, towards
from tests.toys import PlainGenerator, PlainPredictor, edit_config

STEPS = EditConfig.paper(max_steps=3, tolerance=0.0)
BASIS = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1))).Q
STDEV = torch.tensor([3.0, 2.0, 1.5, 1.0, 0.5, 0.2])


def spread_latents(count: int = 4000) -> Tensor:
    """Latents whose principal components are the rows of BASIS."""
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(2)) * STDEV @ BASIS + 1


class TestFit:
    def test_against_an_svd(self) -> None:
        z = spread_latents()
        made = fit_components(PlainGenerator(6), pairs_of(z, torch.zeros(len(z), 1)))
        _, sizes, axes = np.linalg.svd((z - z.mean(dim=0)).double().numpy(), full_matrices=False)
        cosines = (made.lat_comp.numpy() * axes).sum(axis=1)
        assert np.abs(cosines).min() > 0.999
        np.testing.assert_allclose(made.lat_stdev.numpy(), sizes / np.sqrt(len(z)), rtol=2e-3)
        np.testing.assert_allclose(made.var_ratio.numpy(), sizes**2 / (sizes**2).sum(), rtol=5e-3)
        torch.testing.assert_close(made.act_comp, made.lat_comp)
        torch.testing.assert_close(made.lat_mean, z.mean(dim=0))

    def test_coordinates_are_in_standard_deviations(self) -> None:
        z = spread_latents()
        made = fit_components(PlainGenerator(6), pairs_of(z, torch.zeros(len(z), 1)))
        torch.testing.assert_close(made(z).std(dim=0), torch.ones(6), rtol=1e-3, atol=0)
        assert made(z).mean(dim=0).abs().max() < 1e-3

    def test_random_directions_explain_less(self) -> None:
        z = spread_latents()
        made = fit_components(PlainGenerator(6), pairs_of(z, torch.zeros(len(z), 1)))
        assert made.random_stdevs.max() < made.act_stdev[0]

    def test_in_z_directions_are_regressed_on_the_first_activations(self) -> None:
        generator = PlainGenerator(4, "z")
        matrix = torch.randn(4, 9, generator=torch.Generator().manual_seed(3))
        generator.first_activations = lambda z: z @ matrix  # type: ignore[attr-defined]
        z = torch.randn(3000, 4, generator=torch.Generator().manual_seed(4))
        made = fit_components(generator, pairs_of(z, torch.zeros(len(z), 1), space="z"))
        assert made.act_comp.shape == (4, 9) and made.lat_comp.shape == (4, 4)
        moved = made.lat_comp @ matrix  # what a step along each does to the activations
        cosines = torch.nn.functional.cosine_similarity(moved, made.act_comp)
        assert cosines.min() > 0.999
        torch.testing.assert_close(made.lat_comp.norm(dim=1), torch.ones(4))
        torch.testing.assert_close(made.lat_stdev, torch.ones(4), rtol=0.1, atol=0)

    def test_in_z_without_activations(self) -> None:
        pairs = pairs_of(torch.randn(20, 4), torch.zeros(20, 1), space="z")
        with pytest.raises(BadValueError, match="needs a generator that gives `first_activations"):
            fit_components(PlainGenerator(4, "z"), pairs)


class TestFiles:
    def made(self) -> Components:
        z = spread_latents(200)
        made = fit_components(PlainGenerator(6), pairs_of(z, torch.zeros(200, 1)))
        return made.with_choices({"smile": Choice(2, (0, 3), -1, 0.5)})

    def test_round_trip(self, tmp_path: Path) -> None:
        made = self.made()
        made.write_npz(tmp_path / "x.npz")
        with np.load(tmp_path / "x.npz", allow_pickle=False) as raw:
            assert {key: raw[key].shape for key in raw} == {
                "act_comp": (6, 1, 6), "act_mean": (1, 6), "act_stdev": (6,), "lat_comp": (6, 1, 6),
                "lat_mean": (1, 6), "lat_stdev": (6,), "var_ratio": (6,), "random_stdevs": (6,),
            }  # fmt: skip
        read = Components.read_npz(tmp_path / "x.npz", **NAMES)
        for name, value in made.state_dict().items():
            torch.testing.assert_close(read.state_dict()[name], value)
        assert read.choices == {}

    def test_as_a_repo(self, tmp_path: Path) -> None:
        made = self.made()
        made.save_pretrained(tmp_path / "repo")
        read = Components.from_pretrained(tmp_path / "repo")
        assert read.choices == made.choices == {"smile": Choice(2, (0, 3), -1, 0.5)}
        assert all(torch.equal(value, read.state_dict()[name]) for name, value in made.state_dict().items())

    def test_activations_of_a_convolution_are_flattened(self, tmp_path: Path) -> None:
        arrays = {name: value.numpy() for name, value in self.made().state_dict().items()}
        arrays["act_comp"] = np.ones((6, 2, 3, 2), np.float32)
        arrays["act_mean"] = np.ones((1, 2, 3, 2), np.float32)
        np.savez(tmp_path / "x.npz", **arrays)
        assert Components.read_npz(tmp_path / "x.npz", **NAMES).act_comp.shape == (6, 12)

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("lat_comp", None, "lacks lat_comp: it holds no components"),
            ("lat_comp", np.ones((6, 1, 5), np.float32), "does not fit together: lat_comp holds 30 numbers"),
            ("lat_comp", np.zeros((6, 1, 6), np.float32), "a component that is zero everywhere"),
            ("lat_stdev", np.ones(7, np.float32), "does not fit together"),
            ("lat_stdev", np.ones(0, np.float32), "does not fit together"),
            ("lat_mean", np.full((1, 6), np.inf, np.float32), "lat_mean of x.npz holds numbers that are not finite"),
            ("var_ratio", np.array([{}] * 6, dtype=object), "cannot be read as .npz"),
            ("var_ratio", np.ones(6, np.int32), "it holds no floating-point numbers"),
        ],
    )
    def test_hostile_arrays(self, tmp_path: Path, key: str, value: np.ndarray | None, message: str) -> None:
        arrays = {name: array.numpy() for name, array in self.made().state_dict().items()}
        arrays = {**arrays, key: value} if value is not None else {k: v for k, v in arrays.items() if k != key}
        np.savez(tmp_path / "x.npz", **arrays)
        with pytest.raises(CorruptFileError, match=message) as caught:
            Components.read_npz(tmp_path / "x.npz", **NAMES)
        assert "\n" not in str(caught.value)

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        self.made().write_npz(tmp_path / "good.npz")
        good = (tmp_path / "good.npz").read_bytes()
        for data in (b"", b"PK", good[:-30], good[: len(good) // 2], good[:200] + b"\xff" * 50 + good[250:]):
            (tmp_path / "x.npz").write_bytes(data)
            with pytest.raises(CorruptFileError, match=r"x\.npz cannot be read as \.npz \("):
                Components.read_npz(tmp_path / "x.npz", **NAMES)

    def test_a_bomb(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sgf_hub.latents.arrays._LIMIT", 2**20)
        arrays = {name: value.numpy() for name, value in self.made().state_dict().items()}
        np.savez_compressed(tmp_path / "x.npz", **{**arrays, "act_comp": np.zeros(2**20, np.float32)})
        assert (tmp_path / "x.npz").stat().st_size < 2**14
        with pytest.raises(
            CorruptFileError, match="x.npz unfolds from [0-9,]+ to 4,[0-9,]+ bytes: that is more than is read"
        ):
            Components.read_npz(tmp_path / "x.npz", **NAMES)

    @pytest.mark.parametrize(
        "choice",
        [3, {}, {"component": 6}, {"component": -1}, {"component": "1"}, {"sign": 0}, {"layers": [0]}, {"layers": "ab"},
         {"layers": None}, {"layers": [0.5, 1]}, {"score": 2}, {"score": "x"}, {"more": 1}],
    )  # fmt: skip
    def test_hostile_choices(self, tmp_path: Path, choice: object) -> None:
        self.made().save_pretrained(tmp_path / "repo")
        good = {"component": 2, "layers": [0, 3], "sign": -1, "score": 0.5}
        whole = {**good, **choice} if isinstance(choice, dict) and choice else choice
        edit_config(tmp_path / "repo", choices={"smile": whole})
        with pytest.raises(CorruptFileError, match="the choice for 'smile' is not one"):
            Components.from_pretrained(tmp_path / "repo")

    @pytest.mark.parametrize("change", [{"choices": {}}, {"choices": []}, {"attributes": []}, {"components": 10**9}])
    def test_hostile_configs(self, tmp_path: Path, change: dict) -> None:
        self.made().save_pretrained(tmp_path / "repo")
        edit_config(tmp_path / "repo", **change)
        with pytest.raises(CorruptFileError):
            Components.from_pretrained(tmp_path / "repo")


class LayeredGenerator(PlainGenerator):
    """Dimension d of the latent is drawn as layer LAYERS[d] has it, squashed: a probability's score."""

    LAYERS = (0, 4, 6, 2, 1, 5)

    def __init__(self) -> None:
        super().__init__(6, layers=8)

    def synthesize(self, latent: Latent, *, resolution: int | None = None) -> Tensor:
        data = latent.data if latent.space == "w+" else latent.data.unsqueeze(1).expand(-1, self.layers, -1)
        shown = torch.stack([data[:, layer, d] for d, layer in enumerate(self.LAYERS)], dim=1)
        return super().synthesize(Latent(torch.tanh(shown), "w"))


class TestChoice:
    def test_it_finds_the_planted_component_layers_and_sign(self) -> None:
        # three attributes: of component 3 (drawn by layer 2), of component 1 reversed (layer 4), and two that share
        # component 0's axis but different layers
        generator = LayeredGenerator()
        matrix = torch.zeros(3, 6)
        matrix[0, 3], matrix[1, 1], matrix[2, 0] = 1, -1, 1
        predictor = PlainPredictor(matrix)
        made = components_of(torch.eye(6), [1.5, 1.4, 1.3, 1.2, 1.1, 1.0])
        found = choose(generator, predictor, made, sampled_pairs(generator, predictor, 500))
        assert {name: (c.component, c.sign) for name, c in found.items()} == {"a0": (3, 1), "a1": (1, -1), "a2": (0, 1)}
        assert all(choice.layers == (0, 8) and choice.score > 0.8 for choice in found.values())

    def test_a_range_that_leaves_others_alone_is_preferred(self) -> None:
        # one direction draws a0 in layer 0 and a1 in layer 4: only a range of layers tells them apart
        generator = LayeredGenerator()
        matrix = torch.eye(6)[:2]
        predictor = PlainPredictor(matrix)
        diagonal = torch.eye(6)
        diagonal[0, 1] = 1.0
        made = components_of(diagonal[[0, 2, 3, 4, 5]], [2.0, 1, 1, 1, 1])
        found = choose(generator, predictor, made, sampled_pairs(generator, predictor, 500))
        assert found["a0"].component == found["a1"].component == 0
        assert found["a0"].layers == (0, 3) and found["a1"].layers == (3, 8)

    def test_in_z_there_are_no_layers(self) -> None:
        generator, predictor = PlainGenerator(3, "z"), PlainPredictor(torch.eye(3)[:1])
        made = components_of(torch.eye(3), [1.0, 1, 1], latent_space="z")
        found = choose(generator, predictor, made, sampled_pairs(generator, predictor, 200))
        assert (found["a0"].component, found["a0"].layers) == (0, None)

    def test_short_list(self) -> None:
        x = torch.randn(500, 12, generator=torch.Generator().manual_seed(0))
        scores = torch.stack([x[:, 7] - 0.5 * x[:, 2], torch.zeros(500)], dim=1)
        assert {2, 7} <= set(short_list(x, scores)) and len(short_list(x, scores)) <= 8

    @pytest.mark.parametrize(
        ("count", "ranges"),
        [(1, {(0, 1)}), (4, {(0, 4), (0, 3), (3, 4), (0, 1), (1, 3), (1, 4)}), (8, {(0, 8), (0, 3), (3, 8)}),
         (10, {(0, 10), (0, 3), (0, 5), (3, 5), (3, 10), (5, 10)}),
         (18, {(0, 18), (0, 3), (0, 7), (3, 7), (3, 18), (7, 18)})],
    )  # fmt: skip
    def test_layer_ranges(self, count: int, ranges: set) -> None:
        assert set(layer_ranges(count)) == ranges and layer_ranges(count)[0] == (0, count)

    @pytest.mark.parametrize(
        ("accuracy", "disentanglement", "expected"),
        [([0.5, 1.0], [1.0, 1.0], 1.0), ([1.0], [0.5], 0.75), ([0.0, 0.0], [1.0, 0.2], 0.0), ([0.5, 0.2], [1, 0], 0.5)],
    )
    def test_area(self, accuracy: list, disentanglement: list, expected: float) -> None:
        assert area(torch.tensor(accuracy), torch.tensor(disentanglement)).item() == pytest.approx(expected)


def editor_of(space: str = "w", **choices: Choice) -> GANSpaceEditor:
    layers = None if space == "z" else (0, 4)
    chosen = choices or {"a0": Choice(0, layers, 1), "a1": Choice(1, layers, -1)}
    made = components_of(torch.eye(3), [2.0, 0.5, 0.1], chosen, latent_space=space)
    return GANSpaceEditor(PlainGenerator(3, space), PlainPredictor(torch.eye(3)), made, step_size=0.5)


class TestPath:
    start = Latent(torch.tensor([[-0.5, 0.1, 0.2], [0.5, 0.1, 0.2], [0.0, 0.3, 0.1]]), "w")

    def moved(self, editor: GANSpaceEditor, target, config: EditConfig = STEPS) -> Tensor:
        steps = [step.latent.data for step in editor.steps(self.start, target, config)]
        return torch.stack(steps).diff(dim=0)

    def test_equal_steps_of_a_standard_deviation_up_or_down(self) -> None:
        target = towards([[1.0, 0, 0], [-1.0, 0, 0], [0.0, 0, 0]], [True, False, False])
        expected = torch.zeros(3, 3, 4, 3)
        expected[..., 0] = 0.5 * 2 * torch.tensor([1.0, -1, 0])[:, None]
        torch.testing.assert_close(self.moved(editor_of(), target), expected)

    def test_the_choices_sign(self) -> None:
        assert self.moved(editor_of(), {"a1": 1})[0, 0, 0].tolist() == pytest.approx([0, -0.25, 0])

    def test_layers_of_the_choice_and_of_the_config(self) -> None:
        editor = editor_of(a0=Choice(0, (1, 3), 1), a1=Choice(1, (2, 4), 1))
        one = self.moved(editor, {"a0": 1})[0, 0, :, 0]
        assert (one != 0).tolist() == [False, True, True, False]
        both = self.moved(editor, {"a0": 1, "a1": 1})[0, 0]
        assert (both != 0).tolist() == [[False] * 3, [True, False, False], [True, True, False], [False, True, False]]
        narrowed = self.moved(editor, {"a0": 1}, EditConfig.paper(layers=(0, 2), max_steps=1, tolerance=0.0))[
            0, 0, :, 0
        ]
        assert (narrowed != 0).tolist() == [False, True, False, False]

    def test_in_z(self) -> None:
        result = edit(editor_of("z"), Latent(torch.zeros(1, 3), "z"), {"a0": 1}, STEPS).result.latent
        assert result.space == "z" and result.data[0].tolist() == pytest.approx([3, 0, 0])

    def test_a_choice_for_more_layers_than_there_are(self) -> None:
        with pytest.raises(BadValueError, match="layers are 2 to 9; this latent has layers 0 to 4"):
            edit(editor_of(a0=Choice(0, (2, 9), 1)), self.start, {"a0": 1})

    def test_an_attribute_without_a_choice(self) -> None:
        with pytest.raises(UnknownNameError, match="no direction was fitted for 'a2'"):
            edit(editor_of(), self.start, {"a2": 1})


class TestBrowsing:
    def test_all_layers_stay_in_w(self) -> None:
        moved = editor_of().edit_component(TestPath.start, 0, -1.5)
        assert moved.space == "w"
        torch.testing.assert_close(moved.data - TestPath.start.data, torch.tensor([-3.0, 0, 0]).expand(3, 3))

    def test_a_range_of_layers(self) -> None:
        moved = editor_of().edit_component(TestPath.start, 1, 2, (1, 3))
        assert moved.space == "w+"
        assert moved.data[0, :, 1].tolist() == pytest.approx([0.1, 1.1, 1.1, 0.1])

    def test_mistakes(self) -> None:
        editor, z = editor_of(), Latent(torch.zeros(1, 3), "z")
        with pytest.raises(BadValueError, match="component is 3; it must be a number from 0 to 2"):
            editor.edit_component(TestPath.start, 3, 1)
        with pytest.raises(BadValueError, match="sigmas is nan"):
            editor.edit_component(TestPath.start, 0, float("nan"))
        with pytest.raises(BadValueError, match="layers are 0 to 9; this latent has layers 0 to 4"):
            editor.edit_component(TestPath.start, 0, 1, (0, 9))
        with pytest.raises(SpaceError, match="this one is in 'z'"):
            editor_of("z").edit_component(z, 0, 1, (0, 1))
