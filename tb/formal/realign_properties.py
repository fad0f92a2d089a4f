"""The realigner behind its planner: every destination byte of a run is written once, with the byte that the specification names. A bus of
two bytes, runs of up to 8 bytes, any alignment, any guard; one run after the other, any stalls."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.realign import Planner, Realigner, words_bits
from tenon.tb.formal.prop import Bug, Property, past

__all__ = ["PROPERTIES", "Mover"]

_BUS, _ADDRESS, _LONGEST = 2, 5, 8


class Mover(wiring.Component):
    """A planner and a realigner; a run is planned in the cycle of ``plan``, and handed over in the next ones until it is taken.

    Members
    -------
    plan, src, dst, n, lo, hi, sourced, fill : In
        As the planner's.
    taken : Out(1)
        The run on hand is taken over.
    src_word, src_count : Out
        What is to be read.
    s_*, o_*, next_word :
        As the realigner's.
    """

    def __init__(self):
        self._planner = Planner(bus_bytes=_BUS, src_bits=_ADDRESS, dst_bits=_ADDRESS)
        self._realigner = Realigner(bus_bytes=_BUS, dst_bits=_ADDRESS)
        planned, built = self._planner.signature.members, self._realigner.signature.members
        super().__init__({
            "plan": In(1), "taken": Out(1), **{name: planned[name] for name in ("src", "dst", "n", "lo", "hi", "sourced", "fill")},
            **{name: planned[name] for name in ("src_word", "src_count")},
            **{name: member for name, member in built.items() if name.startswith(("s_", "o_", "next_"))},
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.planner = planner = self._planner
        m.submodules.realigner = realigner = self._realigner
        m.d.comb += [planner.enable.eq(self.plan), realigner.i.eq(planner.plan), self.taken.eq(realigner.i_valid & realigner.i_ready)]
        for name in ("src", "dst", "n", "lo", "hi", "sourced", "fill"):
            m.d.comb += getattr(planner, name).eq(getattr(self, name))
        m.d.comb += [self.src_word.eq(planner.src_word), self.src_count.eq(planner.src_count)]
        for name, member in realigner.signature.members.items():
            if name.startswith(("s_", "o_", "next_")):
                inner, outer = getattr(realigner, name), getattr(self, name)
                m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)
        with m.If(self.plan):
            m.d.sync += realigner.i_valid.eq(1)
        with m.Elif(self.taken):
            m.d.sync += realigner.i_valid.eq(0)
        return m


def mover():
    return Mover()


_WORDS = 2**_ADDRESS // _BUS
_MODEL = f"""
// Source memory: anything, always the same.
{" ".join(f"(* anyconst *) wire [{8 * _BUS - 1}:0] word{i};" for i in range(_WORDS))}
reg [{8 * _BUS - 1}:0] source;
always @* case (reading) {" ".join(f"{i}: source = word{i};" for i in range(_WORDS))} endcase
function [7:0] byte_at(input [{_ADDRESS - 1}:0] address, input [{8 * _BUS * _WORDS - 1}:0] all);
  byte_at = all[8 * address +: 8];
endfunction
wire [{8 * _BUS * _WORDS - 1}:0] all = {{{", ".join(f"word{i}" for i in reversed(range(_WORDS)))}}};

reg running, begun; reg [{_ADDRESS - 1}:0] from, to; reg [4:0] length, low, high; reg has_source; reg [7:0] filler;
reg [{_ADDRESS - 2}:0] reading; reg [{words_bits(_BUS)}:0] to_read;  // the next source word; words that are still to be taken
reg [4:0] written;  // bytes
wire out = o_valid && o_ready;
always @(posedge clk)
  if (rst) begin running <= 0; begun <= 0; end
  else begin
    begun <= plan;
    if (plan) begin
      running <= 1; from <= src; to <= dst; length <= n; low <= lo; high <= hi; has_source <= sourced; filler <= fill; written <= 0;
      to_read <= 0;
    end else if (out && o_last) running <= 0;
    if (begun && has_source) begin reading <= src_word; to_read <= src_count + 1; end
    else if (s_valid && s_ready) begin reading <= reading + 1; to_read <= to_read - 1; end
    if (out) written <= written + {" + ".join(f"o_mask[{lane}]" for lane in range(_BUS))};
  end
"""


def _lane(lane: int) -> dict[str, str]:
    """What is written in a lane: the byte so far from the run's first one."""
    offset = f"(({{o_word, 1'd{lane}}} - to) & {2**_ADDRESS - 1})"
    value = f"(has_source && {offset} >= low && {offset} <= high ? byte_at(from + {offset}, all) : filler)"
    before = " + ".join(["0", *(f"o_mask[{k}]" for k in range(lane))])
    return {f"order{lane}": f"!(o_valid && o_mask[{lane}]) || (running && {offset} == written + {before} && {offset} <= length)",
            f"byte{lane}": f"!(o_valid && o_mask[{lane}]) || o_data[{8 * lane} +: 8] == {value}"}


PROPERTIES = [
    Property(
        name="realigner", component=mover, bound=12, seconds=200,
        says="Of each run every byte is written exactly once, in order: those within the guard are the source's, the others the fill; the "
             "last word is said to be so when all are written, and exactly the source words announced have been taken then.",
        given=f"one run after the other, of at most {_LONGEST} bytes; a bus of {_BUS} bytes; low and high byte within the run",
        model=_MODEL,
        assumes={"free": "!plan || !running", "fits": f"n < {_LONGEST}", "guard": "lo <= hi && hi <= n",
                 "source": "!s_valid || (to_read != 0 && s_data == source && !begun)"},
        asserts={**_lane(0), **_lane(1),
                 "last": f"!out || o_last == (written + {' + '.join(f'o_mask[{k}]' for k in range(_BUS))} == length + 1)",
                 "read": "!(out && o_last) || to_read == 0", "some": "!o_valid || running"},
        covers={"moved": "out && o_last && from[0] != to[0] && length == 7 && low == 1 && high == 6 && has_source",
                "again": "out && o_last && written == 0 && length == 1 && plan == 0 && from != to"},
        bug=Bug("hw/realign.py", "low_last & ~alone", "low_last"),
    ),
    Property(
        name="realigner-ahead", component=mover, quick=True,
        says="Where a word is offered was known in the cycle before.",
        given=f"any plans; a bus of {_BUS} bytes",
        model=past("next_word", _ADDRESS - 1) + past("o_valid") + past("o_ready"),
        asserts={"word": "!o_valid || o_word == past_next_word"},
        covers={"next": "past_o_valid && past_o_ready && o_valid && o_word != 0", "waits": "past_o_valid && !past_o_ready && o_word != 0"},
        bug=Bug("hw/realign.py", "Mux(builds, step[name], out[name])", "step[name]"),
    ),
]
