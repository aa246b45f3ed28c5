"""Algorithm 1 on toys whose path is known: G writes its latent down, C and F are linear (or one exponential)."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sgf_hub.editing import (
    EditConfig,
    Editor,
    Fixed,
    GainControlled,
    Reaimed,
    SGFEditor,
    SteppingRule,
    StopReason,
    Trajectory,
    tuned,
)
from sgf_hub.errors import BadValueError, SpaceError, UnknownNameError
from sgf_hub.mapping import SGFMapping
from sgf_hub.types import ConditionSpec, Generator, Latent, Predictor, Target
from tests.toys import LinearMapping, PlainGenerator, PlainPredictor, plain_mapping

NEVER = {"tolerance": 0.0}  # no edit arrives


def editor_of(
    function: Callable, matrix: Tensor, spec: ConditionSpec | None = None, *, space: str = "w", **changes: object
) -> SGFEditor:
    """An editor for F = `function` and C(G(z)) = `matrix` z."""
    predictor = PlainPredictor(matrix, spec)
    generator = PlainGenerator(matrix.shape[1], space)
    return SGFEditor(plain_mapping(function, predictor, latent_space=space, **changes), generator, predictor, Fixed())


def identity_editor(size: int = 2, spec: ConditionSpec | None = None, *, rate: float = 1.0, **changes) -> SGFEditor:
    """C(G(z)) = z and H delta_c = rate delta_c."""
    return editor_of(lambda z, c: rate * c, torch.eye(size), spec, **changes)


def linear_editor() -> tuple[SGFEditor, LinearMapping]:
    mapping = LinearMapping(5, 3)
    return editor_of(mapping, torch.randn(3, 5, generator=torch.Generator().manual_seed(1))), mapping


class Saturating(PlainPredictor):
    """Scores tanh z, as a classifier's saturate."""

    def __call__(self, images: Tensor) -> Tensor:
        return super().__call__(images).tanh()


def towards(c: list[list[float]], asked: list[bool] | None = None) -> Target:
    wanted = torch.tensor(c)
    mask = torch.tensor(asked) if asked else torch.ones(wanted.shape[1], dtype=torch.bool)
    return Target(wanted, mask, torch.zeros_like(mask))


def start(*rows: tuple[float, ...]) -> Latent:
    return Latent(torch.tensor(rows), "w")


def edited(editor: SGFEditor, latent: Latent, target, rule: SteppingRule | None = None, **config: object) -> Trajectory:
    """An edit with the paper's settings, but for those given, and by Algorithm 1 as published, but for another rule."""
    return editor.with_stepping(rule or Fixed()).edit(latent, target, EditConfig.paper(**config))


def path(editor: SGFEditor, latent: Latent, target, rule: SteppingRule | None = None, **config: object) -> Tensor:
    """The latents of every step of such an edit, [S, B, ...]."""
    return torch.stack([step.latent.data for step in edited(editor, latent, target, rule, **config).steps])


def plain_gain(**options: object) -> GainControlled:
    """Gain control without what else is ours: Euler's method, no guard, the paper's first step."""
    return GainControlled(**{"step_size": 0.2, "integrator": "euler", "guard": False, **options})


