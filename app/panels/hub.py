"""The panel of a mapping that a visitor opened by name; each visitor may have opened another one.

Its components are built once, and show what the mapping's condition allows: sliders, points on the picture, a sentence.
What they run on is in the visitor's session, as names (`HubModelSet`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.core.errors import UserError
from app.core.model_sets import HubModelSet, ModelSet
from app.core.requests import caption_of, options_of
from app.core.session import STEP_SIZES, VARIETY, Plan, Session
from app.core.stopping import Stops
from app.models.hub_models import HubModels
from app.models.services import Models
from app.panels.actions import announce
from app.panels.panel import EditorPanel
from app.panels.views import AttributeView, CaptionView, ConditionView, Updates, asked_of
from app.widgets.attribute_sliders import build_sliders
from app.widgets.captions import safe

if TYPE_CHECKING:
    from sgf_hub.types import ConditionSpec


class HubPanel(EditorPanel):
    """Components around one picture of a loaded model.

    Args:
        models: of the page, whose queue these share.
        stops: of this panel.
        hub_models: the models; those of the page itself by default.
    """

    noun = "picture"
    prefix = "loaded-"
    tab = "loaded"
    alone = True
    sliders: gr.HTML
    notice: gr.HTML

    def __init__(self, models: Models, stops: Stops, hub_models: HubModels | None = None) -> None:
        super().__init__(None, models, stops)
        self.hub_models = hub_models or HubModels(models)

    # -- whose models -------------------------------------------------------------------------------------------------

    def set_of(self, session: Session | None) -> HubModelSet:
        """What a visitor opened.

        Raises:
            UserError: if the session was let go.
        """
        if not isinstance(session, Session) or not isinstance(session.model_set, HubModelSet):
            raise UserError(
                "The server restarted, or let this page's model go after a long time: open it again in the tab Zoo."
            )
        return session.model_set

    def view_on(self, model_set: ModelSet) -> ConditionView:
        """What reads and shows the pictures of a model, loaded again if it went."""
        assert isinstance(model_set, HubModelSet)
        models = self.hub_models.models_of(model_set)
        if models.predictor(model_set.heads).spec.caption:
            return CaptionView(models, model_set, self.notice)
        return AttributeView(models, model_set, self.sliders)

    def load(self, model_set: ModelSet) -> Iterator[str]:
        """A model that went is loaded again."""
        assert isinstance(model_set, HubModelSet)
        yield from self.hub_models.bring_back(model_set)

    # -- what is built by the tab -------------------------------------------------------------------------------------

    def build_sections(self) -> None:
        """Everything that a condition may need; `sections` shows what one does."""
        with gr.Row(elem_classes="loaded-head"):
            self.about = gr.HTML(elem_id="loaded-about", apply_default_css=False)
            self.another = gr.Button("Open another", size="sm", min_width=110, elem_id="loaded-another", scale=0)
        with gr.Column(visible=False) as self.points_part:
            gr.HTML(
                "<p class='hint'>Drag the points on the picture to where they should be.</p>", apply_default_css=False
            )
        with gr.Column(visible=False) as self.sliders_part:
            gr.HTML(
                "<p class='hint'>Move a slider to ask for a change. The rest is held, unless you open its lock.</p>",
                apply_default_css=False,
            )
            self.sliders = build_sliders(elem_id="loaded-panel", tab=self.tab, alone=True)
        with gr.Column(visible=False) as self.words_part:
            self.text = gr.Textbox(
                label="What the picture should become", lines=1, max_lines=4, elem_id="loaded-caption",
                elem_classes="caption",
            )  # fmt: skip
            self.notice = gr.HTML(elem_id="caption-notice", apply_default_css=False, visible=False)
        kinds = [f"{self.tab} {kind}" for kind in ("wishes", "points", "caption")]
        self.build_actions("loaded", "Nothing is asked yet.", kinds)
        announce(self.text, "loaded caption")
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
            self.step_size, *self.fitting,
        ]  # fmt: skip

    def opened_sections(self, view: ConditionView) -> Updates:
        """Them for a model, with nothing asked."""
        spec, model_set = spec_of(view), view.model_set
        assert isinstance(model_set, HubModelSet)
        return {
            self.about: _about(model_set, spec),
            self.points_part: gr.Column(visible=bool(spec.keypoints)),
            self.sliders_part: gr.Column(visible=bool(spec.attributes)),
            self.words_part: gr.Column(visible=bool(spec.caption)),
            self.text: "",
            self.max_steps: 60,
            self.step_size: gr.Slider(value=STEP_SIZES[model_set.space], visible=not spec.caption),
            **self.fitted(model_set),
        }

    # -- handlers -----------------------------------------------------------------------------------------------------

    def open_model(self, name: object, who: str) -> Iterator[str | tuple[HubModelSet, Updates]]:
        """Open a mapping by name; what was open stays where that fails.

        Args:
            name: an entry of the zoo, or a Hub id.
            who: the visitor, by the page's session.

        Yields:
            How it goes, in sentences; at the end its model set and all that the page shows of it.
        """
        for news in self.hub_models.open(name):
            if isinstance(news, str):
                yield news
                continue
            yield from self.load(news)
            self.stops.ask(who, superseded=True)

            def first(model_set: HubModelSet = news) -> Iterator[Updates]:
                view = self.view_on(model_set)
                seed = _first_seed(spec_of(view), model_set)
                yield {**self.begin(view, seed, VARIETY), **self.opened_sections(view)}

            for item in self.models.queue.work(who, first()):
                yield news, item

    def plan_of(
        self, view: ConditionView, session: Session, sliders: object, points: object, words: object, *stepping: object
    ) -> Plan:
        """What the sliders and the points, or the words, ask for."""
        spec, options, model_set = spec_of(view), options_of(*stepping), view.model_set
        assert isinstance(model_set, HubModelSet)
        if spec.caption:
            options.pop("step_size", None)
            return Plan(model_set.mapping, {"caption": caption_of(words)}, **options)
        nothing = f"Nothing is asked for yet: {' or '.join(_ways(spec))} first."
        asked, release, _ = asked_of(view.read(session.latent), sliders, points, nothing)
        return Plan(model_set.mapping, asked, release, **options)


def spec_of(view: ConditionView) -> ConditionSpec:
    """What can be asked of a view's pictures."""
    return view.models.predictor(view.model_set.heads).spec


