"""The workbench of a mapping that a visitor opened by name; each visitor may have opened another one.

Its components are built once, and show what the mapping's condition allows: sliders, points on the picture, a sentence.
What they run on is in the visitor's session, as names (`GuestWorld`), and `of` gives the workbench of such a session.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from typing_extensions import Self

from app.core.errors import UserError, told
from app.core.gestures import FEATURES, releases
from app.core.queue import Waiting
from app.core.queue import told as told_of
from app.core.requests import attribute_wishes, caption_of, keypoint_wishes
from app.core.session import STEP_SIZES, Edit, Origin, Plan, Session
from app.models.hub_models import Guests
from app.models.hub_sets import GuestSession, GuestWorld
from app.models.services import Reading
from app.panels.flowers import FlowerBench
from app.panels.panel import Updates, Workbench
from app.widgets import attribute_sliders as attribute_panel
from app.widgets import stage as keypoint_canvas
from app.widgets.report import report
from app.widgets.words import safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from sgf_hub.types import ConditionSpec

NO_WORLD = GuestWorld()


@dataclass
class GuestBench(FlowerBench):
    """Components and handlers around one picture of a loaded model; of captions it knows what the flowers' does.

    Args:
        guests: the models; those of the page itself by default.
    """

    world: GuestWorld  # type: ignore[assignment]
    guests: Guests = None  # type: ignore[assignment]
    noun = "picture"
    prefix = "guest-"
    tab = "guest"
    alone = True

    def __post_init__(self) -> None:
        self.guests = self.guests or Guests(self.models)

    # -- whose workbench ----------------------------------------------------------------------------------------------

    def of(self, session: Session | None) -> Self:
        """The workbench of a visitor's session, its models loaded again if they went.

        Raises:
            UserError: if the session was let go.
        """
        if not isinstance(session, GuestSession):
            raise UserError("This page was left alone for long and its model was let go: open it again in the tab Zoo.")
        return self.at(session.world)

    def at(self, world: GuestWorld) -> Self:
        """The same components on another world."""
        there = copy.copy(self)
        there.world, there.models = world, self.guests.models_of(world)
        return there

    def start(self, origin: Origin) -> Session:
        """A session that begins with a picture of this world."""
        return GuestSession(origin, world=self.world)

    @property
    def spec(self) -> ConditionSpec:
        """What can be asked for."""
        return self.models.predictor(self.world.heads).spec

    def in_turn(self, handler: Callable) -> Callable:
        """The handler in its visitor's turn; a model that went is loaded before, so that nobody waits for that."""
        ready = super().in_turn(handler)

        @told
        def stream(request: gr.Request, session: Session | None, *values: Any) -> Iterator[Updates]:
            if isinstance(session, GuestSession):
                for news in self.guests.bring_back(session.world):
                    yield {self.stage: keypoint_canvas.message(status=news)}
            yield from ready(request, session, *values)

        return stream

    # -- what is built by the tab -------------------------------------------------------------------------------------

    def build_sections(self) -> None:
        """Everything that a condition may need; `sections` shows what one does."""
        with gr.Row(elem_classes="guest-head"):
            self.about = gr.HTML(elem_id="guest-about", apply_default_css=False)
            self.another = gr.Button("Open another", size="sm", min_width=110, elem_id="guest-another", scale=0)
        with gr.Column(visible=False) as self.points_part:
            gr.HTML(
                "<p class='hint'>Drag the points on the picture to where they should be.</p>", apply_default_css=False
            )
        with gr.Column(visible=False) as self.sliders_part:
            gr.HTML(
                "<p class='hint'>Move a slider to ask for a change. The rest is held, unless you open its lock.</p>",
                apply_default_css=False,
            )
            self.panel = attribute_panel.build_panel(elem_id="guest-panel", tab=self.tab, alone=True)
        with gr.Column(visible=False) as self.words_part:
            self.text = gr.Textbox(
                label="What the picture should become", lines=1, max_lines=4, elem_id="guest-caption",
                elem_classes="caption",
            )  # fmt: skip
            self.build_notice()
        self.build_actions("guest")
        with gr.Accordion("Advanced", open=False, elem_classes="options"), gr.Row():
            self.max_steps = gr.Slider(5, 120, 60, step=1, label="Steps at most", buttons=[], min_width=150)
            self.step_size = gr.Slider(
                0.05, 0.5, STEP_SIZES["w"], step=0.05, label="Step size", buttons=[], min_width=150
            )

    def build_result(self) -> None:
        """Without a link: who opens it would have to fetch the model."""
        super().build_result()
        self.share_edit.visible = False

    @property
    def sections(self) -> list[Any]:
        """The components that say what can be asked for."""
        return [
            self.about, self.points_part, self.sliders_part, self.words_part, self.text, self.max_steps,
            self.step_size, self.variety,
        ]  # fmt: skip

    def opened_sections(self) -> Updates:
        """Them for this world, with nothing asked."""
        spec, world = self.spec, self.world
        return {
            self.about: _about(world, spec),
            self.points_part: gr.Column(visible=bool(spec.keypoints)),
            self.sliders_part: gr.Column(visible=bool(spec.attributes)),
            self.words_part: gr.Column(visible=bool(spec.caption)),
            self.text: "",
            self.max_steps: 60,
            self.step_size: gr.Slider(value=STEP_SIZES[world.space], visible=not spec.caption),
            self.variety: gr.Slider(visible=world.space == "w"),  # in Z, nothing can be drawn towards a mean
        }

    # -- what the page shows ------------------------------------------------------------------------------------------

    def show(self, session: Session, **more: Any) -> Updates:
        """The whole page for a session."""
        if not isinstance(session, GuestSession):  # out of a file
            session = GuestSession(**vars(session), world=self.world)
        updates = super().show(session, **more)
        features = keypoint_canvas.plain_features(features_of(self.spec.keypoints))
        # another model's caption and points must not stay
        updates[self.stage] = {"reading": None, **updates[self.stage], "features": features}
        return updates

    def look(self, latent: Any, plan: Plan | None = None) -> Any:
        """The picture of a latent, and what is read in it."""
        if self.spec.caption:
            return super().look(latent, plan)
        return self.models.look(self.world, latent)

    def seen(self, step: Any, plan: Plan) -> Any:
        """The picture of a step, and what is read in it."""
        if self.spec.caption:
            return super().seen(step, plan)
        return Reading(step.images[0], step.c[0], self.spec)

    def marks(self, now: Any, before: Any = None) -> dict[str, Any]:
        """The caption, or the keypoints."""
        if self.spec.caption:
            return super().marks(now, before)
        return {"points": now.points if self.spec.keypoints else {}}

    def describe(self, now: Any) -> str:
        """The picture in words."""
        if self.spec.caption:
            return f"A picture, which the model describes as: {now.caption}"
        shown = [attribute_panel.label_of(name).lower() for name, p in now.attributes.items() if p > 0.5]
        return f"A picture: {', '.join(shown[:20]) or 'nothing that the model reads stands out'}."

    def in_tabs(self, now: Any, plan: Plan | None, done: Iterable[str] | None) -> Updates:
        """The sliders, or what was said of the visitor's words."""
        if self.spec.caption:
            return super().in_tabs(now, plan, done)
        groups = attribute_panel.groups_of(self.spec.attributes)
        return {self.panel: attribute_panel.reads(now.attributes, done, groups=groups)}

    def nothing(self, plan: Plan) -> tuple[str, Updates]:
        """What is said of a plan that took no step."""
        return super().nothing(plan) if self.spec.caption else Workbench.nothing(self, plan)

    def report(self, edit: Edit, before: Any, now: Any) -> str:
        """What an edit did, as HTML."""
        return super().report(edit, before, now) if self.spec.caption else report(edit, before, now)

    def consider(self, plan: Plan) -> Generator[Updates, None, Plan]:
        """Of captions, say so when the words are outside of what the model knows."""
        if self.spec.caption:
            return (yield from super().consider(plan))
        return plan

    # -- handlers -----------------------------------------------------------------------------------------------------

    def open_model(self, name: object, who: str) -> Iterator[str | tuple[GuestWorld, Updates]]:
        """Open a mapping by name; what was open stays where that fails.

        Args:
            name: an entry of the zoo, or a Hub id.
            who: the visitor, by the page's session.

        Yields:
            How it goes, in sentences; at the end its world and all that the page shows of it.
        """
        for news in self.guests.open(name):
            if isinstance(news, str):
                yield news
                continue
            self.stops.ask(who, superseded=True)

            def first(world: GuestWorld = news) -> Iterator[Updates]:
                there = self.at(world)
                yield {**there.begin(_first_seed(there.spec, world), 0.8), **there.opened_sections()}

            for item in self.models.turns.work(who, first()):
                yield told_of(item) if isinstance(item, Waiting) else (news, item)

    def plan_of(self, session: Session, sliders: object, stage: object, words: object, *stepping: object) -> Plan:
        """What the sliders and the points, or the words, ask for."""
        from app.core.requests import options_of

        there, options = self.of(session), options_of(*stepping)
        world, spec = there.world, there.spec
        if spec.caption:
            options.pop("step_size")  # a caption's steps are re-aimed at a fixed rate
            return Plan(world.mapping, {"caption": caption_of(words)}, space=world.space, **options)
        now = there.look(session.latent)
        wishes, free = attribute_wishes(sliders, spec.attributes, needed=False)
        moved = keypoint_wishes(stage, spec.keypoints)
        if not wishes and not moved:
            raise UserError(f"Nothing is asked for yet: {' or '.join(_ways(spec))} first.")
        points = now.points if spec.keypoints else {}
        pulled = [name for name in releases(points, moved) if name in (*spec.attributes, *spec.keypoints)]
        asked: dict[str, Any] = {**wishes, **moved}
        release = tuple(dict.fromkeys(name for name in (*free, *pulled) if name not in asked))
        return Plan(world.mapping, asked, release, space=world.space, **options)


