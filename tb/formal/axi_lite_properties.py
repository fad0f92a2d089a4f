"""The registers' bus: handshakes of AXI4-Lite, and what a write that is refused leaves as it is."""

from tenon.hw.axi_lite import AxiLite
from tenon.hw.control import Control
from tenon.hw.params import SystolicParams
from tenon.hw.registers import registers
from tenon.tb.formal.prop import Bug, Property, past

__all__ = ["PROPERTIES"]

_PARAMS = SystolicParams(markers=16)
_REGISTERS = registers(_PARAMS)


def handshakes():
    return AxiLite()


def control():
    return Control(_PARAMS, 0x1234_5678)


def _held(channel: str, **payload: int) -> str:
    """Registers with the last cycle's offer of a channel."""
    return past(f"{channel}_open = s_axil_{channel}valid && !s_axil_{channel}ready") + "".join(
        past(f"{channel}{name} = s_axil_{channel}{name}", bits) for name, bits in payload.items())


def _stays(channel: str, *payload: str) -> str:
    same = " && ".join([f"s_axil_{channel}valid", *(f"s_axil_{channel}{name} == past_{channel}{name}" for name in payload)])
    return f"!past_{channel}_open || ({same})"


_REQUESTS = _held("aw", addr=16) + _held("w", data=32, strb=4) + _held("ar", addr=16)
_ASSUMES = {"aw": _stays("aw", "addr"), "w": _stays("w", "data", "strb"), "ar": _stays("ar", "addr")}
_ANSWERS = _held("b", resp=2) + _held("r", data=32, resp=2)
_COUNTS = """
reg [2:0] addresses, datas, reads;  // taken and not yet answered
wire aw = s_axil_awvalid && s_axil_awready, w = s_axil_wvalid && s_axil_wready, b = s_axil_bvalid && s_axil_bready;
wire ar = s_axil_arvalid && s_axil_arready, r = s_axil_rvalid && s_axil_rready;
always @(posedge clk)
  if (rst) begin addresses <= 0; datas <= 0; reads <= 0; end
  else begin addresses <= addresses + aw - b; datas <= datas + w - b; reads <= reads + ar - r; end
"""
_RULES = "the manager keeps what it offers until it is taken"

#: A write of one register with all strobes, and its number, at the moment in which it takes effect.
_SETUP = ("PROGRAM", "PROGRAM_LENGTH", "SEGMENT", "SEGMENT_BYTES")
_KEPT = ("base", "length", *(f"segment__{i}" for i in range(4)), *(f"bytes__{i}" for i in range(4)))
_WORD = """
reg [15:0] address; reg [31:0] data; reg [3:0] strobes; reg has_address, has_data; reg [15:0] read_address; reg write_then;
always @(posedge clk) begin
  if (aw) address <= s_axil_awaddr;
  if (w) begin data <= s_axil_wdata; strobes <= s_axil_wstrb; end
  if (ar) read_address <= s_axil_araddr;
end
"""


def _offset(name: str, index: int = 0) -> str:
    return f"16'd{_REGISTERS.offset(name, index)}"


def _is(signal: str, name: str, index: int = 0) -> str:
    return f"{signal}[15:2] == 14'd{_REGISTERS.offset(name, index) // 4}"


def _bit(field: str) -> str:
    """This bit of CONTROL is written as 1."""
    shift = _REGISTERS["CONTROL"].field(field).shift
    return f"(\\dut.port.w_data [{shift}] && \\dut.port.w_strobes [{shift // 8}])"


_READABLE = [(r.name, i) for r in _REGISTERS.registers for i in range(r.count) if r.name != "MARK"]
_MARK = f"14'd{_REGISTERS.offset('MARK') // 4}"
_MARKS = f"(read_address[15:2] >= {_MARK} && read_address[15:2] < {_MARK} + {_PARAMS.markers})"
_WRITABLE = [(name, i) for name in (*_SETUP, "PROGRAM_HIGH", "SEGMENT_HIGH", "SEGMENT_BYTES_HIGH") for i in range(_REGISTERS[name].count)]

