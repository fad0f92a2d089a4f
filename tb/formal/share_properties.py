"""The device's memory: every burst goes to the one who asked, and the last user has its share. Short bursts: length decides nothing."""

from tenon.hw.storage.bus import ReadShare
from tenon.tb.formal.prop import Bug, Property, past

__all__ = ["PROPERTIES"]

_USERS, _SHARE = 3, 4


def share():
    return ReadShare(users=_USERS, address_bits=8, bits=32, outstanding=4, share=_SHARE)


_TAKEN = [f"u{u}_ar_valid && u{u}_ar_ready" for u in range(_USERS)]
_MODEL = "".join(past(f"u{u}_open = u{u}_ar_valid && !u{u}_ar_ready") + past(f"u{u}_ar_addr", 8) for u in range(_USERS)) + past(
    "open = ar_valid && !ar_ready") + past("ar_addr", 8) + f"""
reg [2:0] passed;  // bursts of others since the last user asks
wire last_takes = u{_USERS - 1}_ar_valid && u{_USERS - 1}_ar_ready;
wire takes = {" || ".join(f"({t})" for t in _TAKEN)};
always @(posedge clk)
  if (rst || !u{_USERS - 1}_ar_valid || last_takes) passed <= 0;
  else if (takes) passed <= passed + 1;
"""
_STAYS = " && ".join(f"(!past_u{u}_open || (u{u}_ar_valid && u{u}_ar_addr == past_u{u}_ar_addr))" for u in range(_USERS))

PROPERTIES = [
    Property(
        name="memory-share", component=share, bound=20, seconds=300,
        says=f"Of {_SHARE} bursts while the last user asks, one is its; in a cycle at most one request is taken, the one that is on offer, "
             "which stays as it is until then.",
        given=f"{_USERS} users whose requests stay until they are taken, a share of one in {_SHARE}",
        model=_MODEL, assumes={"stays": _STAYS},
        asserts={"share": f"passed < {_SHARE}", "one": f"$countones({{{', '.join(_TAKEN)}}}) <= 1",
                 "offer": "!past_open || (ar_valid && ar_addr == past_ar_addr)", "taken": "takes == (ar_valid && ar_ready)"},
        covers={"owed": f"passed == {_SHARE - 1} && last_takes && u0_ar_valid", "first": "u0_ar_valid && u0_ar_ready && passed == 1"},
        bug=Bug("hw/storage/bus.py", "(passed >= share - 1)", "(passed >= share)"),
    ),
]
