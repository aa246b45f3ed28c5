"""What each method kept as the wish came: manipulation disentanglement curves (MDC) of one picture, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from app.compare.paths import Path

_WIDTH, _HEIGHT = 400, 300
_LEFT, _TOP, _RIGHT, _BOTTOM = 58, 12, 20, 44  # margins


def curves(paths: Sequence[Path], titles: Mapping[str, str]) -> str:
    """The figure and its legend; "" where no path has a curve.

    Across: how far the asked attribute came. Upright: what the others kept. The page's script moves the dot of each
    method (`.here`) to the frame that is shown; a ring stands where the harmonic mean of both is best.

    Args:
        paths: of the methods so far.
        titles: method to its name on the page.
    """
    drawn = [(path, path.curve) for path in paths if path.curve is not None]
    if not drawn:
        return ""

    def at(x: float, y: float) -> tuple[float, float]:
        right, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + x * right, 1), round(_TOP + (1 - y) * down, 1)

    parts = [_axes(at)]
    for path, curve in drawn:
        x, y = at(curve.accuracy[path.best], curve.disentanglement[path.best])
        line = " ".join("{},{}".format(*at(*point)) for point in curve.points)
        parts.append(
            f'<g class="m-{path.method}"><polyline points="{line}"></polyline>'
            f'<circle class="best" cx="{x}" cy="{y}" r="8"></circle>'
            f'<circle class="here" data-method="{path.method}" cx="{x}" cy="{y}" r="4.5"></circle></g>'
        )
    said = "; ".join(f"{titles[path.method]}, area {curve.mds:.2f}" for path, curve in drawn)
    legend = "".join(
        f'<li class="m-{path.method}"><svg viewBox="0 0 30 8" aria-hidden="true"><line x1="1" x2="29" y1="4" y2="4">'
        f"</line></svg>{escape(titles[path.method])} <b>{curve.mds:.2f}</b></li>"
        for path, curve in drawn
    )
    box = f"{_LEFT} {_TOP} {_WIDTH - _LEFT - _RIGHT} {_HEIGHT - _TOP - _BOTTOM}"
    return (
        f'<svg class="mdc" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" data-box="{box}" '
        f'aria-label="What was kept over what was asked. {escape(said)}.">{"".join(parts)}</svg>'
        f'<ul class="mdc-legend" aria-label="Methods, and the area under each curve">{legend}</ul>'
    )


def _axes(place: Callable[[float, float], tuple[float, float]]) -> str:
    lines = []
    for i in range(5):
        share = i / 4
        (x0, y), (x1, _) = place(0, share), place(1, share)
        lines.append(f'<line x1="{x0}" x2="{x1}" y1="{y}" y2="{y}"></line>')
        lines.append(f'<text x="{x0 - 7}" y="{y + 4}" text-anchor="end">{share:.2f}</text>')
        x, bottom = place(share, 0)
        lines.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{share:.2f}</text>')
    x, bottom = place(0.5, 0)
    lines.append(f'<text x="{x}" y="{bottom + 35}" text-anchor="middle" class="axis">how far the wish came</text>')
    x, y = 13, place(0, 0.5)[1]
    turn = f"rotate(-90 {x} {y})"
    lines.append(f'<text x="{x}" y="{y}" transform="{turn}" text-anchor="middle" class="axis">what was kept</text>')
    return f'<g class="grid">{"".join(lines)}</g>'
