"""The page: one file that needs nothing else."""

from __future__ import annotations

from tenon.flows.html.bars import layer_bars
from tenon.flows.html.document import document, section
from tenon.flows.html.headline import headline
from tenon.flows.html.picture import network_picture
from tenon.flows.html.record import RunRecord
from tenon.flows.html.roofline import roofline
from tenon.flows.html.tables import layer_table, node_table
from tenon.flows.html.waits import engine_strips, engine_waits

__all__ = ["run_page"]


def run_page(run: RunRecord) -> str:
    """The whole file."""
    sections = [
        headline(run),
        section("Cycles by layer", "In the order in which they run, each from the end of the layer before it. Colours say what takes up "
                                   "at least half of the cycles.", layer_bars(run)),
        section("Roofline", "What the array reached in each layer with products, and what it and the bus allow. "
                "Colours as above.", roofline(run)),
        section("The network", "Layers in the order in which they run, and what each reads of others. Colours as above.",
                network_picture(run)),
        section("Engines over time", "The stronger the colour, the more of a layer's cycles the engine was at work in.",
                engine_strips(run)),
        section("What engines waited for", "Cycles by layer; bold: the layer's own engine. Busy with an instruction, and in that time "
                "waiting for the bus or a memory's bank; idle until tokens of another engine arrive, or with an empty queue.",
                engine_waits(run)),
        section("Layers", "DRAM bytes crossed the bus while the layer ran; its traffic is what its own instructions load and store.",
                layer_table(run)),
        section("Where each node runs", "The nodes of the model.", node_table(run)),
    ]
    return document(f"{run.model} on {run.config}, {run.simulator}", sections)
