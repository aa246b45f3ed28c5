"""The blind vote below a comparison: two results in random order, a choice, and which was which."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from app.compare.comparison import METHODS, Comparison
from app.compare.vote import Pair, VotePair, VoteService, revealed
from app.core.errors import as_notices
from app.panels.components import IDLE
from app.panels.events import COMPUTE, QUIET

CHOICES = {"left": "Left", "right": "Right", "neither": "Cannot tell"}
_INTRO = """
<p class='hint'>Two methods had the same wish. Which picture changed to it best, while keeping the rest? One of them is
SGF, the other one of the methods it is compared with, each at the best point of its own path. You are told which was
which after your vote. A vote is kept as the wish, the face's number, the two methods, your choice and the day: nothing
about you, no address and no time.</p>
"""


def build(comparison: Comparison) -> VoteService:
    """Build the section, and listen to it."""
    service = VoteService(comparison)
    with gr.Column(elem_classes="vote", elem_id="vote"):
        gr.HTML("<h2 class='section-title'>Vote blind</h2>" + _INTRO, apply_default_css=False)
        vote_pair = gr.State(None, time_to_live=IDLE)
        pair = gr.HTML(apply_default_css=False, elem_id="vote-pair")
        with gr.Row(visible=False, elem_classes="vote-choices") as choices:
            buttons = {
                choice: gr.Button(label, elem_id=f"vote-{choice}", min_width=90) for choice, label in CHOICES.items()
            }
        result = gr.HTML(apply_default_css=False, elem_id="vote-result")
        more = gr.Button("Show a pair", elem_id="vote-next", elem_classes="vote-next")

    @as_notices
    def draw(request: gr.Request) -> Iterator[dict[Any, Any]]:
        yield {pair: "<p class='hint' role='status'>Drawing a pair …</p>", choices: gr.Row(visible=False), result: ""}
        for item in comparison.models.queue.work(str(request.session_hash), service.draw()):
            if isinstance(item, Pair):
                yield {
                    vote_pair: item.vote_pair, pair: shown(item), choices: gr.Row(visible=True), result: "",
                    more: gr.Button("Skip this pair"),
                }  # fmt: skip

    def take(choice: str) -> Any:
        def handler(drawn: VotePair | None) -> dict[Any, Any]:
            counted = service.cast(drawn, choice)
            assert drawn is not None  # or it was refused
            words = f"<p class='reveal' role='status'>{escape(revealed(drawn, choice))}</p>{counts(counted)}"
            return {result: words, choices: gr.Row(visible=False), more: gr.Button("Next pair")}

        return as_notices(handler)

    more.click(draw, None, [vote_pair, pair, choices, result, more], **COMPUTE, **QUIET)
    for choice, button in buttons.items():
        button.click(take(choice), vote_pair, [result, choices, more], concurrency_id="vote", **QUIET)
    return service


def shown(pair: Pair) -> str:
    """A pair as HTML; nothing in it says which method is which."""
    figures = (
        ("Before", "the picture before", pair.source),
        ("Left", "the left result", pair.left),
        ("Right", "the right result", pair.right),
    )
    pictures = "".join(
        f'<figure><img src="{image}" alt="{alt}"><figcaption>{title}</figcaption></figure>'
        for title, alt, image in figures
    )
    wish = f"<p class='vote-wish' role='status'>The wish: <b>{escape(pair.vote_pair.wish)}.</b></p>"
    ask = "<p class='vote-ask'>Which changed the picture to the wish best, while keeping the rest?</p>"
    return f"{wish}<div class='vote-figures'>{pictures}</div>{ask}"


def counts(tally: Any) -> str:
    """A `Tally` as HTML: one row a pair of methods."""
    rows = []
    for (first, second), count in tally.pairs.items():
        low, high = count.interval
        share = "–" if count.share is None else f"{count.share:.0%} ({low:.0%} to {high:.0%})"
        names = [escape(METHODS.get(name, name)) for name in (first, second)]
        rows.append(
            f"<tr><th>{names[0]} or {names[1]}</th><td>{count.wins} : {count.losses}</td><td>{count.ties}</td>"
            f"<td>{share}</td></tr>"
        )
    head = "<tr><th>All votes so far</th><th>Won</th><th>Cannot tell</th><th>Share of the first</th></tr>"
    return (
        f"<table class='tally'><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table><p class='hint'>The share is "
        "of the votes that chose one, with its 95 % confidence interval (Wilson).</p>"
    )
