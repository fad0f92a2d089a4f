"""The page's looks, light and dark as the reader's system has it."""

from __future__ import annotations

__all__ = ["STYLE"]

#: CSS. The four colours of limits differ in hue and in lightness; each is also named in text.
STYLE = """
:root { --page: #f9f9f7; --card: #fff; --line: #e1e0d9; --ink: #191917; --soft: #62615b; --array: #2a78d6; --bus: #d95f26;
  --engine: #8a5cd0; --waiting: #8b8a82; --bound: #191917; --busy: #2a78d6; --good: #0f7a3a; --bad: #c2252b; }
@media (prefers-color-scheme: dark) {
  :root { --page: #111110; --card: #1b1b19; --line: #363632; --ink: #f4f3ee; --soft: #a9a89f; --array: #4f97ea; --bus: #ea7a45;
    --engine: #a98aea; --waiting: #84837b; --bound: #f4f3ee; --busy: #4f97ea; --good: #4cc27d; --bad: #ff7b7b; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { margin: 0; font-size: 28px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 19px; }
p { margin: 4px 0 12px; max-width: 120ch; overflow-wrap: anywhere; }
section { margin-top: 22px; padding: 16px 18px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
section > p:last-child { margin-bottom: 0; }
.soft, section > h2 + p { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px; margin-top: 16px; }
.card { display: flex; flex-direction: column; padding: 12px 14px; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
.card span, .card small { color: var(--soft); font-size: 13px; }
.card strong { font-size: 24px; line-height: 1.4; }
.good { color: var(--good); } .bad { color: var(--bad); }
.legend span { display: inline-block; margin-right: 18px; font-size: 13px; }
.key { display: inline-block; width: 12px; height: 12px; margin-right: 6px; border-radius: 2px; vertical-align: -1px; }
.key.back-bound { height: 3px; vertical-align: 3px; }
.back-array { background: var(--array); } .back-bus { background: var(--bus); } .back-engine { background: var(--engine); }
.back-waiting { background: var(--waiting); } .back-bound { background: var(--bound); }
.wide { overflow-x: auto; }
.chart { display: block; font-size: 13px; }
.chart text { fill: var(--ink); white-space: pre; } .chart text.soft { fill: var(--soft); }
.chart .strong { font-weight: 600; }
.chart .halo { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
.hit { fill: transparent; } g:hover > .hit { fill: var(--line); fill-opacity: 0.5; }
.fill-array { fill: var(--array); } .fill-bus { fill: var(--bus); } .fill-engine { fill: var(--engine); }
.fill-waiting { fill: var(--waiting); } .fill-bound { fill: var(--bound); } .fill-busy { fill: var(--busy); }
.strip { fill: var(--line); fill-opacity: 0.45; }
.grid { stroke: var(--line); fill: none; } .roof { stroke: var(--ink); stroke-width: 2; fill: none; }
.wire { stroke: var(--soft); stroke-opacity: 0.55; stroke-width: 1.5; fill: none; } .chart .pale { fill: var(--soft); }
.point, .node { stroke: var(--card); stroke-width: 2; }
.scroll { max-height: 460px; overflow: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: left; border-bottom: 1px solid var(--line); }
th { position: sticky; top: 0; background: var(--card); color: var(--soft); font-weight: 600; white-space: nowrap; }
td { max-width: 340px; overflow-wrap: anywhere; } td:first-child { min-width: 150px; } .number { text-align: right; white-space: nowrap; }
tbody tr:hover { background: var(--page); } tbody tr:last-child td { border-bottom: 0; }
"""
