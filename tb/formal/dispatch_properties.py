"""Dispatch: whatever happens, a program that is to end does; its verdict is the first reason. The judgement of an instruction is
cut off: it comes some cycles after it was asked for, and may be any."""

from tenon.hw.accelerator import engine_classes
from tenon.hw.buffers import memory_bytes
from tenon.hw.dispatch import Dispatch
from tenon.hw.encoding import ENCODING
from tenon.hw.presets import preset
from tenon.hw.registers import ErrorCode
from tenon.tb.formal.prop import Bug, Property, past

__all__ = ["PROPERTIES"]

_PARAMS = preset("tiny")
_MNEMONICS = [kind.mnemonic(_PARAMS) for kind in engine_classes(_PARAMS).values()]


def dispatch():
    return Dispatch(_MNEMONICS, memory_bytes(_PARAMS))


_ANSWER, _QUIET = 8, 4  # cycles in which a judgement comes, and in which the bus gets quiet
_OFFSET, _WIDTH = ENCODING.place("opcode")
_OPCODE = f"i_instr[{_OFFSET + _WIDTH - 1}:{_OFFSET}]"
_PUSHES = "{" + ", ".join(f"push__{e}" for e in reversed(range(len(_MNEMONICS)))) + "}"
_CHECK = 'm.State("CHECK"):\n                with m.If('
_STILL = 34  # cycles in which a deadlock is seen, at most

_MODEL = past("i_open = i_valid && !i_ready && !cut") + past("opcode = " + _OPCODE, _WIDTH) + past("error", 4) + past("start") \
    + past("finish") + past("cut") + past("running") + """
wire asked = \\dut.legality_start, judged = \\dut.legality_finish;
reg judging; reg [3:0] judge_cycles; reg [3:0] verdict; reg [3:0] noisy;
wire reason = running && !finish && (stop || bus_error != 0 || token_error);
reg ends; reg [3:0] ending;  // a reason to end has come, so many cycles ago
reg [6:0] stuck;  // cycles in which no engine works, no queue is empty and none of them has room
always @(posedge clk)
  if (rst) begin judging <= 0; judge_cycles <= 0; noisy <= 0; ends <= 0; ending <= 0; stuck <= 0; end
  else begin
    judging <= (judging || asked) && !judged && !cut;
    judge_cycles <= judging && !judged && !cut ? judge_cycles + 1 : 0;
    if (judged) verdict <= \\dut.legality_error;
    noisy <= cut && !bus_quiet ? noisy + 1 : 0;
    ends <= (ends || reason) && !finish;
    ending <= (ends || reason) && !finish ? ending + 1 : 0;
    stuck <= running && !finish && !engines_busy && !queues_idle && push_ready == 0 && i_valid ? stuck + 1 : 0;
  end
""".replace("push_ready == 0", " && ".join(f"!push_ready__{e}" for e in range(len(_MNEMONICS))))
_ASSUMES = {"judged": f"judging ? judged || judge_cycles < {_ANSWER} : !judged", "quiet": f"!cut || bus_quiet || noisy < {_QUIET}",
            "holds": f"!past_i_open || (i_valid && {_OPCODE} == past_opcode)", "start": "!start || !running"}
_INNER = {"legality_start": 1, "legality_finish": 1, "legality_error": 4, "verdict": 4}
_GIVEN = f"a judgement comes within {_ANSWER} cycles; the bus is quiet within {_QUIET} cycles of a cut; fetch keeps what it offers"


def _property(name: str, **values) -> Property:
    return Property(name=f"dispatch-{name}", component=dispatch, free=("tenon_legality",), given=_GIVEN, model=_MODEL, assumes=_ASSUMES,
                    observed=_INNER, **values)


PROPERTIES = [
    _property(
        "ends", quick=True,
        says="STOP, a bus error and an overflow of tokens end the program, whatever it was at, within "
             f"{_QUIET + 3} cycles, of which the bus has {_QUIET}; so does an instruction that is stuck because nothing works any more, in "
             f"{_STILL + _ANSWER + _QUIET + 4} cycles.",
        asserts={"soon": f"ending <= {_QUIET + 3}", "stuck": f"stuck <= {_STILL + _ANSWER + _QUIET + 4}",
                 "cut": "!past_finish || !cut", "once": "!finish || (running && !past_finish)"},
        covers={"slow": f"finish && ending == {_QUIET + 1}", "stopped": f"finish && error == {ErrorCode.STOPPED.value}",
                "stuck": f"finish && error == {ErrorCode.DEADLOCK.value}"},
        bug=Bug("hw/dispatch.py", f'{_CHECK}self.cut', f'{_CHECK}0'),
    ),
    _property(
        "verdict", quick=True,
        says="A program's error is its first; a program that ends without one has met no reason to fail; after a start it is none.",
        asserts={"first": "!(past_error != 0 && !past_start) || error == past_error", "clean": "!(finish && ends) || error != 0",
                 "cut": "!past_cut || cut || past_finish", "start": "!past_start || error == 0"},
        covers={"clean": "finish && error == 0", "address": f"finish && error == {ErrorCode.ADDRESS.value}"},
        bug=Bug("hw/dispatch.py", "self.error == 0", "self.error != 15"),
    ),
    _property(
        "push", quick=True,
        says="An instruction is pushed once, to the queue of its opcode, when that has room, and only if it was judged legal; nothing is "
             "pushed while no program runs or after a cut.",
        asserts={"one": f"({_PUSHES} & ({_PUSHES} - 1)) == 0", "taken": f"{_PUSHES} == 0 || i_ready",
                 **{f"queue{e}": f"!push__{e} || (push_ready__{e} && {_OPCODE} == {m.opcode} && running && !cut)"
                    for e, m in enumerate(_MNEMONICS)},
                 "legal": f"{_PUSHES} == 0 || (verdict == 0 && \\dut.verdict == verdict)"},
        covers={f"push{e}": f"push__{e}" for e in range(len(_MNEMONICS))},
        bug=Bug("hw/dispatch.py", "legality.error == 0", "legality.error < 2"),
    ),
]