class TestPaper:
    """The default: z_i = z_0 + i lambda (I + A) B (c1 - c0)."""

    def test_defaults_are_the_papers(self) -> None:
        rule, config = Fixed(), EditConfig.paper()
        assert (rule.order, rule.step_size, rule.integrator, rule.guard) == (1, 0.2, "euler", False)
        assert not (config.return_best or config.release_siblings or config.grounded) and config.patience is None
        assert (config.certainty, config.tolerance) == (1, 1)

    @pytest.mark.parametrize("order", [0, 1, 3, None])
    def test_path_in_closed_form(self, order: int | None) -> None:
        editor, mapping = linear_editor()
        z0 = editor.generator.sample(4, seed=1)
        c0 = editor.predictor(editor.generator.synthesize(z0))
        c1 = c0 + torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
        target = Target(c1, torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool))
        found = path(editor, z0, target, Fixed(order=order), max_steps=6, **NEVER)
        move = 0.2 * mapping.field((c1 - c0).double(), order=order).float()
        expected = z0.data + torch.arange(7.0)[:, None, None] * move
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)

    def test_released_coordinates_are_not_steered(self) -> None:
        editor, mapping = linear_editor()
        z0 = editor.generator.sample(1, seed=1)
        c0 = editor.predictor(editor.generator.synthesize(z0))
        released = torch.tensor([False, True, False])
        target = Target(c0 + 1, torch.tensor([True, False, False]), released)
        move = path(editor, z0, target, max_steps=1, **NEVER).diff(dim=0)[0]
        torch.testing.assert_close(
            move, 0.2 * mapping.field(torch.tensor([[1.0, 0, 1]]), order=1), rtol=1e-5, atol=1e-6
        )

    def test_first_step_is_the_unchanged_picture(self) -> None:
        editor, z0 = identity_editor(), start((0.1, 0.2))
        first = next(editor.steps(z0, {"a0": 1}))
        assert first.index == 0 and torch.equal(first.latent.data, z0.data)
        assert torch.equal(first.images, editor.generator.synthesize(z0))
        assert first.reasons == (None,)

    def test_every_step_is_consistent(self) -> None:
        editor = identity_editor()
        for index, step in enumerate(editor.steps(start((0.0, 0.0)), {"a0": 1})):
            assert step.index == index
            assert torch.equal(step.images, editor.generator.synthesize(step.latent))
            assert torch.equal(step.c, editor.predictor(step.images))
            assert torch.equal(step.distance, editor.predictor.distance(step.c, step.target))

    def test_steps_are_not_changed_by_later_ones(self) -> None:
        steps, copies = [], []
        for step in identity_editor().steps(start((0.0, 0.0)), {"a0": 1}):
            steps.append(step)
            copies.append((step.latent.data.clone(), step.c.clone(), step.distance.clone(), step.images.clone()))
        for step, copy in zip(steps, copies, strict=True):
            held = (step.latent.data, step.c, step.distance, step.images)
            assert all(torch.equal(a, b) for a, b in zip(held, copy, strict=True))

    def test_work_is_done_as_it_is_asked_for(self) -> None:
        editor = identity_editor()
        steps = editor.steps(start((0.0, 0.0)), {"a0": 1})
        next(steps), next(steps)
        assert len(editor.generator.asked) == 2  # one picture a step, none ahead
        steps.close()


class TestOrderOfAccuracy:
    """dz/dt = z delta_c has z(1) = z0 exp(c1 - c0): halving lambda halves Euler's error and quarters Heun's."""

    @pytest.mark.parametrize(("integrator", "order"), [("euler", 1), ("heun", 2)])
    def test_slope(self, integrator: str, order: int) -> None:
        editor = editor_of(lambda z, c: z.detach() * c, torch.eye(1))
        errors = []
        for count in (8, 32):
            target = towards([[1.5]])  # c0 = z0 = 0.5
            rule = Fixed(step_size=1 / count, integrator=integrator, order=0)
            end = path(editor, start((0.5,)), target, rule, max_steps=count, **NEVER)[-1]
            errors.append(abs(end.item() - 0.5 * math.e))
        assert math.log(errors[0] / errors[1]) / math.log(4) == pytest.approx(order, abs=0.2)


