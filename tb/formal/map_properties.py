"""The map is changed only as firmware said: nothing is swapped but what was expected, and no store is lost. One entry is followed."""

from tenon.hw.storage.map_unit import MapOp, MapUnit
from tenon.tb.formal.prop import Bug, Property

__all__ = ["PROPERTIES"]

_BLOCKS, _BITS = 4, 32


def unit():
    return MapUnit(base=0, blocks=_BLOCKS, address_bits=8, bits=_BITS)


# Memory: which word each read under way is of, and what the word that ``which`` names holds. A write is in memory when it is answered.
_MODEL = """
(* anyconst *) wire [1:0] which;
(* anyconst *) wire [31:0] first;
reg [31:0] cell; reg begun;
reg [1:0] words [0:15]; reg [3:0] asked, given;
reg addressed, written; reg [5:0] target; reg [31:0] text;
reg mine; reg [1:0] op; reg [31:0] expected, value, before;
wire accepts = b_valid && b_ready;
wire stores = op == STORE || (op == SWAP && before == expected);
always @(posedge clk)
  if (rst) begin cell <= first; asked <= 0; given <= 0; addressed <= 0; written <= 0; mine <= 0; end
  else begin
    if (m_ar_valid && m_ar_ready) begin words[asked] <= m_ar_addr[3:2]; asked <= asked + 1; end
    if (m_r_valid && m_r_ready) given <= given + 1;
    if (m_aw_valid && m_aw_ready) begin addressed <= 1; target <= m_aw_addr[7:2]; end
    if (m_w_valid && m_w_ready) begin written <= 1; text <= m_w_data; end
    if (m_b_valid && m_b_ready) begin
      addressed <= 0; written <= 0;
      if (target == which) cell <= text;
    end
    if (accepts) begin mine <= b_block == which; op <= b_op; expected <= b_expected; value <= b_value; before <= cell; end
  end
""".replace("STORE", str(MapOp.STORE.value)).replace("SWAP", str(MapOp.SWAP.value))

PROPERTIES = [
    Property(
        name="map-swap", component=unit, bound=16, seconds=300,
        says="An entry is written by a store, or by a swap that found what it expected, and by nothing else; when either is done, it is "
             "what was to be stored, and firmware was told what it was before.",
        given=f"{_BLOCKS} entries, words of {_BITS} bits; memory answers in order and with what was written last",
        model=_MODEL,
        assumes={"there": "!m_r_valid || asked != given",
                 "read": "!(m_r_valid && words[given] == which) || (m_r_data == cell && m_r_resp == 0)",
                 "answered": "!m_b_valid || (addressed && written)"},
        asserts={"write": "!(m_aw_valid && m_aw_addr[7:2] == which) || (mine && stores)",
                 "data": "!m_w_valid || m_w_data == value", "inside": f"!m_aw_valid || m_aw_addr < {4 * _BLOCKS}",
                 "told": "!(b_done && mine) || b_entry == before",
                 "done": "!(b_done && mine) || cell == (stores ? value : before)"},
        covers={"swapped": f"b_done && mine && op == {MapOp.SWAP.value} && stores && value != before",
                "kept": f"b_done && mine && op == {MapOp.SWAP.value} && !stores", "busy": "b_done && mine && asked - given > 2"},
        bug=Bug("hw/storage/map_unit.py", "(op == MapOp.SWAP) & (self.b_entry == expected)", "op == MapOp.SWAP"),
    ),
]
