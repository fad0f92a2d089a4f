"""Between engines and bus: windows, an orderly end, offers that stay, beats that find the one who asked.

A bus of 32 bits, bursts of at most 4 beats, 16 in flight.
"""

from tenon.hw.bus_guard import BusGuard
from tenon.hw.fetch import fetch_bursts
from tenon.hw.params import SystolicParams
from tenon.hw.read_port import ReadPort
from tenon.tb.formal.prop import Bug, Property, past
from tenon.tb.formal.queue_properties import tracked

__all__ = ["PROPERTIES"]

_PARAMS = SystolicParams(rows=4, cols=4, lanes=4, bus_bits=32, burst_beats=4, max_outstanding=16)
_WHOLE = SystolicParams(rows=4, cols=4, lanes=4, bus_bits=32, burst_beats=32, max_outstanding=16)  # an instruction is one burst
_READS = _PARAMS.max_outstanding + fetch_bursts(_PARAMS)
_MOST = _WHOLE.max_outstanding + fetch_bursts(_WHOLE)


def bus_guard():
    return BusGuard(_PARAMS)


def read_port():
    return ReadPort(_WHOLE)


def _offers(*channels: str, **payload: str) -> str:
    """Registers with what was on offer in the cycle before, not taken."""
    return "".join(past(f"{c}_open = {c}_valid && !{c}_ready") for c in channels) + "".join(
        past(name, int(bits)) for name, bits in payload.items())


def _stays(channel: str, *payload: str) -> str:
    return f"!past_{channel}_open || (" + " && ".join([f"{channel}_valid", *(f"{p} == past_{p}" for p in payload)]) + ")"


_SEGMENTS = 4
_WINDOWS = past("base", 32 * _SEGMENTS) + past("bytes", 32 * _SEGMENTS) + past("up = 1'b1") + past("up2 = past_up")
_CONSTANT = {"windows": "!past_up || (base == past_base && bytes == past_bytes)",
             "later": "past_up2 || !(i_ar_valid || i_aw_valid)"}


def _window(channel: str, unbound: str) -> tuple[str, dict[str, int], dict[str, str], dict[str, str]]:
    """Follows one request of a channel: what becomes of it when it leaves the skid buffer."""
    model = f"""
wire {channel}_left = \\dut.{channel}_skid.o_valid && \\dut.{channel}_free ;
""" + tracked(channel, f"i_{channel}_valid && i_{channel}_ready",
              f"{{{unbound}, i_{channel}_seg, i_{channel}_len, i_{channel}_addr[31:2]}}", f"{channel}_left", 41, 2, reset="rst || cut") \
        + past(f"{channel}_taken = {channel}_left && !cut") \
        + past(f"{channel}_its = {channel}_leaves && !cut") + past(f"{channel}_request = {channel}_item", 41) \
        + _offers(channel) + f"""
wire [1:0] {channel}_which = past_{channel}_request[39:38];
wire [32:0] {channel}_base = base[32*{channel}_which +: 32], {channel}_bytes = bytes[32*{channel}_which +: 32];
wire [30:0] {channel}_words = (({channel}_base + {channel}_bytes + 3) >> 2) - ({channel}_base >> 2);  // of the window
wire [29:0] {channel}_offset = past_{channel}_request[29:0] - {channel}_base[31:2];
wire [31:0] {channel}_end = {channel}_offset + past_{channel}_request[37:30] + 1;
wire {channel}_legal = past_{channel}_request[40] || ({channel}_bytes != 0 && ({channel}_words[30] || {channel}_end <= {channel}_words));
"""
    inner = {f"{channel}_skid.{name}": bits for name, bits in (("o_valid", 1), ("i_ready", 1), ("o", 41), ("spare", 41))}
    inner |= {f"{channel}_free": 1, f"{channel}_bad": 1}
    helpers = {
        "held": f"{channel}_held == \\dut.{channel}_skid.o_valid + !\\dut.{channel}_skid.i_ready",
        "inside": f"!{channel}_followed || {channel}_ahead < {channel}_held",
        "front": f"!({channel}_followed && {channel}_ahead == 0) || item == \\dut.{channel}_skid.o ".replace("item", f"{channel}_item"),
        "spare": f"!({channel}_followed && {channel}_ahead == 1) || item == \\dut.{channel}_skid.spare ".replace("item", f"{channel}_item"),
    }
    return model, inner, helpers, {
        "passed": f"!past_{channel}_its || !{channel}_legal || ({channel}_valid && "
                  f"{channel}_addr == {{past_{channel}_request[29:0], 2'b0}} && "
                  f"{channel}_len == past_{channel}_request[37:30])",
        "withheld": f"!past_{channel}_its || {channel}_legal || (!{channel}_valid && \\dut.{channel}_bad )",
        "nothing_else": f"!{channel}_valid || past_{channel}_taken || past_{channel}_open",
        "error": "o_error == (\\dut.ar_bad || \\dut.aw_bad )",
        "after": f"!\\dut.{channel}_bad || !{channel}_left",
    }