def _first_seed(spec: ConditionSpec, model_set: HubModelSet) -> int:
    """The picture that the mapping's card begins with."""
    from sgf_hub.hub.publishing.code import example_of

    known = {"caption": spec.caption, "attributes": spec.attributes, "keypoints": spec.keypoints}
    return example_of({**known, "latent_space": model_set.space})[0]


def _ways(spec: ConditionSpec) -> list[str]:
    return ["move a slider"] * bool(spec.attributes) + ["drag a point"] * bool(spec.keypoints)


def conditions_in_words(attributes: int, keypoints: int, caption: int) -> str:
    """What can be asked of a mapping: "25 attributes and 27 keypoints"."""
    if caption:
        return "a sentence"
    counts = ((attributes, "attribute"), (keypoints, "keypoint"))
    return " and ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count)


def _about(model_set: HubModelSet, spec: ConditionSpec) -> str:
    """Which model is open, as HTML."""
    asked = conditions_in_words(len(spec.attributes), len(spec.keypoints), spec.caption)
    rows = (("Edits", asked), ("Draws with", model_set.generator), ("Reads with", ", ".join(model_set.heads)))
    listed = "".join(f"<div><dt>{title}</dt><dd>{safe(text)}</dd></div>" for title, text in rows)
    return f"<h2 class='loaded-name'>{safe(model_set.mapping)}</h2><dl class='loaded-facts'>{listed}</dl>"