def _first_seed(spec: ConditionSpec, world: GuestWorld) -> int:
    """The picture that the mapping's card begins with."""
    from sgf_hub.hub.publishing.code import example_of

    told = {"caption": spec.caption, "attributes": spec.attributes, "keypoints": spec.keypoints}
    return example_of({**told, "latent_space": world.space})[0]


def features_of(keypoints: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Keypoints that belong together, and are joined by a line: those of the drawn faces; others stand alone."""
    known = {key: names for key, names in FEATURES.items() if all(name in keypoints for name in names)}
    joined = {name for names in known.values() for name in names}
    return {**known, **{name: (name,) for name in keypoints if name not in joined}}


def _ways(spec: ConditionSpec) -> list[str]:
    return ["move a slider"] * bool(spec.attributes) + ["drag a point"] * bool(spec.keypoints)


def conditions_in_words(attributes: int, keypoints: int, caption: int) -> str:
    """What can be asked of a mapping: "25 attributes and 27 keypoints"."""
    if caption:
        return "a sentence"
    counts = ((attributes, "attribute"), (keypoints, "keypoint"))
    return " and ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count)


def _about(world: GuestWorld, spec: ConditionSpec) -> str:
    """Which model is open, as HTML."""
    asked = conditions_in_words(len(spec.attributes), len(spec.keypoints), spec.caption)
    rows = (("Edits", asked), ("Draws with", world.generator), ("Reads with", ", ".join(world.heads)))
    told_rows = "".join(f"<div><dt>{title}</dt><dd>{safe(text)}</dd></div>" for title, text in rows)
    return f"<h2 class='guest-name'>{safe(world.mapping)}</h2><dl class='guest-facts'>{told_rows}</dl>"
