"""On-chip memories: who is let in, and what is read. Two small banks with two ports of each kind, one of them narrower than a line."""

from tenon.hw.accumulators import Accumulators
from tenon.hw.load_grant import LoadGrant
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.hw.scratchpad import Scratchpad
from tenon.tb.formal.prop import Bug, Property, past

__all__ = ["PROPERTIES"]

_LINE, _SIZE = 2, 8
_READS, _WRITES = {"a": 2, "b": 1, "c": 2}, {"x": 2, "y": 1}


def scratchpad(bank_ports: int = 2):
    return Scratchpad(role="small", size=_SIZE, line=_LINE, banks=2, reads=_READS, writes=_WRITES, bank_ports=bank_ports)


def one_port():
    return scratchpad(bank_ports=1)


def accumulators():
    return Accumulators(SystolicParams(rows=4, cols=4, lanes=4, bus_bits=32, accumulator_bytes=1024))


def load_grant():
    return LoadGrant(preset("tiny"))


def _arbitration(ports, bank) -> dict[str, str]:
    """Whoever asks is granted exactly if nobody before it asks for the same bank."""
    asserts = {}
    for i, name in enumerate(ports):
        before = " || ".join(f"({p}_en && {bank(p)} == {bank(name)})" for p in ports[:i]) or "0"
        asserts[f"grant_{name}"] = f"!{name}_en || {name}_grant == !({before})"
        for other in ports[:i]:
            both = " && ".join(f"{port}_{signal}" for port in (name, other) for signal in ("en", "grant"))
            asserts[f"both_{other}_{name}"] = f"!({both} && {bank(name)} == {bank(other)})"
    return asserts


def _free(ports, bank) -> dict[str, str]:
    """Each port is told in which banks it would be granted: those that nobody before it asks for."""
    asserts = {}
    for i, name in enumerate(ports):
        for b in range(2):
            before = " || ".join(f"({p}_en && {bank(p)} == {b})" for p in ports[:i]) or "0"
            asserts[f"free{b}_{name}"] = f"{name}_free[{b}] == !({before})"
    return asserts


def _top(bits: dict[str, int]):
    return lambda name: f"{name}_addr[{bits[name] - 1}]"


_BITS = {name: (_SIZE // width - 1).bit_length() for name, width in {**_READS, **_WRITES}.items()}
_ACC_READS, _ACC_WRITES = ("m", "v", "x"), ("w", "xw")
_ACC_BITS = {name: member.shape.stop.bit_length() - 1 if isinstance(member.shape, range) else member.shape
             for name, member in ((n, accumulators().signature.members[f"{n}_addr"]) for n in (*_ACC_READS, *_ACC_WRITES))}


def _hits(name: str, width: int) -> str:
    """The port touches the byte ``place``."""
    return f"({name}_en && {name}_grant && {name}_addr == (place >> {width.bit_length() - 1}))"


def _lane(width: int) -> str:
    return f"(place & {width - 1})"


_WRITTEN = "".join(f"""
  if ({_hits(name, width)} && {name}_mask[{_lane(width)}]) begin value <= {name}_data[8*{_lane(width)} +: 8]; known <= 1; end"""
                   for name, width in _WRITES.items())
_WRITES_NOW = " || ".join(f"({_hits(name, width)} && {name}_mask[{_lane(width)}])" for name, width in _WRITES.items())
_BYTE = f"""
(* anyconst *) wire [{(_SIZE - 1).bit_length() - 1}:0] place;  // any byte
reg [7:0] value; reg known;
always @(posedge clk) if (rst) known <= 0; else begin{_WRITTEN}
end
wire writes = {_WRITES_NOW};
""" + past("value", 8) + "".join(past(f"{name}_reads = {_hits(name, width)} && known && !writes") for name, width in _READS.items())

_READ = {name: f"!past_{name}_reads || {name}_data[8*{_lane(width)} +: 8] == past_value" for name, width in _READS.items()}

PROPERTIES = [
    Property(
        name="scratchpad-grants", component=scratchpad, quick=True,
        says="In each bank and direction one port is let in: the first that asks, which is never refused. Each is told where it would be.",
        given=f"{_SIZE} bytes in two banks, three reading and two writing ports",
        asserts={**_arbitration(tuple(_READS), _top(_BITS)), **_arbitration(tuple(_WRITES), _top(_BITS)),
                 **_free(tuple(_READS), _top(_BITS)), **_free(tuple(_WRITES), _top(_BITS)), "first": "a_grant && x_grant"},
        covers={"all": "a_en && b_en && !b_grant && c_grant && c_en"},
        bug=Bug("hw/scratchpad.py", "free[b].eq(~taken)", "free[b].eq(1)"),
    ),
    Property(
        name="scratchpad-data", component=scratchpad, quick=True,
        says="Every port reads, in the cycle after its grant, what was last written to each byte, whichever port wrote it.",
        given=f"{_SIZE} bytes in two banks; no byte is read while it is written, and none before that",
        model=_BYTE,
        asserts=_READ,
        covers={name: f"past_{name}_reads && {name}_data != 0" for name in _READS},
        bug=Bug("hw/scratchpad.py", "Mux(bank_then == b", "Mux(bank == b"),
    ),
    Property(
        name="scratchpad-one-port", component=one_port, quick=True,
        says="With banks of one port, a bank is read, or else written: one port of all is let in, those that read before those that write, "
             "and every port reads what was last written.",
        given=f"{_SIZE} bytes in two banks; no byte is read before it is written",
        model=_BYTE,
        asserts={**_arbitration((*_READS, *_WRITES), _top(_BITS)), **_READ},
        covers={"waits": "a_en && x_en && !x_grant", **{name: f"past_{name}_reads && {name}_data != 0" for name in _READS}},
        bug=Bug("hw/scratchpad.py", "reading if alone else Const(0)", "Const(0)"),
    ),
    Property(
        name="accumulator-grants", component=accumulators, quick=True,
        says="In each bank and direction one engine is let in, MATRIX before VECTOR before WINDOW; MATRIX is never refused, and writes in "
             "the cycle after it asked.",
        given="1 KiB of accumulators",
        model=past("w_en") + past("w_addr", _ACC_BITS["w"]) + "wire m_grant = 1;",
        asserts={**_arbitration(_ACC_READS, _top(_ACC_BITS)),
                 "grant_xw": f"xw_grant == !(past_w_en && past_{_top(_ACC_BITS)('w')} == {_top(_ACC_BITS)('xw')})"},
        covers={"refused": "m_en && v_en && !v_grant && x_en && x_grant", "waits": "xw_en && !xw_grant && !w_en"},
        bug=Bug("hw/accumulators.py", "used |= wants[name]", "used = wants[name]"),
    ),
    Property(
        name="load-grants", component=load_grant, quick=True,
        says="LOAD is refused in a cycle exactly if both announced before, for that cycle, a write into the same bank of the same memory.",
        given="tiny: activations of 8 KiB in two banks, a vector buffer of 8 KiB in four",
        model=past("meets = load_mem == 0 && act && load_addr[12] == act_addr[10] "
                   "|| load_mem == 2 && vec && load_addr[12:11] == vec_addr[10:9] || load_mem == 3 && par"),
        asserts={"grant": "grant == !past_meets"},
        covers={"refused": "!grant", "another": "grant && load_mem == 2 && vec"},
        bug=Bug("hw/load_grant.py", "self.load_addr[top - bits:top]", "self.load_addr[top - bits - 1:top - 1]"),
    ),
]
