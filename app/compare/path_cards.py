"""The components of a comparison: a card a method, with its path, and the board below with what they have in common.

The browser's parts are `static/compare_path.js` and `static/compare.js`; what a server's message holds is said here.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from app.compare.comparison import TITLES
from app.compare.paths import Path
from app.widgets.scripted import message, scripted

# Gradio reads these as templates: no backticks, no braces.
_CARD = """
<div class="path m-METHOD" data-state="waiting" role="group" aria-label="TITLE">
  <h3>TITLE</h3>
  <div class="path-frame"><img alt="" draggable="false"><p class="path-wait">ABOUT</p></div>
  <label class="path-slide" hidden><span class="sr">Strength of TITLE</span>
    <input type="range" min="0" max="1" step="1" value="0"><output></output></label>
  <p class="path-says"></p>
</div>
"""
_BOARD = """
<div class="board" hidden>
  <p class="board-note" role="status"></p>
  <div class="levels" hidden>
    <label for="compare-level">Show every path where the wish is there to
      <output class="level-value">90 %</output></label>
    <input id="compare-level" type="range" min="10" max="99" step="1" value="90">
    <button type="button" class="level-best">Best of each</button>
    <p class="hint">Matched: the first step of each path where what you asked for is that far there, or the nearest the
    path gets to it, as seen by <span class="observer"></span>. Best of each: where the wish and the rest together are
    best, marked by a ring in the curves.</p>
  </div>
  <div class="board-halves">
    <div class="effects" hidden>
      <h3 class="group-title">Side effects</h3>
      <table class="effects-table" role="table">
        <thead role="rowgroup"><tr role="row"><th role="columnheader">Method</th><th role="columnheader">Asked</th>
        <th role="columnheader">Also changed</th><th role="columnheader">The rest looks</th>
        <th role="columnheader">Steps</th>
        <th role="columnheader">Time</th></tr></thead>
        <tbody role="rowgroup"></tbody>
      </table>
      <p class="hint">Also changed: other attributes that are now there or gone, as seen by
      <span class="observer"></span>; those that exclude what you asked for are not counted. The rest looks: how like
      the picture before it is away from where the wish shows. Time: of computing up to the step that is shown.</p>
    </div>
    <details class="curves-box" hidden>
      <summary class="group-title">The whole way as a curve: what was kept as the wish came</summary>
      <div class="curves"></div>
      <p class="hint">Across is how far the probability of what you asked for came, upright what the others kept on
      average; the number is the area under the curve: more is better.</p>
    </details>
  </div>
</div>
"""


_ABOUT = {
    "sgf": "Follows a field learned from samples, and stops where the wish is met.",
    "sgf-paper": "The same field, in the paper's equal steps.",
    "interfacegan": "Straight on, across the attribute's boundary.",
    "ganspace": "Along the principal component that fits the attribute best.",
    "lace": "Down the energy of classifiers of latents, by an ODE.",
    "stylespace": "Along the style channels that the attribute answers to.",
    "direction": "Straight on, along the direction that you brought.",
    "latent-descent": "Downhill on the error, through generator and predictor.",
}


def build_result() -> gr.HTML:
    """One sentence on what every method kept, filled from what the paths tell."""
    return scripted(
        '<p class="kept" role="status" hidden></p>', "compare_result.js", elem_id="compare-result",
        setup={"methods": list(TITLES)},
    )  # fmt: skip


def build_card(method: str, title: str) -> gr.HTML:
    """A picture with the path that led to it.

    Its messages: {"state": "source" | "away" | "waiting" | "missing", "image", "alt", "note", "says"}, or
    {"state": "done", ...} from `path_shown`.

    Args:
        method: its name; "source" for the picture before.
        title: that on the page.
    """
    return scripted(
        _CARD.replace("METHOD", method).replace("TITLE", title).replace("ABOUT", _ABOUT.get(method, "")),
        "compare_path.js",
        elem_id=f"path-{method}",
        elem_classes="path-card",
        setup={"method": method, "title": title, "about": _ABOUT.get(method, "")},
    )


def build_board() -> gr.HTML:
    """One slider for all paths, the side effects, and the curves.

    Its messages: {"open": whether it is there, "matched": whether paths are matched by an attribute,
    "effects": whether there are any to tell of, "note", "observer": who looked, "curves": HTML}; a part that is not
    named stays as it is.
    """
    return scripted(_BOARD, "compare.js", elem_id="compare-board")


def path_shown(path: Path, *, whole: bool = False) -> dict[str, Any]:
    """A card's message: the path, all of it.

    Args:
        path: of the method.
        whole: show its end, not where it is matched.
    """
    frames = [
        {**asdict(frame), "asked": round(frame.asked, 4), "seconds": round(frame.seconds, 3)} for frame in path.frames
    ]
    return message(
        state="done", frames=frames, steps=path.steps, best=path.best, whole=whole, ended=path.ended, others=path.others
    )
