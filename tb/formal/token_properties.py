"""Token counters: they count, they grant to who asked, and they say when they overflow. All engines, two of the counters, which are
alike and touch each other in grants alone."""

from tenon.hw.tokens import TOKEN_LIMIT, TokenCounters
from tenon.tb.formal.prop import Bug, Property, past

_ENGINES, _COUNT = 5, 2


def token_counters():
    return TokenCounters(_ENGINES, _COUNT)


def _sum(template: str, by: str = " + ") -> str:
    return by.join(template.format(e=e) for e in range(_ENGINES))


_GRANTS = "{" + ", ".join(f"grant__{e}" for e in reversed(range(_ENGINES))) + "}"
_STAYS = {f"want_stays{e}": f"!past_open{e} || (want_valid__{e} && want__{e} == past_want{e})" for e in range(_ENGINES)}
_MODEL = "".join(past(f"open{e} = want_valid__{e} && !grant__{e}") + past(f"want{e} = want__{e}", _COUNT) for e in range(_ENGINES))
_COUNTED = "".join(f"""
reg [11:0] count{i} = 0;  // as many as there are
wire take{i} = {_sum(f"grant__{{e}} && want__{{e}}[{i}]", " || ")};
always @(posedge clk) count{i} <= rst ? 0 : count{i} - take{i} + {_sum(f"released__{{e}}[{i}] + done__{{e}}[{i}]")};
""" for i in range(_COUNT))
_WITHIN = " && ".join(f"count{i} <= {TOKEN_LIMIT}" for i in range(_COUNT))
_OVERFLOWN = f"""
reg beyond = 0;  // some count has been too high before this cycle
always @(posedge clk) beyond <= !rst && (beyond || !({_WITHIN}));
"""

PROPERTIES = [
    Property(
        name="tokens-count", component=token_counters, quick=True,
        says="Until a counter exceeds its limit, each equals the number of tokens given less those taken, and is never below zero.",
        given="a wanted mask stays until it is granted",
        model=_MODEL + _COUNTED, assumes={**_STAYS, "within": _WITHIN}, observed={f"counter{i}": 8 for i in range(_COUNT)},
        asserts={**{f"counter{i}": f"\\dut.counter{i} == count{i}" for i in range(_COUNT)},
                 **{f"taken{i}": f"!(take{i} && count{i} == 0)" for i in range(_COUNT)}, "quiet": "!overflow"},
        covers={"taken": "take0 && count0 == 1 && take1", "many": "count0 == 20"},
        bug=Bug("hw/tokens.py", " & ~able.any()", ""),
    ),
    Property(
        name="tokens-grants", component=token_counters, quick=True,
        says="In each cycle at most one engine is granted, and only one that asks, and whose tokens are all there.",
        given="a wanted mask stays until it is granted",
        model=_MODEL, assumes=_STAYS, observed={f"counter{i}": 8 for i in range(_COUNT)},
        asserts={"one": f"({_GRANTS} & ({_GRANTS} - 5'd1)) == 0",
                 **{f"asked{e}": f"!grant__{e} || want_valid__{e}" for e in range(_ENGINES)},
                 **{f"there{e}_{i}": f"!(grant__{e} && want__{e}[{i}] && \\dut.counter{i} == 0 && !overflow)"
                    for e in range(_ENGINES) for i in range(_COUNT)}},
        covers={"last": f"grant__{_ENGINES - 1}"},
        bug=Bug("hw/tokens.py", "able[e] & ~taken", "able[e]"),
    ),
    Property(
        name="tokens-ahead", component=token_counters, quick=True,
        says="A token that a grant takes had been signalled two cycles before, at the latest: a queue, which offers what has been granted "
             "in a cycle before, offers it ``SIGNAL_AHEAD`` cycles after the signal, or later.",
        given="a wanted mask stays until it is granted",
        model=_MODEL + "".join(past(f"counter{i} = \\dut.counter{i}", 8) for i in range(_COUNT)), assumes=_STAYS,
        observed={f"counter{i}": 8 for i in range(_COUNT)},
        asserts={f"ahead{e}_{i}": f"!(grant__{e} && want__{e}[{i}] && past_counter{i} == 0)"
                 for e in range(_ENGINES) for i in range(_COUNT)},
        covers={"last": f"grant__{_ENGINES - 1}"},
        bug=Bug("hw/tokens.py", "Cat(c == 0 for c in counters)", "Cat((c == 0) & ~self.done[0][i] for i, c in enumerate(counters))"),
    ),
    Property(
        name="tokens-overflow", component=token_counters,
        says="In the cycle after a counter's true number exceeds the limit for the first time, overflow is high.",
        given="a wanted mask stays until it is granted",
        model=_MODEL + _COUNTED + _OVERFLOWN, assumes=_STAYS, observed={f"counter{i}": 8 for i in range(_COUNT)},
        asserts={"missed": f"beyond || ({_WITHIN}) || overflow",
                 **{f"counter{i}": f"beyond || \\dut.counter{i} == (count{i} & {TOKEN_LIMIT})" for i in range(_COUNT)},
                 "untrue": f"beyond || !overflow || !({_WITHIN})"},
        covers={"overflow": "overflow"},
        bug=Bug("hw/tokens.py", "total > TOKEN_LIMIT", "total == TOKEN_LIMIT + 1"),
    ),
]
