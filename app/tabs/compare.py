"""The tab that sets SGF beside the methods it is compared with: one picture, one wish, every path."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path as FilePath
from threading import Event
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.compare.comparison import DIRECTION, TITLES, Comparison, Direction
from app.compare.curve import curves
from app.compare.path_cards import build_board, build_card, build_result, path_shown
from app.compare.paths import Missing, Path, Progress, picture
from app.core.errors import UserError, as_notices
from app.core.gestures import GESTURES
from app.core.model_sets import DRAWN, FIRST, FLOWERS, ModelSet
from app.core.requests import caption_of
from app.core.session import VARIETY, Origin, Session, present
from app.core.stopping import Stops
from app.panels import links
from app.panels.components import IDLE, TENSORS
from app.panels.events import COMPUTE, QUIET, gathered, in_turn
from app.panels.faces import FacePanel
from app.panels.flowers import FlowerPanel
from app.panels.panel import Updates
from app.tabs import components, vote
from app.widgets.attribute_sliders import groups_of
from app.widgets.captions import safe, unfamiliar
from app.widgets.scripted import message

if TYPE_CHECKING:
    from sgf_hub.types import Latent

KINDS = ("Attribute", "Gesture", "Sentence")
WAYS = {"Flip it": None, "Add it": True, "Take it away": False}
ALONE = {
    KINDS[
        1
    ]: "Keypoints are for SGF alone: InterFaceGAN and GANSpace have a direction for each attribute, and none for "
    "a point. Latent descent is compared on attributes only.",
    KINDS[2]: "Sentences are for SGF alone: InterFaceGAN and GANSpace have no direction for words, and latent descent "
    "needs a slope, which a caption lacks.",
}
_DONE = {
    KINDS[0]: "All paths are there: go along each with its slider.",
    KINDS[
        1
    ]: "The path is there: go along it with its slider. The percentage is how much of their way the points went.",
    KINDS[2]: "The path is there: go along it with its slider. The percentage is the similarity of the caption, as the "
    "model reads it, to your words.",
}
_NEWS = 0.25  # seconds between two words on where a method is


@dataclass(frozen=True)
class Wish:
    """What the page asks for, checked.

    Args:
        kind: of `KINDS`.
        name: the attribute, the gesture, or the sentence.
        wanted: of an attribute: whether it should appear or go; None for the other of what it is.
    """

    kind: str
    name: str
    wanted: bool | None = None


def wish_of(names: Sequence[str], kind: object, attribute: object, way: object, gesture: object, words: object) -> Wish:
    """The controls' values as a wish.

    Args:
        names: the attributes that there are.
        kind: of `KINDS`.
        attribute: what should change.
        way: of `WAYS`.
        gesture: of `GESTURES`.
        words: the sentence.

    Raises:
        UserError: for what the controls do not offer.
        BadValueError: for words that are none.
    """
    if kind == KINDS[0] and attribute in names and isinstance(way, str) and way in WAYS:
        return Wish(KINDS[0], str(attribute), WAYS[way])
    if kind == KINDS[1] and isinstance(gesture, str) and gesture in GESTURES:
        return Wish(KINDS[1], gesture)
    if kind == KINDS[2]:
        return Wish(KINDS[2], caption_of(words))
    raise UserError("The page sent a wish that cannot be compared: choose one of those on the page.")


@dataclass
class CompareTab:
    """The tab: its components and handlers.

    Args:
        faces: their panel.
        flowers: the flowers'.
    """

    faces: FacePanel
    flowers: FlowerPanel

    def __post_init__(self) -> None:
        self.stops = Stops()

    def comparison(self, face: Session | None) -> Comparison:
        """The methods, on the kind of a face."""
        return Comparison(self.faces.set_of(face), self.faces.models)

    # -- the page -----------------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Build the tab, and listen to it."""
        with gr.Tab("Compare", id="compare", elem_id="tab-compare") as tab:
            gr.HTML(
                "<p class='hint'>The same picture and the same wish through SGF and the methods it is compared with. "
                "Ask for one thing, and see what else changes.</p>",
                apply_default_css=False,
            )
            self.compared = gr.State("", time_to_live=IDLE)
            self._build_wish()
            build_result()
            with gr.Row(elem_classes="paths"):
                self.source = build_card("source", "Before")
                self.cards = {method: build_card(method, title) for method, title in TITLES.items()}
            self.board = build_board()
            with gr.Column(visible=FIRST != FLOWERS) as self.faces_alone:
                components.build(self.faces)
            with gr.Column(visible=FIRST == DRAWN) as self.drawn_alone:
                vote.build(Comparison(self.faces.drawn, self.faces.models))
        controls = [self.kind, self.attribute, self.way, self.gesture, self.words]
        self.pictures = [*self.faces.inputs, *self.flowers.inputs]
        self.view = [
            self.compared, self.source, *self.cards.values(), self.board, self.go, self.stop,
            self.faces.session, self.faces.stage, self.flowers.session, self.flowers.stage,
        ]  # fmt: skip
        self.listen(tab.select)
        self.listen(self.kind.input)
        self.kind.change(self._asked_by, self.kind, [*self.groups, self.alone], queue=False, **QUIET)
        begun = [self.go.click, self.words.submit]
        gr.on(begun, as_notices(self.run), [*controls, *self.pictures, self.direction], self.view, **COMPUTE, **QUIET)
        taken = [self.direction, self.said]
        self.bring.upload(as_notices(self.take_direction), [self.bring, self.faces.session], taken, **QUIET)
        self.stop.click(self.ask_to_stop, queue=False, **QUIET)

    def listen(self, event: Any) -> None:
        """Show the picture as it is after an event."""
        inputs = [self.kind, self.compared, *self.pictures]
        event(in_turn(self.faces.models.queue, self.opened), inputs, self.view, **COMPUTE, **QUIET)

    @property
    def suiting(self) -> list[Any]:
        """The components that `suited` fills."""
        return [self.kind, self.faces_alone, self.drawn_alone, self.attribute, self.bringing]

    def suited(self, kind: str) -> Updates:
        """What can be asked of a kind of picture, of `model_sets.KINDS`."""
        asked = list(KINDS[2:] if kind == FLOWERS else KINDS[:2])
        updates: Updates = {
            self.kind: gr.Radio(asked, value=asked[0], visible=len(asked) > 1),
            self.faces_alone: gr.Column(visible=kind != FLOWERS),
            self.drawn_alone: gr.Column(visible=kind == DRAWN),
            self.bringing: gr.Row(visible=kind != FLOWERS),
        }
        if kind in self.faces.kinds:
            updates[self.attribute] = gr.Dropdown(_labelled(self.faces.kinds[kind].reads), value="glasses")
        return updates

    def _build_wish(self) -> None:
        with gr.Row(elem_classes="compare-wish", equal_height=True):
            self.kind = gr.Radio(
                list(KINDS[:2]), value=KINDS[0], label="Ask for", elem_id="compare-kind", min_width=150
            )
            with gr.Row(elem_classes="compare-asked", equal_height=True) as by_attribute:
                self.attribute = gr.Dropdown(
                    _labelled(self.faces.model_set.reads), value="glasses", label="Attribute",
                    elem_id="compare-attribute", min_width=130,
                )  # fmt: skip
                self.way = gr.Radio(list(WAYS), value="Flip it", label="Which way", elem_id="compare-way")
            with gr.Row(visible=False, elem_classes="compare-asked") as by_gesture:
                self.gesture = gr.Dropdown(
                    [(name.capitalize(), name) for name in GESTURES], value="smile", label="Gesture",
                    elem_id="compare-gesture",
                )  # fmt: skip
            with gr.Row(visible=False, elem_classes="compare-asked") as by_sentence:
                self.words = gr.Textbox(
                    label="What the flower should become", placeholder="a small purple flower with pointed petals",
                    max_lines=3, elem_id="compare-words", elem_classes="caption",
                )  # fmt: skip
            self.groups = [by_attribute, by_gesture, by_sentence]
            with gr.Column(elem_classes="actions", min_width=130, scale=0):
                self.go = gr.Button("Compare", variant="primary", elem_id="compare-go")
                self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="compare-stop")
        with gr.Row(visible=FIRST != FLOWERS, elem_classes="compare-bring") as self.bringing:
            self.direction = gr.State(None, time_to_live=IDLE)
            self.bring = gr.UploadButton(
                "Add a direction of your own", size="sm", min_width=200, scale=0, file_types=TENSORS,
                elem_id="compare-direction",
            )  # fmt: skip
            self.said = gr.HTML(_said(None), elem_id="compare-direction-said", apply_default_css=False)
        self.alone = gr.HTML(visible=False, apply_default_css=False, elem_id="compare-alone")

    def _asked_by(self, kind: object) -> list[Any]:
        alone = ALONE.get(str(kind), "")
        return [
            *(gr.Row(visible=kind == one) for one in KINDS),
            gr.HTML(f'<p class="notice">{alone}</p>', visible=bool(alone)),
        ]

    # -- handlers -----------------------------------------------------------------------------------------------------

    def opened(self, kind: object, compared: object, *pictures: Any) -> Iterator[Updates]:
        """The picture as it is now; what was compared stays for as long as it is the same one."""
        face, flower = yield from self._recovered(*pictures)
        model_set, latent, note = self._start(kind, face, flower)
        mark = _mark(str(kind), model_set, latent)
        cleared = {} if mark == compared else self._cleared(kind, self.comparison(face), model_set, latent, note)
        yield {self.compared: mark, **cleared}

    def _recovered(
        self, face: Session | None, face_sent: object, flower: Session | None, flower_sent: object
    ) -> Generator[Updates, None, tuple[Session | None, Session | None]]:
        face = yield from links.recovered(self.faces, face, face_sent)
        return face, (yield from links.recovered(self.flowers, flower, flower_sent))

    def _start(self, kind: object, face: Session | None, flower: Session | None) -> tuple[ModelSet, Latent, str]:
        """The picture that is compared: whose it is, its latent, and which it is."""
        if kind != KINDS[2]:
            return self.faces.set_of(face), present(face).latent, standing(present(face), "face")
        if flower is None:  # no flower was looked at yet: the first
            flowers = self.flowers.set_of(None)
            flower = Session(Origin(self.flowers.models.sample(flowers, flowers.first, VARIETY), flowers.first))
        return self.flowers.set_of(flower), flower.latent, standing(present(flower), "flower")

    def take_direction(self, path: object, face: Session | None) -> tuple[Direction, str]:
        """A visitor's direction, to take part from now on.

        Raises:
            SpaceError: if it is one of another generator's latents, which the sentence names.
            CorruptFileError: if the file is damaged, or no direction.
        """
        from sgf_hub.latents import read_direction

        if not isinstance(path, str):
            raise UserError("The page sent no file: choose one with a direction.")
        generator = self.faces.set_of(face).generator
        name = FilePath(path).name
        direction = Direction(name, generator, read_direction(path, self.faces.models.generator(generator)))
        return direction, _said(direction)

    def _cleared(
        self, kind: object, comparison: Comparison, model_set: ModelSet, latent: Latent, note: str,
        direction: Direction | None = None,
    ) -> Updates:  # fmt: skip
        panel = self.flowers if kind == KINDS[2] else self.faces
        image = panel.models.draw(model_set, latent)
        source = message(state="source", image=picture(image), alt=f"{note} Before the edit.", note=note)
        there = _taking_part(kind, comparison, direction)
        cards = {card: message(state="waiting" if m in there else "away") for m, card in self.cards.items()}
        return {self.source: source, **cards, self.board: message(open=False)}

    def run(
        self, request: gr.Request, kind: object, attribute: object, way: object, gesture: object, words: object,
        face: Session | None, face_sent: object, flower: Session | None, flower_sent: object,
        direction: Direction | None = None,
    ) -> Iterator[Updates]:  # fmt: skip
        """Compare when it is the visitor's turn: each method's path as soon as it is there."""
        face, flower = yield from self._recovered(face, face_sent, flower, flower_sent)
        wish = wish_of(self.faces.set_of(face).reads, kind, attribute, way, gesture, words)
        brought = direction if wish.kind == KINDS[0] else None
        yield from gathered(self._run(str(request.session_hash), wish, face, flower, brought))

    def _run(
        self, who: str, wish: Wish, face: Session | None, flower: Session | None, direction: Direction | None
    ) -> Iterator[Updates]:
        event = self.stops.begin(who)
        try:
            yield from self.faces.models.queue.work(who, self._steps(wish, face, flower, event, direction))
        except Exception:
            yield {self.board: message(open=False), **self._running(False)}
            raise
        finally:
            self.stops.end(who, event)

    def _steps(
        self, wish: Wish, face: Session | None, flower: Session | None, event: Event, direction: Direction | None
    ) -> Iterator[Updates]:
        model_set, latent, note = self._start(wish.kind, face, flower)
        comparison = self.comparison(face)
        cleared = self._cleared(wish.kind, comparison, model_set, latent, note, direction)
        yield {self.compared: _mark(wish.kind, model_set, latent), **cleared, **self._running(True)}
        waiting = _taking_part(wish.kind, comparison, direction)
        paths: list[Path] = []
        shown_at = 0.0
        for item in self._events(comparison, wish, latent, direction):
            card = self.cards[item.method]
            if isinstance(item, Path):
                paths.append(item)
                board = self._board(comparison, wish, paths)
                yield {card: path_shown(item, whole=wish.kind in ALONE), self.board: board}
            elif isinstance(item, Missing):
                yield {card: message(state="missing", says=item.why)}
            elif time.monotonic() - shown_at > _NEWS:
                shown_at = time.monotonic()
                yield {card: message(state="waiting", says=f"Step {item.step} …" if item.step else "Loading …")}
            if not isinstance(item, Progress):
                waiting.remove(item.method)
            if event.is_set() and waiting:
                says = "Stopped before its path was there."
                yield {self.cards[method]: message(state="missing", says=says) for method in waiting}
                break
        note = "Stopped. The paths that are there stay." if waiting else _DONE[wish.kind]
        yield {self.board: {**self._board(comparison, wish, paths), "note": note}, **self._running(False)}

    def _events(
        self, comparison: Comparison, wish: Wish, latent: Latent, direction: Direction | None = None
    ) -> Iterator[Any]:
        if wish.kind == KINDS[0]:
            yield from comparison.attribute(latent, wish.name, wish.wanted, direction=direction)
        elif wish.kind == KINDS[1]:
            yield from comparison.gesture(latent, wish.name)
        else:
            yield Progress("sgf", 0)
            view = self.flowers.view_on(self.flowers.model_set)
            found = view.captioning.familiarity(wish.name)  # waits for what reads sentences to be loaded
            if not found.known:
                gr.Warning(safe(unfamiliar(found.nearest)), title="These words are not known")
            yield from comparison.sentence(view, latent, wish.name)

    def _board(self, comparison: Comparison, wish: Wish, paths: list[Path]) -> dict[str, Any]:
        matched = wish.kind == KINDS[0]
        judged = matched and comparison.judged(wish.name)
        observer = "the judge, which steers no method" if judged else "the predictor, which steers SGF"
        return message(
            open=True, matched=matched, effects=wish.kind != KINDS[2], observer=observer, curves=curves(paths, TITLES)
        )  # fmt: skip

    def _running(self, running: bool) -> Updates:
        return {self.go: gr.Button(visible=not running), self.stop: gr.Button(visible=running)}

    def ask_to_stop(self, request: gr.Request) -> None:
        """End the visitor's comparison; the paths that are there stay."""
        self.stops.ask(str(request.session_hash))


