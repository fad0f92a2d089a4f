"""Draws a covenant as SVG: memories left and right of the units between which their edges run."""

from __future__ import annotations

from xml.sax.saxutils import escape

from tenon.acg.graph import Graph, Kind

__all__ = ["svg"]

_BOX_W, _BOX_H, _ROW, _LEFT = 190, 46, 84, 40
_COLUMNS = {"dram": 0, "dma": 1, "memory": 2, "compute": 3}
_COLUMN_STEP = 300


def svg(graph: Graph) -> str:
    """An SVG document: memories with sizes, units, and edges with their bytes per cycle."""
    outside = {m.name for m in graph.memories if m.kind is Kind.DRAM}
    to_dram = {e.src for e in graph.edges if e.dst in outside} | {e.dst for e in graph.edges if e.src in outside}
    places: dict[str, tuple[int, int]] = {}
    counts = dict.fromkeys(_COLUMNS.values(), 0)
    boxes = []

    def place(name: str, column: str, lines: list[str], fill: str) -> None:
        x = _LEFT + _COLUMNS[column] * _COLUMN_STEP
        y = 60 + counts[_COLUMNS[column]] * _ROW
        counts[_COLUMNS[column]] += 1
        places[name] = (x, y)
        boxes.append(f'<rect x="{x}" y="{y}" width="{_BOX_W}" height="{_BOX_H}" rx="6" fill="{fill}" stroke="#345"/>')
        for i, text in enumerate(lines):
            weight = ' font-weight="bold"' if i == 0 else ""
            boxes.append(f'<text x="{x + _BOX_W // 2}" y="{y + 19 + 17 * i}" text-anchor="middle"{weight}>{escape(text)}</text>')

    for memory in graph.memories:
        if memory.kind is Kind.DRAM:
            place(memory.name, "dram", [memory.name, "through the bus"], "#eef")
        else:
            banks = f", {memory.banks} banks" if memory.banks > 1 else ""
            place(memory.name, "memory", [memory.name, f"{memory.words} x {memory.word_bytes} B{banks}"], "#def")
    for unit in graph.units:
        peak = f"{unit.peak_macs_per_cycle} MACs per cycle" if unit.peak_macs_per_cycle else "engine"
        place(unit.name, "dma" if unit.name in to_dram else "compute", [unit.name, peak], "#fed")

    lines = []
    for i, edge in enumerate(graph.edges):
        (x1, y1), (x2, y2) = places[edge.src], places[edge.dst]
        forward = x1 <= x2
        start = (x1 + (_BOX_W if forward else 0), y1 + _BOX_H // 2 + (4 if forward else -8))
        end = (x2 + (0 if forward else _BOX_W), y2 + _BOX_H // 2 + (4 if forward else -8))
        middle = (start[0] + end[0]) // 2
        lines.append(f'<path d="M{start[0]},{start[1]} C{middle},{start[1]} {middle},{end[1]} {end[0]},{end[1]}" fill="none" '
                     f'stroke="#678" marker-end="url(#arrow)"/>')
        t = 0.25 if i % 2 else 0.75  # labels keep clear of the crossing in the middle
        lines.append(f'<text x="{start[0] + (end[0] - start[0]) * t:.0f}" y="{start[1] + (end[1] - start[1]) * t - 4:.0f}" '
                     f'text-anchor="middle" font-size="11" fill="#456">{edge.bytes_per_cycle:g} B</text>')
    width = _LEFT * 2 + _COLUMN_STEP * (len(_COLUMNS) - 1) + _BOX_W
    height = 60 + max(counts.values()) * _ROW
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="13">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#678"/></marker></defs>',
        f'<text x="{_LEFT}" y="30" font-size="17" font-weight="bold">{escape(graph.name)}: bytes per cycle</text>',
        *lines, *boxes, "</svg>", "",
    ])