def _page(channel: str) -> str:
    return f"!i_{channel}_valid || (i_{channel}_len < 4 && i_{channel}_addr[11:2] + i_{channel}_len < 1024)"


def _window_property(channel: str, unbound: str, bug: Bug) -> Property:
    model, inner, helpers, asserts = _window(channel, unbound)
    return Property(
        name=f"guard-window-{channel}", component=bus_guard, bound=7, seconds=150,
        says=f"Every request on {channel.upper()} is one that an engine made, unchanged, in order, and lies inside its segment's window; "
             "one that does not is withheld with an error, and so is all behind it until the cut.",
        given="windows constant from two cycles before the first request; no request crosses a page",
        model=_WINDOWS + model, assumes={**_CONSTANT, "page": _page(channel)},
        observed={**inner, "ar_bad": 1, "aw_bad": 1}, helpers=helpers, asserts=asserts,
        covers={"wraps": f"past_{channel}_its && {channel}_legal && past_{channel}_request[29:0] < {channel}_base[31:2]",
                "withheld": f"o_error && {channel}_held == 2"},
        bug=bug,
    )


#: What bus and engines owe each other, by what is seen on the bus.
_OWED = _offers("ar", "aw", "w", ar_addr="32", ar_len="8", aw_addr="32", aw_len="8", w_data="32", w_strb="4", w_last="1") + past("cut") \
    + past("quiet") + """
wire asks = ar_valid && !past_ar_open, writes = aw_valid && !past_aw_open;  // a request is on the bus for the first time
wire read_done = r_valid && r_ready && r_last;
reg [5:0] reads_owed, writes_owed;
always @(posedge clk)
  if (rst) begin reads_owed <= 0; writes_owed <= 0; end
  else begin reads_owed <= reads_owed + asks - read_done; writes_owed <= writes_owed + writes - b_valid; end
"""
_BUS = {"r": "!r_valid || reads_owed != 0", "b": "!b_valid || writes_owed != 0", "stays": "!(past_cut && !past_quiet) || cut",
        "reads": f"reads_owed < {_READS}", "writes": f"writes_owed < {_PARAMS.max_outstanding}"}
_HONEST = f"the bus answers what was asked; engines have at most {_PARAMS.max_outstanding} bursts of each kind in flight; " \
          "a cut lasts until quiet"

#: Beats of bursts whose requests are on the bus.
_BEATS = past("accepts = i_aw_valid && i_aw_ready && \\dut.lengths.i_ready && !(cut && quiet)") + """
wire sent = w_valid && w_ready && w_last;
reg [1:0] length; reg [2:0] beat;  // of the burst whose beat is on offer: its beats less one, and those that are taken
reg [5:0] unsent, unanswered, asked;  // bursts on the bus that lack beats, or just their response; bursts of STORE since the cut
always @(posedge clk)
  if (rst) begin beat <= 0; unsent <= 0; unanswered <= 0; asked <= 0; end
  else begin
    if (\\dut.send ) length <= \\dut.lengths.o ;
    if (w_valid && w_ready) beat <= w_last ? 0 : beat + 1;
    unsent <= unsent + writes - sent; unanswered <= unanswered + sent - b_valid;
    asked <= cut ? 0 : asked + (i_aw_valid && i_aw_ready) - i_b_valid;
  end
wire [5:0] lacking = unsent + writes - (w_valid && w_last);  // bursts on the bus that have a beat which is not on offer yet
""" + past("owes = cut && lacking != 0")