class TestStopping:
    def test_target_reached_at_the_first_step_close_enough(self) -> None:
        # the score moves from -1 to 1 by 0.4 a step: within 0.1 of probability 1 (score 0.8) after 5 steps
        trajectory = edited(identity_editor(), start((-1.0, 0.3)), {"a0": 1})
        assert trajectory.reasons == (StopReason.TARGET_REACHED,)
        assert trajectory.taken == [5]
        assert trajectory.result.c[0].tolist() == pytest.approx([1.0, 0.3], abs=1e-6)

    def test_at_the_target_already(self) -> None:
        trajectory = edited(identity_editor(), start((0.95, 0.0)), {"a0": 1})
        assert (trajectory.reasons, trajectory.taken, len(trajectory.steps)) == ((StopReason.TARGET_REACHED,), [0], 1)

    def test_with_a_tolerance_of_zero_no_sample_ever_has(self) -> None:
        editor = identity_editor(rate=0.0)  # it stands on the target, at a distance of exactly 0
        trajectory = edited(editor, start((1.0, 0.0)), {"a0": 1}, max_steps=30, **NEVER)
        assert (trajectory.reasons, trajectory.taken) == ((StopReason.STEP_LIMIT,), [30])
        assert trajectory.steps[0].distance.item() == 0

    def test_step_limit(self) -> None:
        trajectory = edited(identity_editor(rate=0.01), start((-1.0, 0.0)), {"a0": 1}, max_steps=3)
        assert (trajectory.reasons, trajectory.taken) == ((StopReason.STEP_LIMIT,), [3])

    def test_stalled_after_patience(self) -> None:
        trajectory = edited(identity_editor(rate=0.0), start((-1.0, 0.0)), {"a0": 1}, patience=4)
        assert (trajectory.reasons, trajectory.taken) == ((StopReason.STALLED,), [4])

    def test_patience_is_renewed_by_progress(self) -> None:
        editor = identity_editor(rate=0.1)
        trajectory = edited(editor, start((-1.0, 0.0)), {"a0": 1}, patience=1, max_steps=30)
        assert trajectory.reasons == (StopReason.STEP_LIMIT,)

    @pytest.mark.parametrize("factor", [math.inf, math.nan])
    def test_not_finite_keeps_the_last_good_picture(self, factor: float) -> None:
        editor = editor_of(lambda z, c: c * torch.where(z.detach() > 0.1, factor, 1.0), torch.eye(1))
        trajectory = edited(editor, start((-1.0,)), {"a0": 1})
        assert trajectory.reasons == (StopReason.NOT_FINITE,)
        assert trajectory.result.latent.data.item() == pytest.approx(0.2)  # -1 + 3 * 0.4
        assert all(torch.isfinite(step.images).all() for step in trajectory.steps)

    def test_a_singular_exact_solve_is_not_finite(self) -> None:
        trajectory = edited(editor_of(lambda z, c: z + c, torch.eye(1)), start((0.0,)), {"a0": 1}, Fixed(order=None))
        assert trajectory.reasons == (StopReason.NOT_FINITE,)

    def test_a_predictor_that_gives_nan(self) -> None:
        editor = identity_editor()
        editor.predictor.matrix = torch.full((2, 2), math.nan)
        assert edited(editor, start((0.0, 0.0)), {"a0": 1}).reasons == (StopReason.NOT_FINITE,)

    @pytest.mark.parametrize("reason", StopReason)
    def test_every_reason_has_advice(self, reason: StopReason) -> None:
        assert reason.advice.endswith(".") and "\n" not in reason.advice
        assert "use a smaller step size" in StopReason.NOT_FINITE.advice
        assert "allow more steps" in StopReason.STEP_LIMIT.advice


class TestBatches:
    latent = start((-1.0, 0.1), (0.9, 0.2), (0.0, -0.5), (0.5, 0.4))

    @pytest.mark.parametrize(
        ("rule", "config"),
        [
            (Fixed(), EditConfig.paper()),
            (GainControlled(), EditConfig()),
            (Reaimed(integrator="heun"), EditConfig.paper(max_steps=6)),
        ],
    )
    def test_equal_single_runs(self, rule: SteppingRule, config: EditConfig) -> None:
        mapping = LinearMapping(2, 2)
        editor = editor_of(lambda z, c: mapping(torch.tanh(z), c), torch.tensor([[1.0, 0.3], [0.2, 1.0]]))
        editor = editor.with_stepping(rule)
        together = editor.edit(self.latent, {"a0": 1}, config)
        for i, row in enumerate(self.latent):
            alone = editor.edit(row, {"a0": 1}, config)
            assert (alone.reasons[0], alone.taken[0]) == (together.reasons[i], together.taken[i])
            torch.testing.assert_close(alone.result.latent.data[0], together.result.latent.data[i])
            torch.testing.assert_close(alone.result.distance[0], together.result.distance[i])

    def test_each_stops_by_itself(self) -> None:
        trajectory = edited(identity_editor(), self.latent, {"a0": 1})
        assert trajectory.taken == [5, 0, 4, 3]
        assert set(trajectory.reasons) == {StopReason.TARGET_REACHED}

    def test_a_stopped_sample_stands_still(self) -> None:
        steps = edited(identity_editor(), self.latent, {"a0": 1}).steps
        assert all(torch.equal(step.latent.data[1], self.latent.data[1]) for step in steps)

    def test_only_running_samples_are_drawn(self) -> None:
        editor = identity_editor()
        edited(editor, self.latent, {"a0": 1})
        assert editor.generator.asked == [4, 3, 3, 3, 2, 1]

    def test_one_that_breaks_leaves_the_others_alone(self) -> None:
        editor = editor_of(lambda z, c: c * torch.where(z.detach() < -5, math.nan, 1.0), torch.eye(1))
        trajectory = edited(editor, start((-9.0,), (0.0,)), {"a0": 1})
        assert trajectory.reasons == (StopReason.NOT_FINITE, StopReason.TARGET_REACHED)

    def test_an_empty_batch(self) -> None:
        assert edited(identity_editor(), Latent(torch.zeros(0, 2), "w"), {"a0": 1}).reasons == ()


