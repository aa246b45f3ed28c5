"""One picture and one wish through every method: their paths, and what each changed beside what was asked.

Everybody's path is looked at by the same observer: the judge, which no method has seen, or, where the zoo holds none or
it does not read what is asked, the predictor that steers SGF. A path is a list of frames, pictures small enough to be
sent once; the page goes along them without asking again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.compare.paths import Event, Frame, Missing, Path, Progress, Watch, ended, picture, thinned
from app.core.errors import UserError, without_folders
from app.core.gestures import gesture, releases
from app.core.heads import Point
from app.core.model_sets import Faces
from app.core.session import Plan
from app.models.edit_run import steps
from app.models.services import Models, Reading

if TYPE_CHECKING:
    from torch import Tensor

    from app.panels.views import CaptionView
    from sgf_hub.editing.trajectory import EditConfig, Editor, EditStep
    from sgf_hub.types import Latent, Predictor

METHODS = {
    "sgf": "SGF (ours)",
    "sgf-paper": "SGF, paper's stepping",
    "interfacegan": "InterFaceGAN",
    "ganspace": "GANSpace",
    "lace": "LACE",
    "stylespace": "StyleSpace",
    "latent-descent": "Latent descent",
}
DIRECTION = "direction"
TITLES = METHODS | {DIRECTION: "Your direction"}
"""The methods, and a direction that a visitor brings."""
THERE = 0.9  # of a probability: from here on a picture shows what is asked already
_LOOKED = 10  # pictures that the observer looks at in one go


@dataclass(frozen=True)
class Direction:
    """A direction of a visitor's, which takes part beside the methods.

    Args:
        name: of its file.
        generator: whose latents it moves.
        tensor: of unit length, as `read_direction` gives it.
    """

    name: str
    generator: str
    tensor: Tensor


@dataclass(frozen=True)
class Comparison:
    """The methods, on one kind of picture.

    Args:
        model_set: the faces.
        models: shared by all visitors.
    """

    model_set: Faces
    models: Models

    def judged(self, name: str) -> bool:
        """Whether there is a judge that reads an attribute."""
        from sgf_hub.hub.names import embedded

        judge = self.model_set.judge
        return all(map(embedded, judge)) and name in self.models.predictor(judge).spec.attributes

    def observer(self, name: str) -> Predictor:
        """Who looks at the paths of an attribute's change."""
        steering = self.models.editor(self.model_set.attributes).predictor
        return self.models.predictor(self.model_set.judge) if self.judged(name) else steering

    # -- attributes ---------------------------------------------------------------------------------------------------

    def attribute(
        self,
        latent: Latent,
        name: str,
        wanted: bool | None,
        methods: Sequence[str] | None = None,
        direction: Direction | None = None,
    ) -> Iterator[Event]:
        """The paths of an attribute's change, method by method, in short pieces of computing.

        Args:
            latent: one sample.
            name: the attribute.
            wanted: whether it should appear or go; None for the other of what it is.
            methods: of `METHODS`; None for those that `present` gives.
            direction: one that takes part besides.

        Raises:
            UserError: if the picture shows what is asked.
        """
        from sgf_hub.errors import SGFError

        wanted = self.wanted(latent, name, wanted)
        watch: Watch | None = None
        for method in (*(self.present() if methods is None else methods), *([DIRECTION] if direction else ())):
            steps: list[EditStep] = []
            seconds: list[float] = []
            try:
                editor, config = self._along(direction, wanted) if method == DIRECTION else self._editor(method)
                path, spent = editor.steps(latent, {name: float(wanted)}, config), 0.0
                while True:
                    with self.models.computing:
                        began = time.perf_counter()
                        step = next(path, None)
                        spent += time.perf_counter() - began
                    if step is None:
                        break
                    steps.append(step)
                    seconds.append(spent)
                    yield Progress(method, step.index)
            except SGFError as error:
                yield Missing(method, without_folders(str(error)))
                continue
            watch = watch or self._watch(steps[0].images, name, wanted)
            chosen = thinned(len(steps))
            frames: list[Frame] = []
            for some in (chosen[i : i + _LOOKED] for i in range(0, len(chosen), _LOOKED)):
                with self.models.computing:
                    frames += watch.frames([steps[i] for i in some], [seconds[i] for i in some])
                yield Progress(method, steps[-1].index)
            end = ended(steps[-1]) if method.startswith("sgf") else ""
            yield Path(method, tuple(frames), steps[-1].index, end, len(watch.others))

    def wanted(self, latent: Latent, name: str, wanted: bool | None = None) -> bool:
        """Whether an attribute should appear; the other of what the steering predictor reads, if that is not said.

        Raises:
            UserError: if it is said, and is so already.
        """
        from app.widgets.attribute_sliders import label_of

        p = self._read(latent).attributes[name]
        if wanted is None:
            return p <= 0.5
        if (p if wanted else 1 - p) >= THERE:
            raise UserError(
                f"{label_of(name)} is {'there' if wanted else 'absent'} already: ask for the other way, or choose "
                "another attribute."
            )
        return wanted

    def _read(self, latent: Latent) -> Reading:
        from sgf_hub.editing import StopReason

        reading = self.models.read(self.model_set, latent)
        if not reading.readable:
            raise UserError(StopReason.UNREADABLE.advice)
        return reading

    def _editor(self, method: str) -> tuple[Editor, EditConfig]:
        """A method's editor and the settings of its curve; loaded when first asked for."""
        from sgf_hub.baselines import baseline
        from sgf_hub.errors import UnknownNameError
        from sgf_hub.evaluation.disentanglement.methods import SGF

        sgf = self.models.editor(self.model_set.attributes)
        if method in SGF:
            return sgf.preset(SGF[method])

        def missing() -> Any:
            raise UnknownNameError(f"The zoo holds no {METHODS[method]} for these pictures: it takes no part here.")

        def load() -> Any:
            made = baseline(
                method, sgf.generator, sgf.predictor, generator_name=self.model_set.generator, pairs=missing
            )
            return made, made.sweep

        return self.models.once(("baseline", method, self.model_set.attributes), load)

    def _along(self, direction: Direction | None, wanted: bool) -> tuple[Editor, EditConfig]:
        """The editor along a visitor's direction, backwards where the attribute should go."""
        from sgf_hub.baselines import DirectionEditor
        from sgf_hub.errors import SpaceError

        assert direction is not None
        if direction.generator != self.model_set.generator:
            raise SpaceError(f"{direction.name} moves latents of other pictures than these: bring one of theirs.")
        sgf = self.models.editor(self.model_set.attributes)
        editor = DirectionEditor(sgf.generator, sgf.predictor, direction.tensor)
        if not wanted:
            editor.step_size = -editor.step_size
        return editor, editor.sweep

    def ganspace(self) -> Any:
        """GANSpace's editor.

        Raises:
            UnknownNameError: if the zoo holds no components for these pictures.
        """
        return self._editor("ganspace")[0]

    def present(self) -> list[str]:
        """The methods whose models the zoo holds."""
        from sgf_hub.baselines import FITTED, fitted_name
        from sgf_hub.hub.names import embedded

        return [m for m in METHODS if m not in FITTED or embedded(fitted_name(self.model_set.generator, m))]

    def _watch(self, start: Tensor, name: str, wanted: bool) -> Watch:
        from sgf_hub.evaluation.likeness import Likeness

        observer = self.observer(name)
        with self.models.computing:
            return Watch(observer, start, name, wanted, Likeness.of(observer, start, name))

    # -- what only SGF takes ------------------------------------------------------------------------------------------

    def gesture(self, latent: Latent, name: str) -> Iterator[Event]:
        """SGF's path of a gesture: keypoints pulled to where it places them.

        Raises:
            UserError: if the face does it already.
        """
        from sgf_hub.editing.changes import changes

        reading = self._read(latent)
        wishes = gesture(name, reading.points, {})
        if not wishes:
            raise UserError("This face does that already: choose another gesture.")
        plan = Plan(self.model_set.keypoints, dict(wishes), releases(reading.points, wishes))
        held = [name for name in reading.spec.attributes if name not in plan.release]
        whole = _away(reading.points, wishes)

        def frame(step: EditStep, seconds: float) -> Frame:
            now = type(reading)(step.images[0], step.c[0], reading.spec)
            others = changes(reading.spec, reading.c, now.c, plan.wishes, plan.release).others
            return Frame(
                step.index, seconds, picture(step.images[0]), max(0.0, 1 - _away(now.points, wishes) / whole),
                changed=tuple(others),
            )  # fmt: skip

        yield from self._alone(steps(self.models, plan, latent), frame, len(held))

    def sentence(self, flowers: CaptionView, latent: Latent, words: str) -> Iterator[Event]:
        """SGF's path of a flower to a sentence.

        Args:
            flowers: how they are read.
            latent: of a flower.
            words: the sentence.
        """
        plan = Plan(flowers.model_set.editors[0], {"caption": words})

        def frame(step: EditStep, seconds: float) -> Frame:
            seen = flowers.read_step(step, plan)
            asked = min(1.0, max(0.0, seen.similarity or 0.0))
            return Frame(step.index, seconds, picture(seen.image), asked, says=seen.caption)

        yield from self._alone(steps(self.models, plan, latent), frame)

    def _alone(
        self, steps: Iterator[EditStep], frame: Callable[[EditStep, float], Frame], others: int = 0
    ) -> Iterator[Event]:
        frames: list[Frame] = []
        spent, last = 0.0, None
        while True:
            began = time.perf_counter()
            step = next(steps, None)
            spent += time.perf_counter() - began
            if step is None:
                break
            last = step
            frames.append(frame(step, spent))
            yield Progress("sgf", step.index)
        assert last is not None  # the unchanged picture is always given
        chosen = thinned(len(frames))
        yield Path("sgf", tuple(frames[i] for i in chosen), last.index, ended(last), others)


def _away(points: Mapping[str, Point], wishes: Mapping[str, Point]) -> float:
    return sum(math.dist(points[name], place) for name, place in wishes.items()) / len(wishes)
