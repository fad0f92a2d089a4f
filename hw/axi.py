"""The AXI4 channels that the engines speak, as members of their components (AMBA IHI 0022)."""

from __future__ import annotations

from amaranth.lib.wiring import In, Out

__all__ = ["OKAY", "PAGE_BYTES", "SEGMENTS", "SEGMENT_BITS", "SLVERR", "channels", "read_data", "request", "write_data", "write_response"]

PAGE_BYTES = 4096  # no burst crosses a boundary of this many bytes
OKAY, SLVERR = 0, 2  # of RRESP and BRESP

SEGMENTS = 4  # of DRAM, each with a window of its own
SEGMENT_BITS = 2

# Members are named for the manager's side, the one that engines play. Every burst is INCR, of whole bus words, and
# has the one id 0, so that responses come in order: these signals are constants of the top.


def request(channel: str, address_bits: int) -> dict:
    """Address channel ``ar`` or ``aw``: ``len`` is the number of beats - 1, ``seg`` the DRAM segment that it belongs to."""
    return {f"{channel}_valid": Out(1), f"{channel}_ready": In(1), f"{channel}_addr": Out(address_bits),
            f"{channel}_len": Out(8), f"{channel}_seg": Out(SEGMENT_BITS)}


def read_data(bus_bits: int) -> dict:
    return {"r_valid": In(1), "r_ready": Out(1), "r_data": In(bus_bits), "r_resp": In(2), "r_last": In(1)}


def write_data(bus_bits: int) -> dict:
    return {"w_valid": Out(1), "w_ready": In(1), "w_data": Out(bus_bits), "w_strb": Out(bus_bits // 8), "w_last": Out(1)}


def write_response() -> dict:
    return {"b_valid": In(1), "b_ready": Out(1), "b_resp": In(2)}


def channels(params) -> dict:
    """All five channels of the AXI4 port of an accelerator, without what is constant."""
    address = {**request("ar", params.address_bits), **request("aw", params.address_bits)}
    port = {name: member for name, member in address.items() if not name.endswith("_seg")}
    return {**port, **read_data(params.bus_bits), **write_data(params.bus_bits), **write_response()}
