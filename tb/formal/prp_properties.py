"""The PRP walker leaves no page that is described, and moves what it was told to: short pages, so that lists soon end and go on."""

from tenon.hw.storage.prp import PrpFault, PrpWalker
from tenon.tb.formal.prop import Bug, Property, past

__all__ = ["PROPERTIES"]

_PAGES, _PAGE = 8, 32
_DWORDS, _ENTRIES = _PAGE // 4, _PAGE // 8
_BITS = (_PAGES * _DWORDS).bit_length()


def walker():
    return PrpWalker(max_pages=_PAGES, page_bytes=_PAGE)


# The specification follows the command that was taken last: ``rest`` dwords are in no piece yet, ``n`` counts pieces (2: two or more), the
# entry that comes next is at ``at``, the one to be asked for next at ``ask``.
_MODEL = past("o_valid") + past("o_ready") + past("arrives = d_valid && d_ready && !link_") + past("d", 64) + f"""
wire new_ = o_valid && (!past_o_valid || past_o_ready);
reg on; reg [63:0] p1, p2, at, ask; reg [{_BITS - 1}:0] rest; reg [1:0] n; reg [7:0] owed;
wire [{_BITS - 1}:0] rest_now = new_ ? rest - o_dwords : rest;
wire link_ = at[4:3] == {_ENTRIES - 1} && rest_now > {_DWORDS};
wire come = d_valid && d_ready, asked = l_valid && l_ready;
always @(posedge clk)
  if (rst) begin on <= 0; owed <= 0; end
  else begin
    owed <= owed + (asked ? l_count + 1 : 0) - come;
    if (new_) begin rest <= rest_now; n <= n[1] ? 2 : n + 1; on <= !o_last; end
    if (come) at <= link_ ? d : at + 8;
    if (asked) ask <= ask + 8 * (l_count + 1);
    if (come && link_) ask <= d;
    if (i_valid && i_ready) begin
      on <= 1; p1 <= i_prp1; p2 <= i_prp2; rest <= i_dwords; n <= 0; at <= i_prp2; ask <= i_prp2;
    end
  end
wire good = new_ && o_fault == {PrpFault.NONE};
wire whole = n == 1 && rest <= {_DWORDS};  // one page more is all there is
"""

PROPERTIES = [
    Property(
        name="prp-pages", component=walker, bound=22, seconds=300,
        says="Every piece lies in a page that an entry of the command describes, and crosses none; pieces add up to what the command "
             "moves; what is read of lists is what follows, within their pages.",
        given=f"pages of {_PAGE} bytes, commands of at most {_PAGES} of them; entries come as they were asked for",
        model=_MODEL,
        assumes={"some": f"i_dwords != 0 && i_dwords <= {_PAGES * _DWORDS}", "asked": "!d_valid || owed != 0"},
        asserts={"taken": "!new_ || on", "first": "!(good && n == 0) || (o_addr == p1 && p1[1:0] == 0)",
                 "second": "!(good && whole) || (o_addr == p2 && p2[4:0] == 0)",
                 "listed": "!(good && n != 0 && !whole) || (past_arrives && o_addr == past_d && past_d[4:0] == 0)",
                 "inside": f"!good || o_addr[4:2] + o_dwords <= {_DWORDS}",
                 "sum": "!good || (o_dwords != 0 && (o_last ? o_dwords == rest : o_dwords < rest))",
                 "fault": "!new_ || good || (o_last && o_dwords == 0)",
                 "held": "!(past_o_valid && !past_o_ready) || o_valid",
                 "reads": f"!l_valid || (l_addr == ask && l_addr[4:3] + l_count < {_ENTRIES})"},
        covers={"link": "good && n == 2 && o_last && at[63:12] != p2[63:12]", "offset": "good && o_last && n == 2 && p1[4:2] == 3",
                "fault": f"new_ && o_fault == {PrpFault.OFFSET} && n == 2"},
        bug=Bug("hw/storage/prp.py", "(index == self.page_entries - 1) & (pages_left > 1)", "(index == self.page_entries - 1)"),
    ),
]