class TestOurs:
    def test_reaiming_closes_a_share_of_what_is_missing(self) -> None:
        found = path(identity_editor(1), start((-1.0,)), towards([[1.0]]), Reaimed(), max_steps=8, **NEVER)
        expected = 1 - 2 * 0.8 ** torch.arange(9.0)
        torch.testing.assert_close(found.flatten(), expected)

    def test_fixed_stepping_overshoots(self) -> None:
        found = path(identity_editor(1), start((-1.0,)), towards([[1.0]]), Fixed(step_size=0.3), max_steps=8, **NEVER)
        torch.testing.assert_close(found.flatten(), -1 + 0.6 * torch.arange(9.0))

    def test_drive_grows_while_the_edit_gains_little(self) -> None:
        # a field a thousandth as strong: no step brings what is missing, so the drive grows by 1.5, up to 6
        editor = identity_editor(1, rate=1e-3)
        found = path(editor, start((-0.9,)), {"a0": 1}, plain_gain(), max_steps=12)
        drive = found.flatten().diff() / 1.9e-3
        torch.testing.assert_close(drive, (0.2 * 1.5 ** torch.arange(12.0)).clamp_max(6.0), rtol=1e-3, atol=0)

    def test_drive_grows_by_no_more_than_told(self) -> None:
        editor = identity_editor(1, rate=1e-3)
        rule = plain_gain(growth=1.2, limit=0.5)
        drive = path(editor, start((-0.9,)), {"a0": 1}, rule, max_steps=9).flatten().diff() / 1.9e-3
        torch.testing.assert_close(drive, (0.2 * 1.2 ** torch.arange(9.0)).clamp_max(0.5), rtol=1e-3, atol=0)

    def test_a_driven_step_brings_what_is_missing_if_the_last_one_tells_how(self) -> None:
        # log-odds that are linear in z: the second step, of 3.43 times the first one, arrives
        editor = editor_of(lambda z, c: c, torch.eye(1))
        editor.predictor = Saturating(torch.eye(1))
        trajectory = edited(editor, start((-3.0,)), {"a0": 1}, plain_gain(step_size=0.3, growth=10), certainty=0.05)
        assert (trajectory.reasons, trajectory.taken) == ((StopReason.TARGET_REACHED,), [2])
        goal = 2 * math.atanh(1 - 0.8 * 2 * 0.1 * 0.05)
        assert 2 * trajectory.result.latent.data.item() == pytest.approx(goal, rel=1e-4)

    def test_a_driven_edit_that_went_too_far_turns_round(self) -> None:
        editor = editor_of(lambda z, c: c, torch.eye(1))
        editor.predictor = Saturating(torch.eye(1))
        trajectory = edited(editor, start((-1.0,)), {"a0": 0.7}, plain_gain(step_size=2.0), tolerance=0.2)
        z = torch.stack([step.latent.data for step in trajectory.steps]).flatten()
        assert z[1] > math.atanh(0.4) > z[2] and trajectory.reasons == (StopReason.TARGET_REACHED,)

    def test_each_attribute_has_its_own_drive(self) -> None:
        # a0 follows the field, a1 a hundredth of it: the drive of a1 grows more
        editor = editor_of(lambda z, c: c * torch.tensor([1.0, 0.01]), torch.eye(2))
        rule = plain_gain(step_size=0.5, growth=10.0, limit=10.0)
        first, second = path(editor, start((-0.5, -0.5)), {"a0": 1, "a1": 1}, rule, max_steps=2)[:, 0].diff(dim=0)
        assert second[0] / first[0] < 2 and second[1] / first[1] == pytest.approx(10)

    def test_held_coordinates_are_reaimed_under_drive(self) -> None:
        # asking for a0 drags a1 along; holding pulls it back by hold_rate of its deviation
        coupled = torch.tensor([[1.0, 0.0], [0.5, 1.0]])
        editor = editor_of(lambda z, c: c @ coupled.T, torch.eye(2))
        found = path(editor, start((-1.0, 0.0)), {"a0": 1}, plain_gain(hold_rate=0.25), max_steps=3)[:, 0]
        expected = [0.0]
        for driven in found[:, 0].diff().tolist():
            expected.append(expected[-1] + 0.5 * driven - 0.25 * expected[-1])
        assert found[:, 1].tolist() == pytest.approx(expected)

    def test_asked_keypoints_take_most_of_what_is_missing_under_drive(self) -> None:
        editor = identity_editor(2, ConditionSpec(keypoints=("nose",)))
        found = path(editor, start((0.2, 0.2)), {"nose": (0.6, 0.4)}, plain_gain(), max_steps=3, **NEVER)
        expected = torch.tensor([0.6, 0.4]) - torch.tensor([0.4, 0.2]) * 0.2 ** torch.arange(4.0)[:, None]
        torch.testing.assert_close(found[:, 0], expected)

    def test_halves_draw_nothing_in_between_and_follow_a_field_that_turns(self) -> None:
        # dz/dc = c, so z = z0 + (c1^2 - c0^2) / 2; a step of 1 from c0 = 0 is a half under Euler's, 0.25 with halves
        editor = editor_of(lambda z, c: c**2 / 2, torch.eye(1))
        for integrator, expected in (("euler", 0.0), ("half steps", 0.25)):
            rule = Fixed(integrator=integrator, step_size=1.0, order=0)
            assert path(editor, start((0.0,)), towards([[1.0]]), rule, max_steps=1)[-1].item() == pytest.approx(
                expected
            )
        assert editor.generator.asked == [1, 1, 1, 1]

    def test_return_best_gives_back_the_closest_step(self) -> None:
        # -1, -0.1, 0.8, 1.7: the third is the closest to 1
        settings = {"rule": Fixed(step_size=0.45), "max_steps": 3, "tolerance": 0.1, "return_best": True}
        trajectory = edited(identity_editor(1), start((-1.0,)), {"a0": 1}, **settings)
        assert (trajectory.reasons, trajectory.chosen) == ((StopReason.STEP_LIMIT,), [2])
        assert trajectory.result.latent.data.item() == pytest.approx(0.8)
        assert trajectory.result.distance.item() == pytest.approx(1.0, abs=1e-5)
        torch.testing.assert_close(trajectory.result.images, trajectory.steps[2].images)

    def test_without_it_the_last_step_is_the_result(self) -> None:
        settings = {"rule": Fixed(step_size=0.45), "max_steps": 3, "tolerance": 0.1}
        trajectory = edited(identity_editor(1), start((-1.0,)), {"a0": 1}, **settings)
        assert (trajectory.chosen, trajectory.result.latent.data.item()) == ([3], pytest.approx(1.7))

    def test_best_is_chosen_sample_by_sample(self) -> None:
        settings = {"rule": Fixed(step_size=0.45), "max_steps": 3, "tolerance": 0.1, "return_best": True}
        target = towards([[1.0], [3.0]])  # the second goes -1, 0.8, 2.6, 4.4
        trajectory = edited(identity_editor(1), start((-1.0,), (-1.0,)), target, **settings)
        assert trajectory.result.latent.data.flatten().tolist() == pytest.approx([0.8, 2.6])

    def test_a_partly_drained_trajectory_has_a_result(self) -> None:
        editor, config = identity_editor(1), EditConfig.paper(return_best=True)
        trajectory = Trajectory(editor.predictor.spec, config)
        steps = editor.steps(start((-1.0,)), {"a0": 1}, config)
        for _ in range(2):
            trajectory.add(next(steps))
        assert (trajectory.reasons, trajectory.chosen, trajectory.taken) == ((None,), [1], [2])

    @pytest.mark.parametrize(("wish", "certainty", "steps"), [(1, 1.0, 11), (1, 0.05, 24), (0.9, 0.05, 11)])
    def test_a_plain_wish_is_met_with_certainty(self, wish: float, certainty: float, steps: int) -> None:
        # what is missing shrinks by 0.8 a step: from 2 to 0.2, or to 0.01; from 1.8 to 0.2 for a wish in between
        trajectory = edited(identity_editor(1), start((-1.0,)), {"a0": wish}, Reaimed(), certainty=certainty)
        assert (trajectory.reasons, trajectory.taken) == ((StopReason.TARGET_REACHED,), [steps - (wish != 1)])

    def test_a_wish_that_is_close_but_not_certain_at_the_end_has_arrived(self) -> None:
        trajectory = edited(identity_editor(1), start((-1.0,)), {"a0": 1}, Reaimed(), certainty=0.05, max_steps=15)
        assert (trajectory.reasons, trajectory.taken) == ((StopReason.TARGET_REACHED,), [15])

    def test_certainty_is_not_asked_of_keypoints(self) -> None:
        editor = identity_editor(2, ConditionSpec(keypoints=("nose",)))
        trajectory = edited(editor, start((0.5, 0.5)), {"nose": (1.0, 1.0)}, Reaimed(), certainty=1e-6, max_steps=200)
        assert trajectory.taken[0] < 30

    @pytest.mark.parametrize(("space", "size"), [("w", 0.3), ("z", 0.1)])
    def test_tuned_begins_with_smaller_steps_in_z(self, space: str, size: float) -> None:
        mapping = identity_editor(space=space).mapping
        assert tuned(mapping) == GainControlled(step_size=size)

    def test_by_default_an_editor_steps_as_is_best_for_its_mapping(self) -> None:
        plain = identity_editor()
        editor = SGFEditor(plain.mapping, plain.generator, plain.predictor)
        assert editor.stepping == tuned(plain.mapping) and plain.stepping == Fixed()

    def test_presets(self) -> None:
        editor = identity_editor()
        (paper, published), (best, settings) = (editor.preset(name) for name in ("paper", "tuned"))
        assert (paper.stepping, published) == (Fixed(), EditConfig.paper())
        assert (best.stepping, settings) == (tuned(editor.mapping), EditConfig())
        with pytest.raises(BadValueError, match="stepping is 'fast'; choose 'tuned' or 'paper'"):
            editor.preset("fast")

    def test_the_papers_settings_change_only_what_is_asked(self) -> None:
        assert EditConfig.paper(max_steps=7) == replace(EditConfig.paper(), max_steps=7)


