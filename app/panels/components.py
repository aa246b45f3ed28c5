"""The components of an editor panel: the stage on the left, the result below; what they do is `app.panels.panel`'s."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gradio as gr

from app.core.model_sets import ModelSet
from app.core.session import VARIETY, Plan
from app.panels.actions import build_hint
from app.widgets import stage
from app.widgets.share import build_link, build_share
from app.widgets.sheet import COUNT, build_sheet
from app.widgets.timeline import build_timeline

MakePlan = Callable[..., Plan]
"""(view, session, *values of a tab's controls) => what they ask for."""
TENSORS = [".safetensors", ".npz", ".npy", ".pt", ".pth"]  # latents and directions, ours and others'
_FOLDED = "<details><summary>What changed, in numbers</summary><div>${value}</div></details>"
_STAYS_OPEN = """
let open = false; // which a new report would forget
element.addEventListener("toggle", (event) => { open = event.target.open; }, true);
watch("value", () => requestAnimationFrame(() => { element.querySelector("details").open = open; }));
"""
IDLE = 3600  # seconds after which a visitor's session is let go


@dataclass
class Offer:
    """A way to edit that a tab offers.

    Args:
        edit: its Edit button.
        stop: the Stop button that stands there while an edit runs.
        make_plan: what its controls ask for; raises for what cannot be asked.
        inputs: the tab's controls.
        events: what begins an edit.
        run: in place of `make_plan`, a handler of its own: (request, session, *values of the inputs).
    """

    edit: gr.Button
    stop: gr.Button
    make_plan: MakePlan | None = None
    inputs: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    run: Callable[..., Iterator[dict[Any, Any]]] | None = None


class Components:
    """The components around one picture.

    Attributes:
        session: the visitor's `Session`.
        offers: the ways to edit it, one a tab.
        sources: what else gives another picture: an event, its handler and the inputs of that.
        fitting: components that look otherwise for another model set, and how.
    """

    noun: ClassVar[str]
    """What the picture shows, in one word."""
    prefix: ClassVar[str] = ""
    """Of the ids of its components."""
    tab: ClassVar[str] = "keypoints"
    """Whose Edit moves them."""
    alone: ClassVar[bool] = False
    """Whether one tab alone edits such a picture."""
    offers: list[Offer]
    sources: list[tuple[Callable, Callable, list[Any]]]
    fitting: dict[Any, Callable[[ModelSet], Any]]
    session: gr.State

    def build_stage(self) -> None:
        """The picture, and what is said of it."""
        with gr.Column(elem_classes=f"of-{self.noun}"):
            self.session = gr.State(None, time_to_live=IDLE)
            self.link = build_link(elem_id=self._id("link"))
            self.stage = stage.build_canvas(noun=self.noun, elem_id=self._id("stage"), tab=self.tab, alone=self.alone)

    def build_tools(self) -> None:
        """The way back, and other pictures."""
        with gr.Column(elem_classes=f"of-{self.noun}"):
            self.timeline = build_timeline(elem_id=self._id("timeline"))
            self.sheet = build_sheet(self.noun, elem_id=self._id("sheet"))
            with gr.Row(elem_classes="tools", equal_height=True):
                self.undo = self._button("undo", "Undo", interactive=False, min_width=60)
                self.redo = self._button("redo", "Redo", interactive=False, min_width=60)
                self.reset = self._button("reset", "Reset", interactive=False, min_width=60)
                self.open = gr.UploadButton(
                    "Open", size="sm", min_width=60, file_types=[*TENSORS, ".json"], elem_id=self._id("open-latent"),
                )  # fmt: skip
                self.many = self._button("many", f"{COUNT} {self.noun}s", min_width=76)
            with gr.Row(elem_classes="seed-bar", equal_height=True):
                self.seed = gr.Textbox(
                    label=f"{self.noun.capitalize()} number", max_lines=1, max_length=24,
                    elem_id=self._id("seed"), elem_classes="seed", min_width=90, scale=2,
                )  # fmt: skip
                self.variety = gr.Slider(
                    0, 1, VARIETY, step=0.05, label="Variety", elem_id=self._id("variety"), elem_classes="variety",
                    min_width=130, scale=3, buttons=[],
                )  # fmt: skip
                # in Z, nothing can be drawn towards a mean
                self.fitting[self.variety] = lambda model_set: gr.Slider(visible=model_set.space == "w")
                self.shuffle = gr.Button(
                    f"New {self.noun}", elem_id=self._id("shuffle"), elem_classes="shuffle", min_width=90, scale=2
                )

    def build_result(self) -> None:
        """What can be taken home, and the report; hidden until there is an edit."""
        classes = ["result", f"of-{self.noun}"]
        with gr.Column(visible=False, elem_classes=classes, elem_id=self._id("result")) as self.result:
            with gr.Row(elem_classes="take-home"):
                self.png = self._button("save-png", "Save PNG", min_width=80)
                self.gif = self._button("save-gif", "Save GIF", min_width=80)
                self.mp4 = self._button("save-mp4", "Save MP4", min_width=80)
                self.latent = self._button("save-latent", "Save latent", min_width=80)
                self.share_edit = self._button("share", "Share", min_width=80)
            self.whole = gr.Checkbox(
                False, label="GIF and MP4 of all edits", visible=False,
                container=False, elem_id=self._id("whole"), elem_classes="whole",
            )  # fmt: skip
            self.share = build_share(elem_id=self._id("share-link"))
            self.verdict = gr.HTML(
                html_template=_FOLDED, js_on_load=_STAYS_OPEN, elem_id=self._id("verdict"),
                elem_classes=["account", "fold"], apply_default_css=False,
            )  # fmt: skip
            with gr.Accordion("Copy as Python", open=False, elem_classes="fold"):
                self.code = gr.Code(
                    language="python", show_label=False, elem_id=self._id("code"), interactive=False, lines=6
                )
        self.download = gr.DownloadButton(visible="hidden", elem_id=self._id("download"))

    @property
    def inputs(self) -> list[Any]:
        """What every handler is given: the session, and the link that restores it where the server has none."""
        return [self.session, self.link]

    def _button(self, name: str, label: str, **options: Any) -> gr.Button:
        return gr.Button(label, size="sm", elem_id=self._id(name), **options)

    def _id(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def fitted(self, model_set: ModelSet) -> dict[Any, Any]:
        """What differs between model sets, as one of them has it."""
        return {component: look(model_set) for component, look in self.fitting.items()}

    # -- how tabs edit ------------------------------------------------------------------------------------------------

    def build_actions(self, run_id: str, hint: str, kinds: Iterable[str], label: str = "Edit") -> Offer:
        """Edit and Stop, one in place of the other, and what is asked; `hint` and `kinds` are those of `build_hint`."""
        ids = {"edit": f"edit-{run_id}", "stop": f"stop-{run_id}"}
        with gr.Column(elem_classes="acting"):
            build_hint(hint, kinds=kinds, **ids)
            with gr.Row(elem_classes="actions"):
                edit = gr.Button(label, variant="primary", elem_id=ids["edit"])
                stop = gr.Button("Stop", variant="stop", visible=False, elem_id=ids["stop"])
        self.offers.append(Offer(edit, stop))
        return self.offers[-1]

    def offer(self, make_plan: MakePlan, inputs: list[Any], *also: Any) -> None:
        """Say how a tab edits: what its Edit, the last one built, does.

        Args:
            make_plan: see `Offer`.
            inputs: the tab's controls.
            also: events that do what Edit does.
        """
        offer = self.offers[-1]
        offer.make_plan, offer.inputs, offer.events = make_plan, inputs, [offer.edit.click, *also]