def _beats_property(name: str, **values) -> Property:
    held, waiting = "(\\dut.lengths.stored + \\dut.lengths.o_valid )", "(\\dut.aw_skid.o_valid + !\\dut.aw_skid.i_ready + \\dut.aw_bad )"
    return Property(
        name=f"guard-{name}", component=bus_guard, quick=True, given=_HONEST + ", and responds when a burst has its last beat",
        model=_OWED + _BEATS,
        assumes={**_BUS, "b": "!b_valid || unanswered != 0", "length": "!i_aw_valid || i_aw_len < 4",
                 "asked": f"!i_aw_valid || cut || asked < {_PARAMS.max_outstanding}"},
        observed={"begun": 5, "writes": 5, "aw_fresh": 1, "aw_bad": 1, "beat": 2, "send": 1, "aw_skid.o_valid": 1, "aw_skid.i_ready": 1,
                  **{f"lengths.{name}": bits for name, bits in (("stored", 5), ("o_valid", 1), ("i_valid", 1), ("i_ready", 1), ("i", 2),
                                                                ("o_ready", 1), ("o", 2))}},
        helpers={
            "fresh": "\\dut.aw_fresh == writes", "counts": "\\dut.writes == writes_owed", "owed": "writes_owed == unanswered + unsent",
            "begun": "\\dut.begun + writes == lacking", "beat": "\\dut.beat == (w_valid && w_last ? 0 : beat + w_valid)",
            "held": f"past_cut ? {held} >= lacking + past_accepts : {held} == lacking + {waiting}",
            "behind": "\\dut.lengths.o_valid || \\dut.lengths.stored == past_accepts",
            "waits": "past_cut || !past_accepts || \\dut.aw_skid.o_valid ",
            "asked": f"cut || past_cut || asked == writes_owed + writes + {waiting} + i_b_valid",
        }, **values)


PROPERTIES = [
    Property(
        name="guard-holds", component=bus_guard, quick=True,
        says="What is offered on AR, AW and W stays as it is until it is taken, whatever engines do, cut or not.",
        given="nothing", model=_OWED,
        asserts={"ar": _stays("ar", "ar_addr", "ar_len"), "aw": _stays("aw", "aw_addr", "aw_len"),
                 "w": _stays("w", "w_data", "w_strb", "w_last"), "b": "b_ready"},
        covers={"cut": "past_ar_open && past_aw_open && past_w_open && past_cut"},
        bug=Bug("hw/bus_guard.py", "(~self.w_valid | self.w_ready) & ", ""),
    ),
    Property(
        name="guard-cut", component=bus_guard, quick=True,
        says="While cut, nothing new is asked of the bus, no read beat and no response reaches an engine, and new write beats have no byte "
             "enabled; quiet is high exactly while nothing is on offer and neither side owes anything.",
        given=_HONEST, model=_OWED + past("owed = reads_owed != 0 || writes_owed != 0"), assumes=_BUS,
        observed={"reads": (_READS).bit_length(), "writes": _PARAMS.max_outstanding.bit_length(), "ar_fresh": 1, "aw_fresh": 1},
        asserts={"asks": "!past_cut || !(asks || writes)", "answers": "!past_cut || !(i_r_valid || i_b_valid)",
                 "beats": "!(past_cut && w_valid && !past_w_open) || w_strb == 0",
                 "quiet": "quiet == (!ar_valid && !aw_valid && reads_owed == 0 && writes_owed == 0)"},
        helpers={"fresh": "\\dut.ar_fresh == asks && \\dut.aw_fresh == writes",
                 "counts": "\\dut.reads == reads_owed && \\dut.writes == writes_owed"},
        covers={"quiet": "quiet && past_cut && past_owed"},
        bug=Bug("hw/bus_guard.py", "valid.eq(skid.o_valid & inside & ~self.cut)", "valid.eq(skid.o_valid & inside)"),
    ),
    _beats_property(
        "beats",
        says="The length of each burst that STORE asks for goes into a Fifo, which has room, and is taken out with the burst's last beat. "
             "WLAST is on the beat of that number, and on no other, cut or not; no beat comes before its request.",
        asserts={"first": "!w_valid || unsent != 0",
                 "fed": "\\dut.lengths.i_valid == (i_aw_valid && i_aw_ready) && \\dut.lengths.i == i_aw_len[1:0]",
                 "room": "!(i_aw_valid && i_aw_ready && !cut) || \\dut.lengths.i_ready ",
                 "taken": "\\dut.lengths.o_ready == (\\dut.send && \\dut.beat == \\dut.lengths.o ) && "
                          "(!\\dut.lengths.o_ready || \\dut.lengths.o_valid )",
                 "last": "!w_valid || w_last == (beat == length)"},
        covers={"cut": "past_cut && w_valid && w_last && beat == 3", "full": f"lacking == {_PARAMS.max_outstanding}"},
        bug=Bug("hw/bus_guard.py", "Mux(at_end, 0, beat + 1)", "beat + 1"),
    ),
    _beats_property(
        "drains",
        says="While cut, a write beat is on offer in every cycle as long as a request on the bus lacks beats, and read beats and "
             "responses are always taken: a bus that takes and answers becomes quiet.",
        asserts={"beats": "!past_owes || w_valid", "answers": "!past_cut || (r_ready && b_ready)"},
        covers={"many": f"past_owes && lacking == {_PARAMS.max_outstanding - 1}"},
        bug=Bug("hw/bus_guard.py", "beats.o_valid | self.cut", "beats.o_valid"),
    ),
    _window_property("ar", "i_ar_fetch", Bug("hw/bus_guard.py", "above | below", "above & below")),
    _window_property("aw", "1'b0", Bug("hw/bus_guard.py", "last < window.end", "last <= window.end")),
]