class TestSiblings:
    spec = ConditionSpec(("smile", "black", "blond"), groups=(("black", "blond"),))

    def target(self, wishes: dict, rows: tuple = ((0.0, -0.9, 0.9),), **config) -> Target:
        editor = identity_editor(3, self.spec)
        return next(editor.steps(start(*rows), wishes, EditConfig(**config))).target

    def test_siblings_of_a_raised_attribute_are_aimed_at_absent(self) -> None:
        assert self.target({"black": 1}).c[0].tolist() == pytest.approx([0, 1, -1])

    def test_they_are_not_asked_for(self) -> None:
        assert self.target({"black": 1}).asked.tolist() == [False, True, False]

    def test_lowering_one_leaves_them_alone(self) -> None:
        assert self.target({"blond": 0}).c[0].tolist() == pytest.approx([0, -0.9, -1])

    def test_an_asked_sibling_keeps_its_wish(self) -> None:
        assert self.target({"black": 1, "blond": 1}).c[0].tolist() == pytest.approx([0, 1, 1])

    def test_sample_by_sample(self) -> None:
        target = self.target({"black": 0.75}, rows=((0.0, -0.9, 0.9), (0.0, 0.9, 0.9)))
        assert target.c[:, 2].tolist() == pytest.approx([-1, 0.9])  # the second is lowered to 0.5

    def test_off_in_the_papers_preset(self) -> None:
        editor = identity_editor(3, self.spec)
        target = next(editor.steps(start((0.0, -0.9, 0.9)), {"black": 1}, EditConfig.paper())).target
        assert target.c[0].tolist() == pytest.approx([0, 1, 0.9])


