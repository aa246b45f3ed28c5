"""The figures of an evaluation, as the paper's Figure 5: curves by attribute (a), and pictures by method (b, c)."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from sgf_hub.data.pictures import to_pictures
from sgf_hub.errors import SGFError
from sgf_hub.evaluation.disentanglement.mds import Curve
from sgf_hub.evaluation.disentanglement.summary import OBSERVERS, TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which a colour-blind reader can tell apart; SGF's stand out
_COLOURS = {
    "sgf": "#D55E00",
    "sgf-paper": "#E69F00",
    "interfacegan": "#0072B2",
    "interfacegan-conditional": "#56B4E9",
    "ganspace": "#009E73",
    "lace": "#000000",
    "stylespace": "#8A7A00",
    "latent-descent": "#CC79A7",
}
_INK, _GRID, _BEST = "#333333", "#e6e6e6", "#1a9641"


def draw_curves(curves: dict, figures: dict, attributes: Sequence[str], observer: str, path: Path) -> None:
    """One panel an attribute, one line a method, the best harmonic mean circled, the spread over seeds as a band.

    Args:
        curves: of `mean_curves`.
        figures: of `figures`, for the scores in the legends.
        attributes: the panels.
        observer: whose view.
        path: the picture to write.

    Raises:
        SGFError: if matplotlib is not installed.
    """
    columns = min(3, len(attributes))
    rows = math.ceil(len(attributes) / columns)
    figure = _figure(3.5 * columns, 3.1 * rows + 0.9)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    low = min(_lowest(curves[method][name][observer]) for method in curves for name in attributes)
    for ax, name in zip(axes, attributes, strict=False):
        _panel(ax, {method: curves[method][name][observer] for method in curves})
        ax.set_title(name.replace("_", " "), fontsize=11, color=_INK, loc="left", fontweight="bold")
        ax.set_xlim(0, 1.02)
        ax.set_ylim(max(0.0, math.floor(low * 20 - 0.2) / 20), 1.005)
        _scores(ax, {method: figures[method][name][observer]["mds"] for method in curves})
    for ax in axes[len(attributes) :]:
        ax.set_visible(False)
    figure.supxlabel("accuracy", fontsize=10, color=_INK)
    figure.supylabel("disentanglement", fontsize=10, color=_INK)
    handles = [line for line in axes[0].get_lines() if not str(line.get_label()).startswith("_")]
    figure.legend(
        handles=handles,
        title=f"As seen by {OBSERVERS[observer]}; the numbers are MDS",
        loc="outside upper center",
        ncols=2 * columns,
        frameon=False,
        fontsize=9,
        title_fontsize=9,
    )
    figure.savefig(path, dpi=150)


def _panel(ax: "Axes", curves: Mapping[str, dict]) -> None:
    for method, mean in curves.items():
        colour = _COLOURS.get(method, "#555555")
        curve = Curve(tuple(mean["accuracy"]), tuple(mean["disentanglement"]))
        x, y = zip(*curve.points, strict=True)
        wide = 2.2 if method == "sgf" else 1.4
        ax.plot(x, y, color=colour, linewidth=wide, label=TITLES.get(method, method), zorder=3)
        if "disentanglement_std" in mean:
            band = mean["disentanglement_std"][: len(x)]
            low = [max(0.0, value - s) for value, s in zip(y, band, strict=True)]
            high = [min(1.0, value + s) for value, s in zip(y, band, strict=True)]
            ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0, zorder=2)
        best = mean["best"]
        at = mean["accuracy"][best], mean["disentanglement"][best]
        ax.plot(*at, "o", markersize=8, markerfacecolor="none", markeredgecolor=_BEST, markeredgewidth=1.5, zorder=4)
        ax.plot(*at, "o", markersize=2.5, color=colour, zorder=4)
    ax.grid(color=_GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(labelsize=8, colors=_INK, length=3)


def _scores(ax: "Axes", scores: Mapping[str, float]) -> None:
    """The MDS of each method in a corner that the curves leave free, in the methods' colours."""
    for i, (method, score) in enumerate(reversed(list(scores.items()))):
        ax.text(0.03, 0.04 + 0.075 * i, f"{score:.3f}", color=_COLOURS.get(method, "#555555"), fontsize=8,
                transform=ax.transAxes, fontweight="bold" if score == max(scores.values()) else "normal")  # fmt: skip


def _lowest(mean: dict) -> float:
    points = Curve(tuple(mean["accuracy"]), tuple(mean["disentanglement"])).points
    return min(y for _, y in points)


def draw_grid(titles: Sequence[str], rows: Mapping[str, Tensor], path: Path) -> None:
    """Pictures at each method's best setting, one row a method, under the unchanged pictures.

    Args:
        titles: of the columns: what was asked.
        rows: "" (the unchanged pictures) and then each method, to its pictures, [columns, 3, R, R].
        path: the picture to write.

    Raises:
        SGFError: if matplotlib is not installed.
    """
    figure = _figure(1.9 + 1.1 * len(titles), 0.3 + 1.1 * len(rows))
    figure.get_layout_engine().set(w_pad=0.015, h_pad=0.015, wspace=0, hspace=0)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for line, (method, images) in zip(axes, rows.items(), strict=True):
        for ax, picture in zip(line, to_pictures(images), strict=True):
            ax.imshow(picture, interpolation="lanczos")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        label = TITLES.get(method, method) if method else "before"
        style = {"rotation": 0, "ha": "right", "va": "center", "color": _COLOURS.get(method, _INK)}
        line[0].set_ylabel(label.replace(", ", ",\n"), fontsize=9, **style)
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=10, color=_INK)
    figure.savefig(path, dpi=150)


def _figure(width: float, height: float) -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SGFError("drawing the report needs matplotlib: pip install 'sgf-hub[evaluate]'.") from None
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")  # Figure alone draws with Agg