_FETCH = {"fetch": "!past_fetch_open || (fetch_ar_valid && fetch_ar_addr == past_fetch_ar_addr)",
          "load": "!past_load_open || (load_ar_valid && {load_ar_addr, load_ar_len, load_ar_seg} == past_load)"}
_USERS = past("fetch_open = fetch_ar_valid && !fetch_ar_ready") + past("fetch_ar_addr", 32) \
    + past("load_open = load_ar_valid && !load_ar_ready") + past("load = {load_ar_addr, load_ar_len, load_ar_seg}", 42)

PROPERTIES += [
    Property(
        name="read-port-holds", component=read_port, quick=True,
        says="A request on AR stays as it is until it is taken, and is one of fetch's or LOAD's; who is not on offer waits.",
        given="both users keep what they ask for until it is taken",
        model=_USERS + _offers("ar", ar_addr="32", ar_len="8", ar_fetch="1"), assumes=_FETCH,
        asserts={"holds": _stays("ar", "ar_addr", "ar_len", "ar_fetch"),
                 "whose": "!ar_valid || (ar_fetch ? fetch_ar_valid && ar_addr == fetch_ar_addr : "
                          "load_ar_valid && {ar_addr, ar_len, ar_seg} == {load_ar_addr, load_ar_len, load_ar_seg})",
                 "one": "!(fetch_ar_ready && load_ar_ready)",
                 "taken": "(ar_valid && ar_ready) == ((fetch_ar_valid && fetch_ar_ready) || (load_ar_valid && load_ar_ready))"},
        covers={"fetch": "past_ar_open && ar_fetch", "load": "past_ar_open && !ar_fetch && fetch_ar_valid"},
        bug=Bug("hw/read_port.py", "Mux(waits, fetch_waits, self.fetch_ar_valid)", "self.fetch_ar_valid"),
    ),
    Property(
        name="read-port-beats", component=read_port, quick=True,
        says="Whose each burst is goes into a Fifo, which has room, and is taken out with the burst's last beat. Each beat goes, "
             "unchanged, to the one that the head of that names, and to nobody else; without a head it waits.",
        given=f"at most {_MOST} bursts in flight; the bus answers what was asked; users keep their requests",
        model=_USERS + """
wire asks = ar_valid && ar_ready, ends = r_valid && r_ready && r_last;
reg [5:0] owed;
always @(posedge clk) owed <= rst ? 0 : owed + asks - ends;
""", assumes={**_FETCH, "most": f"owed <= {_MOST}", "answers": "!r_valid || owed != 0"},
        observed={f"whose.{name}": bits for name, bits in (("stored", 6), ("o_valid", 1), ("i_valid", 1), ("i_ready", 1), ("i", 1),
                                                          ("o_ready", 1), ("o", 1))},
        helpers={"held": "\\dut.whose.stored + \\dut.whose.o_valid == owed"},
        asserts={"fed": "\\dut.whose.i_valid == asks && \\dut.whose.i == ar_fetch", "room": "!asks || \\dut.whose.i_ready ",
                 "taken": "\\dut.whose.o_ready == ends && (!ends || \\dut.whose.o_valid )",
                 "fetch": "fetch_r_valid == (r_valid && \\dut.whose.o_valid && \\dut.whose.o )",
                 "load": "load_r_valid == (r_valid && \\dut.whose.o_valid && !\\dut.whose.o )",
                 "data": "fetch_r_data == r_data && load_r_data == r_data && load_r_resp == r_resp && load_r_last == r_last",
                 "ready": "r_ready == (\\dut.whose.o_valid && (\\dut.whose.o || load_r_ready))"},
        covers={"many": "ends && owed == 18"},
        bug=Bug("hw/read_port.py", "self.r_valid & self.r_ready & self.r_last", "self.r_valid & self.r_last"),
    ),
]