class TestWPlus:
    def test_every_layer_gets_the_w_paths_movement(self) -> None:
        editor = identity_editor()
        plus = Latent(torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(0)) * 0.1, "w+")
        trajectory = edited(editor, plus, {"a0": 1})
        mean = edited(editor, Latent(plus.data.mean(dim=1), "w"), {"a0": 1})
        moved = trajectory.result.latent.data - plus.data
        expected = mean.result.latent.data - plus.data.mean(dim=1)
        torch.testing.assert_close(moved, expected[:, None].expand_as(moved))
        assert trajectory.result.latent.space == "w+"

    def test_equal_layers_are_the_w_path(self) -> None:
        editor, w = identity_editor(), start((-1.0, 0.3))
        plus = edited(editor, editor.generator.to_w_plus(w), {"a0": 1}).result.latent.data
        torch.testing.assert_close(plus, edited(editor, w, {"a0": 1}).result.latent.data[:, None].expand(-1, 4, -1))

    @pytest.mark.parametrize("space", ["w", "w+"])
    def test_a_range_of_layers(self, space: str) -> None:
        editor, latent = identity_editor(), start((-1.0, 0.3))
        if space == "w+":
            latent = editor.generator.to_w_plus(latent)
        result = edited(editor, latent, {"a0": 1}, layers=(1, 3), max_steps=3).result.latent
        moved = (result.data - torch.tensor([-1.0, 0.3])).abs().sum(dim=(0, 2)) > 1e-6
        assert (result.space, moved.tolist()) == ("w+", [False, True, True, False])

    @pytest.mark.parametrize("layers", [(0, 5), (2, 2), (3, 1), (-1, 2)])
    def test_no_such_layers(self, layers: tuple[int, int]) -> None:
        with pytest.raises(BadValueError, match=r"layers are .* to .*; this latent has layers 0 to 4"):
            edited(identity_editor(), start((0.0, 0.0)), {"a0": 1}, layers=layers)

    def test_layers_in_z(self) -> None:
        with pytest.raises(SpaceError, match="a range of layers is for latents in 'w' or 'w\\+'; this one is in 'z'"):
            edited(identity_editor(space="z"), Latent(torch.zeros(1, 2), "z"), {"a0": 1}, layers=(0, 1))


