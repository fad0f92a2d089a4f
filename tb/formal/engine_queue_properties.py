"""The queue in front of an engine: instructions, their waits, what they owe, and their marks. Queues of 4 instructions; of masks and marks
the highest and the lowest bit, since a queue never looks into them."""

from tenon.acg.mnemonic import HEADER
from tenon.hw.engine_queue import EngineQueue
from tenon.hw.params import SystolicParams
from tenon.tb.formal.prop import Bug, Property, past
from tenon.tb.formal.queue_properties import tracked

__all__ = ["PROPERTIES"]

_DEPTH = 4
_IN_FLIGHT = 16
_HEADER_BITS = sum(width for _, width in HEADER.values())


def engine_queue():
    return EngineQueue(SystolicParams(queue_depth=_DEPTH), bits=_HEADER_BITS + 1)


def _ends(field: str, of: str) -> str:
    """First and last bit of a field of an instruction."""
    offset, width = HEADER[field]
    return f"{{{of}[{offset + width - 1}], {of}[{offset}]}}"


def _both(of: str, width: int) -> str:
    return f"{{{of}[{width - 1}], {of}[0]}}"


_TOKENS, _MARK = HEADER["waits"][1], HEADER["mark"][1]
_TAKE = "i_valid && i_ready"

#: The engine answers what it took two cycles ago at the latest: ``ripe`` counts what it may answer.
_ENGINE = past(f"take = {_TAKE}") + "".join(f"""
reg [5:0] {what}_ripe = 0;
always @(posedge clk) {what}_ripe <= rst ? 0 : {what}_ripe + past_take - e_{what};
""" for what in ("release", "done"))
_ANSWERS = {"push": "!push || push_ready", "grant": "!grant || want_valid",
            "release": "!e_release || release_ripe != 0", "done": "!e_done || done_ripe != 0",
            "order": "release_ripe - e_release <= done_ripe - e_done"}
_GIVEN = "dispatch pushes where there is room; the counters grant what is wanted; the engine answers each instruction once, 2 cycles " \
         "after it took it at the earliest, with the release no later than the done"
_COUNTS = """
reg [3:0] granted; reg [5:0] flying;  // have their tokens and are not taken; are taken and not done
always @(posedge clk)
  if (rst) begin granted <= 0; flying <= 0; end
  else begin
    granted <= granted + grant - (i_valid && i_ready);
    flying <= flying + (i_valid && i_ready) - e_done;
  end
"""
_RELATED = {"acquired": "\\dut.acquired == granted", "in_flight": "\\dut.in_flight == flying", "ripe": "done_ripe + past_take == flying",
            "released": "release_ripe <= done_ripe"}
_INNER = {"acquired": 2, "in_flight": 5}




def _property(name: str, **values) -> Property:
    return Property(name=f"queue-{name}", component=engine_queue, given=_GIVEN, assumes=_ANSWERS, **values)


PROPERTIES = [
    _property(
        "instructions", quick=True,
        says="The engine takes every instruction that was pushed, once, as it was, in order; there is room for as many as promised.",
        model=_ENGINE + tracked("i", "push", f"{{w_instr[{_HEADER_BITS}], {_ends('opcode', 'w_instr')}}}", _TAKE, 3, _DEPTH + 1),
        asserts={"item": f"!i_leaves || {{i_instr[{_HEADER_BITS}], {_ends('opcode', 'i_instr')}}} == i_item",
                 "empty": "i_held != 0 || !i_valid", "most": f"i_held <= {_DEPTH + 1}", "room": f"push_ready || i_held >= {_DEPTH}"},
        covers={"full": f"i_held == {_DEPTH + 1}", "last": "i_leaves && i_held == 1 && i_item == 7"},
        bug=Bug("hw/engine_queue.py", "self.push_ready.eq(stored != depth)", "self.push_ready.eq(1)"),
    ),
    _property(
        "waits", quick=True,
        says="Tokens are asked for the instructions in order, each once; the memory of waits never overflows; an instruction is issued "
             "only with its tokens, and at most two have theirs before.",
        model=_ENGINE + _COUNTS + tracked("w", "push", _ends("waits", "w_instr"), "grant", 2, _DEPTH + 3)
        + tracked("i", "push", "1'b0", _TAKE, 1, _DEPTH + 1),
        observed={**_INNER, "waits.i_ready": 1},
        asserts={**_RELATED, "item": f"!w_leaves || {_both('want', _TOKENS)} == w_item", "owned": "!i_valid || granted != 0",
                 "ahead": "granted <= 2", "sum": "w_held + granted == i_held", "room": "!push || \\dut.waits.i_ready "},
        covers={"ahead": "granted == 2 && w_held == 3", "last": "w_leaves && w_item == 2"},
        bug=Bug("hw/engine_queue.py", "waits.o_valid & (acquired != _AHEAD)", "waits.o_valid"),
    ),
    _property(
        "idle", quick=True,
        says="idle means that no instruction is here and none in flight; active, that one has its tokens or is in flight.",
        model=_ENGINE + _COUNTS + past("done = e_done") + tracked("i", "push", "1'b0", _TAKE, 1, _DEPTH + 1), observed=_INNER,
        asserts={**_RELATED, "idle": "idle == (i_held == 0 && flying == 0)", "active": "active == (granted != 0 || flying != 0)"},
        covers={"idle": "idle && past_done", "flies": "!idle && i_held == 0"},
        bug=Bug("hw/engine_queue.py", "self.idle.eq(~head & (stored == 0) & (in_flight == 0))", "self.idle.eq(~head & (in_flight == 0))"),
    ),
]
