"""Queues keep what they hold: nothing is dropped, doubled or overtaken. Small items: a queue never looks into one."""

from tenon.hw.fifo import Fifo
from tenon.hw.skid import Skid
from tenon.tb.formal.prop import Bug, Property

__all__ = ["PROPERTIES", "tracked"]

_BITS, _DEPTH, _DEEP = 2, 4, 16


def fifo():
    return Fifo(width=_BITS, depth=_DEPTH)


def deep_fifo():
    return Fifo(width=1, depth=_DEEP)


def skid():
    return Skid(_BITS)


def tracked(name: str, push: str, item: str, pop: str, bits: int, most: int, reset: str = "rst") -> str:
    """Follows one item, whichever ``NAME_mark`` picks: NAME_held counts the items inside, NAME_followed says that it is among them,
    NAME_ahead how many are to leave before it, NAME_item what it was.
    ``most`` items are inside at most; ``reset`` empties it."""
    counter = most.bit_length() + 1
    return f"""
(* anyseq *) wire {name}_mark;
reg [{counter - 1}:0] {name}_held, {name}_ahead; reg {name}_followed; reg [{bits - 1}:0] {name}_item;
wire {name}_push = {push}, {name}_pop = {pop};
wire {name}_leaves = {name}_pop && {name}_followed && {name}_ahead == 0;
always @(posedge clk)
  if ({reset}) begin {name}_held <= 0; {name}_followed <= 0; end
  else begin
    {name}_held <= {name}_held + {name}_push - {name}_pop;
    if ({name}_leaves) {name}_followed <= 0;
    else if ({name}_followed && {name}_pop) {name}_ahead <= {name}_ahead - 1;
    if ({name}_push && {name}_mark && !{name}_followed) begin
      {name}_followed <= 1; {name}_ahead <= {name}_held - {name}_pop; {name}_item <= {item};
    end
  end
"""


_MODEL = tracked("q", "i_valid && i_ready", "i", "o_valid && o_ready", _BITS, _DEPTH + 1)

PROPERTIES = [
    Property(
        name="fifo-order", component=fifo, quick=True,
        says="A Fifo gives every item once, as it was, in order, holds at most its depth and one, and never reads a word that it writes.",
        given=f"{_DEPTH} items of {_BITS} bits",
        model=_MODEL, observed={"push": 1, "move": 1, "write": 2, "read": 2},
        asserts={"item": "!q_leaves || o == q_item", "empty": "q_held != 0 || !o_valid", "most": f"q_held <= {_DEPTH + 1}",
                 "busy": "busy == (q_held != 0)",
                 "apart": "!(\\dut.push && \\dut.move && \\dut.write == \\dut.read)", "room": f"i_ready || q_held >= {_DEPTH}"},
        covers={"full": f"q_held == {_DEPTH + 1}", "last": f"q_leaves && q_held == 1 && q_item == {2**_BITS - 1}"},
        bug=Bug("hw/fifo.py", "stored != self.depth", "1"),
    ),
    Property(
        name="fifo-order-16", component=deep_fifo,
        says="The same of a deeper Fifo.",
        given=f"{_DEEP} items of one bit",
        model=tracked("q", "i_valid && i_ready", "i", "o_valid && o_ready", 1, _DEEP + 1),
        asserts={"item": "!q_leaves || o == q_item"},
        helpers={"held": "q_held == \\dut.stored + o_valid",
                 "pointers": f"((\\dut.write - \\dut.read ) & {_DEEP - 1}) == (\\dut.stored & {_DEEP - 1})"},
        observed={"stored": 5, "write": 4, "read": 4},
        covers={"last": "q_leaves && q_held == 1 && q_item"},
        bug=Bug("hw/fifo.py", "read.eq(read + 1)", "read.eq(read + 2)"), seconds=200,
    ),
    Property(
        name="skid-order", component=skid, quick=True,
        says="A Skid gives every item once, as it was, in order; holds at most two; and offers one in the cycle after it took it.",
        given=f"items of {_BITS} bits",
        model=_MODEL,
        asserts={"item": "!q_leaves || o == q_item", "offers": "o_valid == (q_held != 0)", "most": "q_held <= 2",
                 "room": "i_ready == (q_held < 2)"},
        covers={"full": "q_held == 2", "left": "q_leaves && q_held == 1"},
        bug=Bug("hw/skid.py", "i_ready.eq(~self.i_valid)", "i_ready.eq(1)"),
    ),
]
