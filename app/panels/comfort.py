"""What makes a workbench comfortable: its timeline, the steps of its last edit, sample sheets, links and files.

Handlers, and what listens to them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.core.errors import UserError, told
from app.core.requests import truncation_of
from app.core.session import TAKEN, Edit, Session, present
from app.panels.downloads import Downloads
from app.widgets import share
from app.widgets.scripted import message
from app.widgets.sheet import seed_in, sheet
from app.widgets.timeline import point_of, step_of

if TYPE_CHECKING:
    from app.panels.panel import Updates, Workbench

LINK_IN_ADDRESS = "new URLSearchParams(window.location.search).get('edit') || ''"
"""JavaScript: what stands behind `?edit=` in the page's address."""

WITH_ADDRESS = f"(...values) => [...values.slice(0, -1), {LINK_IN_ADDRESS}]"
"""JavaScript: the address, which the browser alone knows, in place of the last input, `bench.address`."""


@dataclass(frozen=True)
class Comfort:
    """Handlers around one picture.

    Args:
        bench: the picture's.
    """

    bench: Workbench

    def gone_to(self, session: Session | None, value: object) -> Updates:
        """Back, or forward, to a point of the timeline."""
        return self.bench.of(session).show(present(session).at(point_of(value)))

    def taken(self, session: Session | None, value: object) -> Generator[Updates, None, Updates]:
        """A step of the last edit as its result; the path is taken again, by the same plan from the same latent."""
        session, wanted, bench = present(session), step_of(value), self.bench.of(session)
        last = session.last
        if last is None or not 0 <= wanted <= last.plan.max_steps:
            raise UserError("There is no such step: edit, and click one of the pictures below the result.")
        if wanted == 0:
            return bench.show(session.undone())
        first: Any = None
        for step in bench.models.steps(last.plan, session.before):
            first = first or step
            if step.index == wanted:
                break
            yield {bench.stage: message(status=f"Going back to step {wanted} …")}
        if step.index != wanted:
            raise UserError(f"This edit took {step.index} steps: choose one of them.")
        edit = Edit(last.plan, step.latent, wanted, TAKEN, float(step.distance[0]))
        looks = bench.looked(first, last.plan), bench.looked(step, last.plan)
        return bench.show(session.amended(edit), strip=None, mark=wanted, done=(), looks=looks)

    def sheet(self, session: Session | None, variety: object) -> Updates:
        """Pictures to begin with."""
        bench = self.bench.of(session)
        return {bench.sheet: sheet(bench.models, bench.world, truncation_of(variety))}

    def chosen(self, session: Session | None, value: object, variety: object) -> Updates:
        """The picture that was chosen of them."""
        return self.bench.of(session).begin(seed_in(value), variety)

    def link(self, session: Session | None) -> Updates:
        """The link to the picture and its edits."""
        session = present(session)
        bench = self.bench.of(session)
        return {bench.share: message(link=share.link_of(bench.world, bench.noun, session) or "")}

    def opened(self, session: Session | None, path: str | None) -> Updates:
        """A picture from a visitor's file: a latent, or edits."""
        bench = self.bench.of(session)
        if path is None or not path.endswith(".json"):
            return bench.opened(path)
        return bench.show(share.session_in(bench.models, bench.world, share.in_file(Path(path).read_bytes())))


def shared(bench: Workbench, link: object) -> Session | None:
    """The session in the address of the page, if one is there for this kind of picture; told if it is damaged."""
    from sgf_hub.errors import SGFError

    if not share.is_for(bench.noun, link):
        return None
    try:
        return share.session_in(bench.models, bench.world, share.in_link(str(link)))
    except (UserError, SGFError) as error:
        gr.Warning(escape(f"{error} The page begins with another {bench.noun}."), title="The link did not work")
        return None


def wire_link(bench: Workbench, load: Callable, tabs: gr.Tabs, tab: str, in_tabs: list[Any], **options: Any) -> None:
    """Listen to the page's opening, for links to pictures of a tab that is not the first.

    Args:
        bench: the pictures'.
        load: the event.
        tabs: of the page.
        tab: which one shows such pictures.
        in_tabs: the components that `Workbench.in_tabs` fills.
        options: of the event.
    """

    def opened(session: Session | None, seed: object, variety: object, link: object) -> Generator[Updates, None, None]:
        if not share.is_for(bench.noun, link):
            yield {tabs: gr.skip()}  # after a generator that yields nothing, the page would empty every output
            return
        yield {tabs: gr.Tabs(selected=tab)}
        yield from bench.opening(session, seed, variety, link)

    inputs = [bench.session, bench.seed, bench.variety, bench.address]
    load(bench.in_turn(opened), inputs, [tabs, *bench.view, *in_tabs], js=WITH_ADDRESS, **options)


def wire_comfort(bench: Workbench, view: list[Any], quiet: dict[str, Any], hidden: dict[str, Any]) -> None:
    """Listen to all of it.

    Args:
        bench: the picture's.
        view: the components that `Workbench.show` fills.
        quiet: options of events that compute.
        hidden: of those that do not.
    """
    comfort, turn = Comfort(bench), bench.in_turn
    bench.many.click(turn(comfort.sheet), [bench.session, bench.variety], [bench.sheet, bench.stage], **quiet)
    bench.sheet.input(turn(comfort.sheet), [bench.session, bench.variety], [bench.sheet, bench.stage], **quiet)
    for listen, handler, inputs in (
        (bench.sheet.select, comfort.chosen, [bench.session, bench.sheet, bench.variety]),
        (bench.open.upload, comfort.opened, [bench.session, bench.open]),
    ):
        listen(bench.give_way, queue=False, **hidden)
        listen(turn(handler), inputs, view, **quiet)
    moves: tuple[tuple[gr.HTML, Callable], ...] = ((bench.timeline, comfort.gone_to), (bench.stage, comfort.taken))
    for part, move in moves:
        # after the edit that runs has ended, as Undo
        part.select(bench.end_edit, queue=False, **hidden).then(turn(move), [bench.session, part], view, **quiet)
    bench.share_edit.click(told(comfort.link), [bench.session], [bench.share], **hidden)
    _wire_files(bench, quiet, hidden)


def _wire_files(bench: Workbench, quiet: dict[str, Any], hidden: dict[str, Any]) -> None:
    files, outputs = Downloads(bench), [bench.download, bench.share, bench.stage]
    # once its address has arrived
    fetch = f"() => setTimeout(() => document.querySelector('#{bench.download.elem_id}').click(), 60)"
    asked: tuple[tuple[Callable, Callable, list[Any]], ...] = (
        (bench.png.click, files.png, []),
        (bench.gif.click, files.gif, [bench.whole]),
        (bench.mp4.click, files.mp4, [bench.whole]),
        (bench.latent.click, files.latent, []),
        (bench.share.download, files.edits, []),
    )
    for listen, write, more in asked:
        listen(bench.in_turn(write), [bench.session, *more], outputs, **quiet).success(None, js=fetch, **hidden)
