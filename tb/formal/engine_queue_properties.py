"""The queue in front of an engine: instructions, their waits, what they owe, and their marks. Queues of 4 instructions; of masks and marks
the highest and the lowest bit, since a queue never looks into them. What is owed: queues of 16, whose Fifos have no place to spare."""

from tenon.hw.encoding import ENCODING
from tenon.hw.engine_queue import EngineQueue
from tenon.hw.params import SystolicParams
from tenon.tb.formal.prop import Bug, Property, past
from tenon.tb.formal.queue_properties import tracked

__all__ = ["PROPERTIES"]

_DEPTH, _DEEP = 4, 16
_IN_FLIGHT = 16
_HEADER_BITS = sum(width for _, _, width in ENCODING.header)


def engine_queue():
    return EngineQueue(SystolicParams(queue_depth=_DEPTH), bits=_HEADER_BITS + 1)


def deep_engine_queue():
    return EngineQueue(SystolicParams(queue_depth=_DEEP), bits=_HEADER_BITS + 1)


def _field(name: str, of: str = "w_instr") -> str:
    offset, width = ENCODING.place(name)
    return f"{of}[{offset + width - 1}:{offset}]"


def _ends(field: str, of: str) -> str:
    """First and last bit of a field of an instruction."""
    offset, width = ENCODING.place(field)
    return f"{{{of}[{offset + width - 1}], {of}[{offset}]}}"


def _both(of: str, width: int) -> str:
    return f"{{{of}[{width - 1}], {of}[0]}}"


_TOKENS, _MARK = ENCODING.place("waits")[1], ENCODING.place("mark")[1]
_TAKE = "i_valid && i_ready"

#: Instructions that have their tokens and are not taken; that are taken and not released; that are taken and not done.
_COUNTS = f"""
wire take = {_TAKE};
reg [3:0] granted; reg [5:0] unreleased, flying;
always @(posedge clk)
  if (rst) begin granted <= 0; unreleased <= 0; flying <= 0; end
  else begin
    granted <= granted + grant - take; unreleased <= unreleased + take - e_release; flying <= flying + take - e_done;
  end
"""
_ANSWERS = {"push": "!push || push_ready", "grant": "!grant || want_valid",
            "release": "!e_release || take || unreleased != 0", "done": "!e_done || take || flying != 0",
            "order": "unreleased + e_done <= flying + e_release"}
_GIVEN = "dispatch pushes where there is room; the counters grant what is wanted; the engine answers each instruction once, when it " \
         "takes it at the earliest, with the release no later than the done"
_RELATED = {"acquired": "\\dut.acquired == granted", "in_flight": "\\dut.in_flight == flying", "released": "unreleased <= flying"}
_INNER = {"acquired": 2, "in_flight": 5}


def _held(depth: int) -> str:
    """i_held: instructions that are pushed and not taken."""
    return tracked("i", "push", "1'b0", "take", 1, depth + 1)


def _owed(fifo: str, pulse: str, unanswered: str, fields: tuple[str, ...], **asserts: str) -> dict:
    """That the Fifo of what is owed is fed at every push, has room, holds as many as are owed, and has one whenever ``pulse`` comes;
    and ``asserts``. That it keeps order is ``fifo-order``."""
    width, path = sum(ENCODING.place(name)[1] for name in fields), f"\\dut.{fifo}"
    registers = {"stored": 6, "o_valid": 1, "i_valid": 1, "i_ready": 1, "o_ready": 1, "i": width, "o": width}
    pushed = "{" + ", ".join(_field(name) for name in reversed(fields)) + "}"
    return {
        "model": _COUNTS + _held(_DEEP) + past("push"),
        "observed": {**_INNER, "head": 1, "stored": 5, "waits.stored": 5, "waits.o_valid": 1,
                     **{f"{fifo}.{name}": bits for name, bits in registers.items()}},
        "helpers": {
            **_RELATED, "queue": "\\dut.stored + \\dut.head == i_held",
            "waits": "\\dut.waits.stored + \\dut.waits.o_valid + granted == i_held",
            "waits_behind": "!past_push || \\dut.waits.stored != 0",
            "behind": f"(!past_push || {path}.stored != 0) && ({path}.o_valid || {path}.stored == past_push)",
        },
        "asserts": {
            "fed": f"{path}.i_valid == push && {path}.i == {pushed}", "room": f"!push || {path}.i_ready ",
            "as_many": f"{path}.stored + {path}.o_valid == i_held + {unanswered}", "taken": f"{path}.o_ready == {pulse}",
            "there": f"!{pulse} || {path}.o_valid ", **asserts,
        },
    }