class TestMistakes:
    def test_a_z_latent_for_a_w_mapping(self) -> None:
        with pytest.raises(SpaceError) as caught:
            edited(identity_editor(), Latent(torch.zeros(1, 2), "z"), {"a0": 1})
        assert str(caught.value) == ("latent is in space 'z', this editor moves 'w': call generator.to_w(latent).")

    @pytest.mark.parametrize(("space", "shape"), [("w", (1, 2)), ("w+", (1, 4, 2))])
    def test_a_w_latent_for_a_z_mapping(self, space: str, shape: tuple) -> None:
        with pytest.raises(SpaceError, match="this editor moves 'z': give one in 'z'"):
            edited(identity_editor(space="z"), Latent(torch.zeros(shape), space), {"a0": 1})

    def test_a_latent_of_another_size(self) -> None:
        with pytest.raises(BadValueError, match="latent has 3 dimensions, this editor moves 2: use a"):
            edited(identity_editor(), start((0.0, 0.0, 0.0)), {"a0": 1})

    def test_a_generator_of_another_space(self) -> None:
        with pytest.raises(SpaceError, match="the mapping edits 'z' of 2 dimensions, the generator has 'w' of 2: use"):
            SGFEditor(
                plain_mapping(lambda z, c: c, PlainPredictor(torch.eye(2)), latent_space="z"),
                PlainGenerator(2),
                PlainPredictor(torch.eye(2)),
            )

    def test_a_predictor_of_other_conditions(self) -> None:
        with pytest.raises(BadValueError, match="was trained with other conditions than this predictor's: use plain"):
            SGFEditor(
                plain_mapping(lambda z, c: c, PlainPredictor(torch.eye(2))),
                PlainGenerator(2),
                PlainPredictor(torch.eye(2), ConditionSpec(("x", "y"))),
            )

    def test_an_unknown_wish(self) -> None:
        with pytest.raises(UnknownNameError, match="'smile' is unknown here"):
            edited(identity_editor(), start((0.0, 0.0)), {"smile": 1})

    @pytest.mark.parametrize("name", ["c0", "self", "images"])
    def test_a_wish_named_as_an_argument(self, name: str) -> None:
        with pytest.raises(UnknownNameError, match=f"'{name}' is unknown here"):
            edited(identity_editor(), start((0.0, 0.0)), {name: 1})

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"max_steps": 0}, "max_steps is 0"),
            ({"max_steps": 10**6}, "max_steps is 1000000"),
            ({"tolerance": -1}, "tolerance is -1"),
            ({"patience": 0}, "patience is 0"),
            ({"layers": (1,)}, "layers"),
            ({"layers": "ab"}, "layers"),
        ],
    )
    def test_configs_are_checked(self, change: dict, message: str) -> None:
        with pytest.raises(BadValueError, match=message):
            EditConfig(**change)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"step_size": 0}, "step_size is 0"),
            ({"step_size": math.nan}, "step_size is nan"),
            ({"step_size": "1"}, "step_size is '1'"),
            ({"integrator": "rk4"}, "integrator is 'rk4'; choose 'euler' or 'heun' or 'half steps'"),
            ({"hold_rate": math.nan}, "hold_rate is nan"),
            ({"damping": -1}, "damping is -1"),
            ({"order": -1}, "order of the Neumann series"),
        ],
    )
    def test_rules_are_checked(self, change: dict, message: str) -> None:
        with pytest.raises(BadValueError, match=message):
            GainControlled(**change)


