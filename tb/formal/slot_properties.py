"""Every command that came in is completed once, as it was ended first. Few slots: they are alike, and one is followed."""

from tenon.hw.storage.slots import SlotTable
from tenon.tb.formal.prop import Bug, Property

__all__ = ["PROPERTIES"]

_SLOTS, _BITS = 4, 2


def table():
    return SlotTable(pairs=2, slots=_SLOTS)


# The specification of the slot that ``which`` names: given out, with a command, ended, taken by who posts completions.
_MODEL = """
(* anyconst *) wire [1:0] which;
reg [2:0] state; reg [15:0] cid; reg queue; reg [14:0] status; reg [3:0] taken;
localparam FREE = 0, GIVEN = 1, OPEN = 2, ENDED = 3, TAKEN = 4;
wire takes = p_valid && p_ready && !p_again, its = \\dut.slot == which;
wire ends = f_valid && f_ready && f_slot == which;
always @(posedge clk)
  if (rst) begin state <= FREE; taken <= 0; end
  else begin
    taken <= (taken | (takes << \\dut.slot )) & ~(posted << posted_slot);
    if (a_take && a_slot == which) state <= GIVEN;
    if (n_valid && n_slot == which) begin state <= OPEN; cid <= n_cid; queue <= n_queue; end
    if (ends && state == OPEN) begin state <= ENDED; status <= f_status; end
    if (takes && its) state <= TAKEN;
    if (posted && posted_slot == which) state <= FREE;
  end
"""

PROPERTIES = [
    Property(
        name="slot-once", component=table, bound=20, seconds=300,
        says="A command is completed once and only after it has ended, with its own name, queue and first status; its slot is given out "
             "again when that is posted, and no sooner.",
        given=f"{_SLOTS} slots; slots are taken if there are any, commands come into slots that were, what was taken is posted once",
        model=_MODEL, observed={"slot": _BITS},
        assumes={"take": "!a_take || free != 0", "come": "!(n_valid && n_slot == which) || state == GIVEN",
                 "posted": "!posted || taken[posted_slot]"},
        asserts={"once": "!(p_valid && its) || state == ENDED",
                 "whose": "!(p_valid && its) || (p_slot == which && p_cid == cid && p_queue == queue)",
                 "first": "!(p_valid && its) || p_status == status", "given": "!(a_take && a_slot == which) || state == FREE",
                 "wrong": "!ends || f_wrong == (state != OPEN)"},
        covers={"again": "state == ENDED && p_valid && its && p_ready && p_again", "twice": "ends && state == ENDED",
                "anew": "a_take && a_slot == which && cid == 7 && status == 5"},
        bug=Bug("hw/storage/slots.py", "ends_now.eq(self.f_valid & self.f_ready & self.open.bit_select(self.f_slot, 1))",
                "ends_now.eq(self.f_valid & self.f_ready)"),
    ),
]
