"""Bursts of AXI4: cut at page boundaries, complete, in order, few enough, and held until they are taken.

A bus of 32 bits (tiny) and one of 256 bits with bursts that only the page ends.
"""

from tenon.hw.bursts import Bursts, burst_limit
from tenon.hw.params import SystolicParams
from tenon.hw.presets import preset
from tenon.tb.formal.prop import Bug, Property, past

__all__ = ["PROPERTIES"]


def narrow():
    return Bursts(preset("tiny"))


def wide():
    return Bursts(SystolicParams(rows=32, cols=32, lanes=32, bus_bits=256, burst_beats=256))


def _properties(component, label):
    params = component().params
    shift, words = params.bus_bytes.bit_length() - 1, params.address_bits - (params.bus_bytes.bit_length() - 1)
    in_page = 12 - shift
    count_bits = component().signature.members["i_count"].shape
    # The specification: runs in the order of arrival, one at a time; ``rest`` words of the run at ``at`` have not been asked for.
    # The next two runs wait in the part's own registers, so the specification follows one run that ``mark`` picks.
    length = (burst_limit(params) - 1).bit_length()
    model = past("issue") + past("word = \\dut.word ", words) + past("length = \\dut.length ", length) \
        + past("segment = \\dut.segment ", 2) + past("valid = a_valid") + past("ready = a_ready") \
        + past("addr = a_addr", params.address_bits) + past("len = a_len", 8) \
        + past("seg = a_seg", 2) + f"""
wire take = i_valid && i_ready;
wire asked = a_valid && a_ready;
reg [7:0] flying;
always @(posedge clk) flying <= rst ? 0 : flying + issue - retire;

(* anyseq *) wire mark;
reg followed; reg current; reg [1:0] before;  // a run is followed; its bursts are those of now; so many runs come before it
reg [{words - 1}:0] at; reg [{count_bits}:0] rest; reg [1:0] seg; reg is_last;
reg [1:0] held;  // runs taken whose last burst is not issued
wire final_ = issue && \\dut.final ;
always @(posedge clk)
  if (rst) begin followed <= 0; held <= 0; end
  else begin
    held <= held + take - final_;
    if (take && mark && !followed) begin
      followed <= 1; before <= held - final_; at <= i_word; rest <= i_count + 1; seg <= i_seg; is_last <= i_last;
    end else if (followed && before != 0) before <= before - final_;
    else if (followed && issue) begin
      at <= at + \\dut.length + 1; rest <= rest - \\dut.length - 1; followed <= !final_;
    end
  end
wire its = followed && before == 0;
"""
    held = "past_valid && !past_ready"
    observed = {"final": 1, "length": length, "word": words, "left": count_bits, "busy": 1,
                "segment": 2, "last": 1, "in_flight": params.max_outstanding.bit_length()}
    yield Property(
        name=f"bursts-pages-{label}", component=component, quick=label == "narrow",
        says="No burst crosses a boundary of 4 KiB or has more beats than allowed; each starts at a bus word.",
        given=f"a bus of {params.bus_bits} bits, bursts of at most {params.burst_beats} beats",
        asserts={"page": f"!a_valid || a_addr[{11}:{shift}] + a_len < {1 << in_page}",
                 "beats": f"!a_valid || a_len < {burst_limit(params)}",
                 "aligned": f"a_addr[{shift - 1}:0] == 0"},
        covers={"whole": f"a_valid && a_len == {burst_limit(params) - 1}"},
        bug=Bug("hw/bursts.py", "~word[:bits]", "-1"),
    )
    yield Property(
        name=f"bursts-held-{label}", component=component, quick=label == "narrow",
        says="A request on offer stays as it is until it is taken; at most max_outstanding are in flight; full and idle say so.",
        given="no more bursts are retired than were issued",
        model=model, assumes={"retire": "!retire || flying != 0"}, observed=observed,
        asserts={"valid": f"!({held}) || a_valid",
                 "same": f"!({held}) || (a_addr == past_addr && a_len == past_len && a_seg == past_seg)",
                 "most": f"flying <= {params.max_outstanding}", "in_flight": "\\dut.in_flight == flying",
                 "full": f"!full || flying == {params.max_outstanding}", "idle": "!idle || (held == 0 && flying == 0)"},
        covers={"full": "full"},
        bug=Bug("hw/bursts.py", "busy & room & free", "busy & room"),
    )
    yield Property(
        name=f"bursts-words-{label}", component=component, quick=label == "narrow",
        says="The bursts of a run begin at its first word, follow one another without gap or overlap, have its segment, and add up to its "
             "words; the last of an instruction's last run is said to be so.",
        given="no more bursts are retired than were issued",
        model=model, assumes={"retire": "!retire || flying != 0"}, observed=observed,
        asserts={"at": "!its || !\\dut.busy || (\\dut.word == at && \\dut.left + 1'b1 == rest)",
                 "whose": "!its || !\\dut.busy || (\\dut.segment == seg && \\dut.last == is_last)",
                 "some": "!its || rest != 0", "whole": "!(its && issue) || \\dut.length < rest",
                 "final": "!(its && issue) || (final_ == (rest == \\dut.length + 1))",
                 "last": "!(its && issue) || (issue_last == (final_ && is_last))",
                 "asked": f"!past_issue || (a_valid && a_addr == {{past_word, {shift}'b0}})",
                 "beats": "!past_issue || (a_len == past_length && a_seg == past_segment)",
                 "held": "held <= 3"},
        covers={"three": "its && issue && rest > 2 * " + str(burst_limit(params))},
        bug=Bug("hw/bursts.py", "word[bits:] + 1)", "word[bits:])"),
    )


PROPERTIES = [*_properties(narrow, "narrow"), *_properties(wide, "wide")]