PROPERTIES = [
    Property(
        name="axil-holds", component=handshakes, quick=True,
        says="A response on B or R stays as it is until it is taken.",
        given=_RULES, model=_REQUESTS + _ANSWERS, assumes=_ASSUMES,
        asserts={"b": _stays("b", "resp"), "r": _stays("r", "data", "resp")},
        covers={"b": "past_b_open && s_axil_bresp == 2", "r": "past_r_open && s_axil_rresp == 2"},
        bug=Bug("hw/axi_lite.py", " & (~self.s_axil_bvalid | self.s_axil_bready)", ""),
    ),
    Property(
        name="axil-answers", component=handshakes, quick=True,
        says="Every write has one response, after its address and its data, in whatever order they come; every read has one. None comes "
             "unasked, and none is more than 3 cycles away while the manager takes responses.",
        given=_RULES, model=_REQUESTS + _COUNTS + """
reg [2:0] waited, read_waited;  // cycles in which a response is owed, and none offered
always @(posedge clk) begin
  waited <= rst || s_axil_bvalid || addresses == 0 || datas == 0 ? 0 : waited + 1;
  read_waited <= rst || s_axil_rvalid || reads == 0 ? 0 : read_waited + 1;
end
""", assumes=_ASSUMES, observed={"address_held": 1, "data_held": 1, "reading": 1},
        asserts={"b": "!s_axil_bvalid || (addresses != 0 && datas != 0)", "r": "!s_axil_rvalid || reads != 0",
                 "soon": "waited < 3 && read_waited < 3"},
        helpers={"addresses": "addresses == \\dut.address_held + s_axil_bvalid", "datas": "datas == \\dut.data_held + s_axil_bvalid",
                 "reads": "reads == \\dut.reading + s_axil_rvalid"},
        covers={"data_first": "datas == 1 && addresses == 0", "address_first": "datas == 0 && addresses == 1",
                "two": "datas == 2 && addresses == 2"},
        bug=Bug("hw/axi_lite.py", "address_held & data_held &", "address_held &"),
    ),
    Property(
        name="registers-refuse", component=control,
        says="A write is answered SLVERR if its register is not there, can only be read, or is one that a run depends on while BUSY, and "
             "then it changes none of the run's registers, and neither starts, stops nor resets anything; all others are answered OKAY.",
        given=_RULES, model=_REQUESTS + _COUNTS + _WORD + "".join(past(name, 32) for name in _KEPT)
        + past("seen = 1'b1") + past("busy = \\dut.busy ") + past("go = \\dut.port.write ") + """
wire there = """ + " || ".join(_is("past_word", *r) for r in _WRITABLE) + f""";
wire is_control = {_is("past_word", "CONTROL")};
reg [15:0] past_word; always @(posedge clk) past_word <= address;
wire right = is_control || (there && !past_busy);
""",
        assumes={**_ASSUMES, "running": "!reset"}, observed={"busy": 1, "port.write": 1, "port.w_word": 14},
        helpers={"word": "!\\dut.port.write || \\dut.port.w_word == address[15:2]"},
        asserts={"code": "!past_go || s_axil_bresp == (right ? 0 : 2)",
                 **{name: f"(past_go && there && right) || {name} == past_{name} || !past_seen" for name in _KEPT},
                 "start": "!start || (past_go && is_control && !past_busy)", "stop": "!stop || (past_go && is_control)"},
        covers={"refused": "past_go && !right && there", "start": "start", "unknown": "past_go && !right && !there"},
        bug=Bug("hw/control.py", "m.If(~busy & strobes", "m.If(strobes"),
    ),
    Property(
        name="registers-missing", component=control,
        says="A read of a register that is not there is answered SLVERR, every other one OKAY.",
        given=_RULES, model=_REQUESTS + _COUNTS + _WORD + f"""
wire there = {_MARKS} || {" || ".join(_is("read_address", *r) for r in _READABLE)};
""", assumes={**_ASSUMES, "running": "!reset"},
        observed={"port.reading": 1, "missing": 1},
        asserts={"code": "!s_axil_rvalid || s_axil_rresp == (there ? 0 : 2)"},
        helpers={"early": "!\\dut.port.reading || \\dut.missing == !there"},
        covers={"there": "s_axil_rvalid && s_axil_rresp == 0", "missing": "s_axil_rvalid && s_axil_rresp == 2"},
        bug=Bug("hw/control.py", "port.r_word < first", "port.r_word <= first"),
    ),
    Property(
        name="interrupt", component=control, quick=True,
        says="The interrupt is high exactly while DONE and IRQ_ENABLE are; a run that ends sets DONE in the next cycle, even while "
             "software clears it; a run starts only when none runs, and BUSY lasts until it ends.",
        given=_RULES + "; a run ends only while one runs", model=_REQUESTS + past("finish") + past("resetting = \\dut.resetting ")
        + past("running = \\dut.running ") + past("start") + past("reset"),
        assumes={**_ASSUMES, "finish": "!finish || \\dut.running "},
        observed={"done": 1, "irq_enable": 1, "resetting": 1, "running": 1},
        asserts={"irq": "irq == (\\dut.done && \\dut.irq_enable )",
                 "done": "!past_finish || past_resetting || \\dut.done || past_reset",
                 "once": "!start || \\dut.running ", "busy": "!(past_running && !past_finish && !past_reset) || \\dut.running ",
                 "again": "!(start && past_start)"},
        covers={"irq": "irq", "again": "irq && !past_finish"},
        bug=Bug("hw/control.py", "done.eq(~resetting)", "done.eq(done)"),
    ),
    Property(
        name="registers-act", component=control, quick=True,
        says="A write of CONTROL acts in the next cycle: START starts a program if none runs, STOP stops the one that runs, and so does "
             "RESET, which resets all in the cycle after none runs. None runs in the cycle after a run's end.",
        given=_RULES + "; a run ends only while one runs", model=_REQUESTS + _COUNTS + f"""
wire acts = \\dut.port.write && {_is("write_address", "CONTROL")} && !reset;
wire to_start = acts && {_bit("START")} && !{_bit("RESET")} && !\\dut.busy ;
wire to_stop = acts && ({_bit("STOP")} && \\dut.busy || {_bit("RESET")});
wire to_reset = \\dut.resetting && !\\dut.running && !reset;
reg [15:0] write_address; always @(posedge clk) if (aw) write_address <= s_axil_awaddr;
""" + past("to_start") + past("to_stop") + past("to_reset") + past(f"asked = acts && {_bit('RESET')}") + past("finish"),
        assumes={**_ASSUMES, "finish": "!finish || \\dut.running "},
        observed={"port.write": 1, "port.w_word": 14, "port.w_data": 32, "port.w_strobes": 4, "busy": 1, "resetting": 1, "running": 1},
        helpers={"word": "!\\dut.port.write || \\dut.port.w_word == write_address[15:2]"},
        asserts={"start": "!past_to_start || (start && \\dut.running )", "stop": "!past_to_stop || stop",
                 "asked": "!past_asked || \\dut.resetting ", "reset": "!past_to_reset || reset",
                 "ended": "!past_finish || !\\dut.running "},
        covers={"start": "start", "stop": "stop && !\\dut.resetting ", "reset": "reset && past_to_reset"},
        bug=Bug("hw/control.py", 'self.stop.eq(bit["STOP"])', 'self.stop.eq(bit["STOP"] & irq_enable)'),
    ),
    Property(
        name="marks", component=control, quick=True,
        says="What is read of a time stamp is the cycle in which its mark was last seen; a mark that has no time stamp changes none.",
        given=_RULES + "; the time stamp is not written, nor the accelerator reset, in the cycle in which it is read; none is read before "
              "its mark was seen",
        model=_REQUESTS + _COUNTS + f"""
(* anyconst *) wire [{(_PARAMS.markers - 1).bit_length() - 1}:0] place;  // any time stamp
reg [31:0] stamp, answer; reg known, expected;
wire stamps = mark_valid && mark == place;
always @(posedge clk)
  if (rst) begin known <= 0; expected <= 0; end
  else begin
    if (stamps) begin stamp <= cycle; known <= 1; end
    if (ar) begin answer <= stamp; expected <= s_axil_araddr[15:2] == {_MARK} + place && known && !stamps && !reset; end
  end
""",
        assumes=_ASSUMES, asserts={"value": "!(s_axil_rvalid && expected) || (s_axil_rresp == 0 && s_axil_rdata == answer)"},
        covers={"read": f"s_axil_rvalid && expected && place == {_PARAMS.markers - 1} && answer != stamp"},
        bug=Bug("hw/control.py", " & (self.mark < self.params.markers)", ""),
    ),
]