def standing(session: Session, noun: str) -> str:
    """Which picture it is, in words."""
    origin, count = session.origin, session.cursor
    name = origin.title if origin.seed is None else f"{noun.capitalize()} {origin.seed}."
    return name if not count else f"{name.rstrip('.')}, after {count} edit{'s' if count > 1 else ''}."


def _taking_part(kind: object, comparison: Comparison, direction: Direction | None) -> list[str]:
    """The methods that are asked for a kind of wish, a visitor's direction among them."""
    return ["sgf"] if kind in ALONE else [*comparison.present(), *([DIRECTION] if direction else [])]


def _said(direction: Direction | None) -> str:
    """What stands beside the button for a direction."""
    if direction is None:
        return "<p class='hint'>Of InterFaceGAN or e4e, for these pictures: .npy, .pt, .npz or .safetensors.</p>"
    return f"<p class='hint' role='status'>{escape(direction.name)} takes part in the next comparison.</p>"


def _labelled(names: Sequence[str]) -> list[tuple[str, str]]:
    """Attributes as a choice."""
    return [(label, name) for _, members in groups_of(names) for name, label in members]


def _mark(kind: str, model_set: ModelSet, latent: Latent) -> str:
    """Names what the page compares: the picture, and what is asked of it."""
    data = latent.data.detach().float().cpu().contiguous().numpy().tobytes()
    return hashlib.sha256(f"{kind} {model_set.generator} {latent.space} ".encode() + data).hexdigest()[:16]


def build(faces: FacePanel, flowers: FlowerPanel) -> CompareTab:
    """Build the tab."""
    tab = CompareTab(faces, flowers)
    tab.build()
    return tab
