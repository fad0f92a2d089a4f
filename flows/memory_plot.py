"""Memory over time of a network's orders, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from tenon.compiler.schedule import Problem
from tenon.flows.schedule import Ordered

__all__ = ["memory_plot"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 900, 360, 90, 50, 60


def memory_plot(ordered: Ordered) -> str:
    """Live bytes while each operator runs: file order, optimal, and optimal after rewriting, over the share of operators done."""
    curves = (
        ("file order", "#999", _curve(ordered.problem, ordered.problem.file_order)),
        ("optimal", "#27c", _curve(ordered.problem, ordered.best.order)),
        ("optimal after rewriting", "#2a5", _curve(ordered.rewritten, ordered.best_rewritten.order)),
    )
    top = max(1, *(max(values, default=0) for _, _, values in curves))
    right, bottom = _LEFT + _WIDTH, _TOP + _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{right + 20}" height="{bottom + _BOTTOM}" font-family="sans-serif" '
        'font-size="12">',
        f'<text x="{_LEFT}" y="26" font-size="16" font-weight="bold">{escape(ordered.problem.name)}: live activations</text>',
        f'<path d="M{_LEFT},{_TOP} V{bottom} H{right}" fill="none" stroke="#444"/>',
        f'<text x="{right}" y="{bottom + 18}" text-anchor="end">operators, first to last</text>',
    ]
    for number, (name, colour, values) in enumerate(curves):
        points = []
        for i, value in enumerate(values):
            y = bottom - _HEIGHT * value / top
            points += [f"{_LEFT + _WIDTH * i / len(values):.1f},{y:.1f}", f"{_LEFT + _WIDTH * (i + 1) / len(values):.1f},{y:.1f}"]
        peak = max(values, default=0)
        y = bottom - _HEIGHT * peak / top
        parts += [
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<path d="M{_LEFT},{y:.1f} H{right}" stroke="{colour}" stroke-dasharray="2 4"/>',
            f'<text x="{_LEFT - 6}" y="{y + 4 + 12 * (number if peak == top else 0):.1f}" text-anchor="end" '
            f'fill="{colour}">{peak:,}</text>',
            f'<text x="{_LEFT + 230 * number}" y="{bottom + 40}" fill="{colour}">{name}: {peak:,} bytes</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _curve(problem: Problem, order: Sequence[str]) -> list[int]:
    return [moment.during for moment in problem.moments(order)]
