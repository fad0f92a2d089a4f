"""The AXI4 channels that the engines speak, as members of their components (AMBA IHI 0022)."""

from __future__ import annotations

from amaranth.lib.wiring import In, Out

__all__ = ["OKAY", "PAGE_BYTES", "read_data", "request", "write_data", "write_response"]

PAGE_BYTES = 4096  # no burst crosses a boundary of this many bytes
OKAY = 0  # of RRESP and BRESP

# Members are named for the manager's side, the one that engines play. Every burst is INCR, of whole bus words, and
# has the one id 0, so that responses come in order: these signals are constants of the top.


def request(channel: str) -> dict:
    """Address channel ``ar`` or ``aw``: ``len`` is the number of beats - 1."""
    return {f"{channel}_valid": Out(1), f"{channel}_ready": In(1), f"{channel}_addr": Out(32), f"{channel}_len": Out(8)}


def read_data(bus_bits: int) -> dict:
    return {"r_valid": In(1), "r_ready": Out(1), "r_data": In(bus_bits), "r_resp": In(2), "r_last": In(1)}


def write_data(bus_bits: int) -> dict:
    return {"w_valid": Out(1), "w_ready": In(1), "w_data": Out(bus_bits), "w_strb": Out(bus_bits // 8), "w_last": Out(1)}


def write_response() -> dict:
    return {"b_valid": In(1), "b_ready": Out(1), "b_resp": In(2)}