class TestFromTheZoo:
    @pytest.mark.parametrize(
        ("name", "kind"), [("sgf-toy-attributes", "attributes"), ("sgf-hub/sgf-toy-keypoints", "joint")]
    )
    def test_a_name_composes_what_the_config_names(self, in_toy_zoo, name: str, kind: str) -> None:
        editor = SGFEditor.from_pretrained(name)
        assert isinstance(editor.mapping, SGFMapping)
        assert editor.predictor.spec.kind == kind
        assert editor.generator.resolution == 32

    def test_an_edit_of_real_formats(self, in_toy_zoo) -> None:
        editor = SGFEditor.from_pretrained("sgf-toy-keypoints")
        latent = editor.generator.sample(3, seed=0)
        trajectory = edited(editor, latent, {"smile": 1, "nose": (0.5, 0.6)}, max_steps=3)
        assert all(reason is not None for reason in trajectory.reasons)
        assert trajectory.result.distance.shape == (3,)
        assert (trajectory.steps[-1].latent.data - latent.data).norm(dim=1).min() > 0


class TestResolution:
    """The path drawn smaller than its outcome."""

    WISH = {"smile": 1}

    def test_steps_are_small_and_the_outcome_is_whole(self, in_toy_zoo) -> None:
        editor = SGFEditor.from_pretrained("sgf-toy-attributes")
        latent = editor.generator.sample(2, seed=0)
        trajectory = edited(editor, latent, self.WISH, max_steps=3, resolution=16, **NEVER)
        assert {tuple(step.images.shape) for step in trajectory.steps} == {(2, 3, 16, 16)}
        result = trajectory.result
        whole = editor.generator.synthesize(result.latent)
        torch.testing.assert_close(result.images, whole)
        torch.testing.assert_close(result.c, editor.predictor(whole))
        assert torch.equal(result.latent.data, trajectory.steps[-1].latent.data)

    def test_what_is_read_on_the_way_is_small(self, in_toy_zoo) -> None:
        editor = SGFEditor.from_pretrained("sgf-toy-attributes")
        latent = editor.generator.sample(1, seed=0)
        first = next(iter(editor.steps(latent, self.WISH, EditConfig(resolution=16))))
        torch.testing.assert_close(first.c, editor.predictor(editor.generator.synthesize(latent, resolution=16)))

    def test_a_side_that_the_generator_cannot_draw_is_told(self, in_toy_zoo) -> None:
        editor = SGFEditor.from_pretrained("sgf-toy-attributes")
        with pytest.raises(BadValueError, match="this generator draws 8, 16, 32 px, not 20"):
            edited(editor, editor.generator.sample(1, seed=0), self.WISH, resolution=20)

    def test_without_it_nothing_is_drawn_again(self) -> None:
        editor = identity_editor()
        edited(editor, start((0.0, 0.0)), {"a0": 1}, max_steps=2)
        assert editor.generator.asked == [1, 1, 1]


# -- contracts: one test for every implementation of a protocol (editors: tests/baselines/test_contract.py) ------------


@pytest.fixture(params=["toy zoo", "plain"])
def editor(request, in_toy_zoo) -> SGFEditor:
    return SGFEditor.from_pretrained("sgf-toy-attributes") if request.param == "toy zoo" else identity_editor()


def test_generator_contract(editor: Editor) -> None:
    """Sample i depends on the seed and i alone; pictures are those of the latent, [B, 3, R, R] in [-1, 1]."""
    generator = editor.generator
    assert isinstance(generator, Generator)
    many, few = generator.sample(3, seed=5), generator.sample(1, seed=5)
    assert (many.space, tuple(many.data.shape)) == (generator.latent_space, (3, generator.latent_dim))
    torch.testing.assert_close(many[0].data, few.data)
    assert not torch.equal(generator.sample(1, seed=6).data, few.data)
    images = generator.synthesize(many)
    assert tuple(images.shape) == (3, 3, generator.resolution, generator.resolution)
    assert torch.equal(images, generator.synthesize(many))
    torch.testing.assert_close(images[:1], generator.synthesize(few), atol=1e-5, rtol=0)


def test_predictor_contract(editor: Editor) -> None:
    """c has spec.dimension coordinates, and c0 aimed at with its own values is at distance 0."""
    predictor = editor.predictor
    assert isinstance(predictor, Predictor)
    c = predictor(editor.generator.synthesize(editor.generator.sample(2, seed=0)))
    assert tuple(c.shape) == (2, predictor.spec.dimension)
    target = predictor.target(c, **{predictor.spec.names[0]: 1})
    assert target.c.shape == c.shape and target.asked.sum() == 1
    assert predictor.distance(target.c, target).tolist() == [0, 0]
    assert (predictor.distance(c, target) > 0).all()