def _property(name: str, component=engine_queue, **values) -> Property:
    return Property(name=f"queue-{name}", component=component, given=_GIVEN, assumes=_ANSWERS, **values)


PROPERTIES = [
    _property(
        "instructions", quick=True,
        says="The engine takes every instruction that was pushed, once, as it was, in order; there is room for as many as promised; "
             "the memory is never read where it is written.",
        observed={"fetch": 1, "write": 2, "read": 2},
        model=_COUNTS + tracked("i", "push", f"{{w_instr[{_HEADER_BITS}], {_ends('opcode', 'w_instr')}}}", "take", 3, _DEPTH + 1),
        asserts={"item": f"!i_leaves || {{i_instr[{_HEADER_BITS}], {_ends('opcode', 'i_instr')}}} == i_item",
                 "empty": "i_held != 0 || !i_valid",
                 "apart": "!(push && \\dut.fetch && \\dut.write == \\dut.read)", "most": f"i_held <= {_DEPTH + 1}",
                 "room": f"push_ready || i_held >= {_DEPTH}"},
        covers={"full": f"i_held == {_DEPTH + 1}", "last": "i_leaves && i_held == 1 && i_item == 7"},
        bug=Bug("hw/engine_queue.py", "stored != depth", "1"),
    ),
    _property(
        "waits",
        says="Tokens are asked for the instructions in order, each once; the memory of waits never overflows; an instruction is issued "
             "only with its tokens, and at most two have theirs before.",
        model=_COUNTS + tracked("w", "push", _ends("waits", "w_instr"), "grant", 2, _DEPTH + 3) + _held(_DEPTH),
        observed={**_INNER, "waits.i_ready": 1},
        helpers=_RELATED, asserts={"item": f"!w_leaves || {_both('want', _TOKENS)} == w_item", "owned": "!i_valid || granted != 0",
                 "ahead": "granted <= 2", "sum": "w_held + granted == i_held", "room": "!push || \\dut.waits.i_ready "},
        covers={"ahead": "granted == 2 && w_held == 3", "last": "w_leaves && w_item == 2"},
        bug=Bug("hw/engine_queue.py", " & (acquired != _AHEAD)", ""),
    ),
    _property(
        "release", component=deep_engine_queue, quick=True,
        says="What an instruction releases goes into a Fifo, which has room, as it is pushed: that holds as many as are pushed and not "
             "released. With each release pulse, and at no other time, the tokens at its head are given, and there are some.",
        **_owed("to_release", "e_release", "unreleased", ("release",), given="released == (e_release ? \\dut.to_release.o : 0)"),
        covers={"full": f"flying == {_IN_FLIGHT} && unreleased == {_IN_FLIGHT} && i_held == {_DEEP + 1}", "at_once": "e_release && e_done",
                "first": "e_release && take && unreleased == 0"},
        bug=Bug("hw/engine_queue.py", 'to_release.i.eq(field("release"))', 'to_release.i.eq(field("done"))'),
    ),
    _property(
        "done", component=deep_engine_queue, quick=True,
        says="The same for what is signalled when an instruction is done, and for its mark: it is shown exactly once, with that pulse, if "
             f"it is not 0. At most {_IN_FLIGHT} are in flight.",
        **_owed("to_finish", "e_done", "flying", ("done", "mark"),
                given=f"done == (e_done ? \\dut.to_finish.o [{_TOKENS - 1}:0] : 0)",
                mark=f"mark_valid == (e_done && mark != 0) && (!e_done || mark == \\dut.to_finish.o [{_TOKENS + _MARK - 1}:{_TOKENS}])",
                most=f"flying <= {_IN_FLIGHT}"),
        covers={"full": f"flying == {_IN_FLIGHT} && i_held == {_DEEP + 1}", "marked": "mark_valid"},
        bug=Bug("hw/engine_queue.py", " & (in_flight != _IN_FLIGHT)", ""),
    ),
    _property(
        "idle", quick=True,
        says="idle means that no instruction is here and none in flight; active, that one has its tokens or is in flight.",
        model=_COUNTS + past("done = e_done") + _held(_DEPTH), observed=_INNER,
        helpers=_RELATED, asserts={"idle": "idle == (i_held == 0 && flying == 0)", "active": "active == (granted != 0 || flying != 0)"},
        covers={"idle": "idle && past_done", "flies": "!idle && i_held == 0"},
        bug=Bug("hw/engine_queue.py", " & (stored == 0)", ""),
    ),
]
