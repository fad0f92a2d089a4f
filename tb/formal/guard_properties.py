"""Nothing leaves the drive's guard but what lies in a window that the accelerator may touch. Addresses are short: all bits are alike."""

from tenon.hw.storage.guard import Window, WindowGuard
from tenon.tb.formal.prop import Bug, Property

__all__ = ["PROPERTIES"]

_ADDRESS, _BITS = 8, 32
_WORD = _BITS // 8


def guard():
    return WindowGuard(address_bits=_ADDRESS, bits=_BITS)


def _inside(channel: str, windows: list[Window]) -> str:
    end = f"{{3'd0, {channel}_addr}} + {_WORD} * ({channel}_len + 11'd1)"
    return " || ".join(f"({channel}_addr >= base__{w.value} && {end} <= {{3'd0, base__{w.value}}} + bytes__{w.value})" for w in windows)


_CONSTANTS = "".join(f"(* anyconst *) wire [{_ADDRESS - 1}:0] b{w.value}, n{w.value};\n" for w in Window)
_STEADY = " && ".join(f"base__{w.value} == b{w.value} && bytes__{w.value} == n{w.value}" for w in Window)
_FITS = " && ".join(f"{{1'b0, b{w.value}}} + n{w.value} <= {1 << _ADDRESS}" for w in Window)

# Bursts that have passed and whose data have not.
_MODEL = _CONSTANTS + """
reg [7:0] owed;
wire goes = aw_valid && aw_ready, ends = w_valid && w_ready && w_last;
always @(posedge clk) owed <= rst ? 0 : owed + goes - ends;
"""

PROPERTIES = [
    Property(
        name="guard-windows", component=guard, bound=14, seconds=300,
        says="A read that leaves the guard lies in one window, a write in one that may be written; data of writes belong to such a one.",
        given=f"addresses of {_ADDRESS} bits, words of {_BITS}; bursts begin with a word; windows lie inside "
              "the address space and do not change",
        model=_MODEL,
        assumes={"steady": _STEADY, "fits": _FITS, "aligned": "i_ar_addr[1:0] == 0 && i_aw_addr[1:0] == 0"},
        asserts={"reads": f"!ar_valid || ({_inside('ar', list(Window))})",
                 "writes": f"!aw_valid || ({_inside('aw', [w for w in Window if w.writable])})", "data": "!w_valid || owed != 0"},
        covers={"read": "ar_valid && ar_len == 2 && ar_addr == 8", "write": "aw_valid && aw_len == 1 && owed == 1",
                "refused": "i_b_valid && i_b_resp == 2 && i_r_valid && i_r_resp == 2"},
        bug=Bug("hw/storage/guard.py", "allowed = [(begin >= first[w]) & (behind <= end[w]) for w in windows]",
                "allowed = [(begin >= first[w]) & (begin <= end[w]) for w in windows]"),
    ),
]
