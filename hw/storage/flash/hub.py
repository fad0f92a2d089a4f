"""All flash buses: operations go to theirs, and what has ended comes back in one row."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.fifo import Fifo
from tenon.hw.storage.bus import ReadShare, WriteShare, attach, read_bus, write_bus
from tenon.hw.storage.flash.channel import ROW_BYTES, TAG_BITS, FlashChannel, FlashOp
from tenon.hw.storage.flash.page import BLOCK_BITS
from tenon.hw.storage.flash.unit_reader import ERRORS_BITS, UnitStatus
from tenon.hw.storage.params import StorageParams

__all__ = ["HARDWARE_TAG", "FlashHub", "flash_pins"]

#: Of operations' names, the bit that says that hardware asked for them, not firmware.
HARDWARE_TAG = 1 << TAG_BITS - 1

_ENDED = 256  # operations that nobody has looked at: more than dies can have


def flash_pins(params: StorageParams) -> dict[str, wiring.Member]:
    """A bus's signals, by name."""
    width = 8 * params.flash_bytes_per_cycle
    return {"ce": Out(params.dies), "cle": Out(1), "ale": Out(1), "we": Out(1), "re": Out(1), "o": Out(width), "i": In(width),
            "ready": In(params.dies)}


class FlashHub(wiring.Component):
    """Members are the channel's, but for the die's bus.

    Members
    -------
    i_valid, i_ready, i_channel, i_die, i_op, i_row, i_unit, i_more, i_addr, i_lba, i_sequence, i_tag : In(1), Out(1), In
        An operation.
    o_valid, o_ready, o_tag, o_status, o_errors, o_lba, o_sequence : Out(1), In(1), Out, Out(2), Out(8), Out(48), Out(48)
        What has ended. Whoever looks at it may take time: there is room for all.
    q_valid, q_ready, q_tag, q_status : Out(1), In(1), Out, Out(2)
        Of what has ``HARDWARE_TAG``. It must be taken before long.
    f0_*, f1_*, ... :
        The buses.
    ar_*, r_*, aw_*, w_*, b_* :
        The device's memory.
    busy : Out(1)
    """

    def __init__(self, params: StorageParams):
        self.params = params
        self.memory = {"address_bits": params.address_bits, "bits": params.memory_bits}
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_channel": In(range(max(2, params.channels))), "i_die": In(range(max(2, params.dies))),
            "i_op": In(FlashOp), "i_row": In(8 * ROW_BYTES), "i_unit": In(range(max(2, params.page_units))), "i_more": In(1),
            "i_addr": In(params.address_bits), "i_lba": In(BLOCK_BITS), "i_sequence": In(BLOCK_BITS), "i_tag": In(TAG_BITS),
            "o_valid": Out(1), "o_ready": In(1), "o_tag": Out(TAG_BITS), "o_status": Out(UnitStatus), "o_errors": Out(ERRORS_BITS),
            "o_lba": Out(BLOCK_BITS), "o_sequence": Out(BLOCK_BITS), "busy": Out(1),
            "q_valid": Out(1), "q_ready": In(1), "q_tag": Out(TAG_BITS), "q_status": Out(UnitStatus),
            **{f"f{c}_{name}": member for c in range(params.channels) for name, member in flash_pins(params).items()},
            **read_bus(**self.memory), **write_bus(**self.memory),
        })

    def elaborate(self, platform):
        m = Module()
        p = self.params
        channels = [emit.instance(m, f"channel{c}", FlashChannel(p)) for c in range(p.channels)]
        reads = emit.instance(m, "reads", ReadShare(users=p.channels, **self.memory))
        writes = emit.instance(m, "writes", WriteShare(users=p.channels, **self.memory))
        names = ("tag", "status", "errors", "lba", "sequence")
        ended = m.submodules.ended = Fifo(width=len(Cat(getattr(self, f"o_{name}") for name in names)), depth=_ENDED)
        attach(m, read_bus(**self.memory), (reads, ""), (self, ""))
        attach(m, write_bus(**self.memory), (writes, ""), (self, ""))
        for c, channel in enumerate(channels):
            attach(m, read_bus(**self.memory), (channel, ""), (reads, f"u{c}_"))
            attach(m, write_bus(**self.memory), (channel, ""), (writes, f"u{c}_"))
            m.d.comb += [channel.i_valid.eq(self.i_valid & (self.i_channel == c)),
                         *(getattr(channel, f"i_{name}").eq(getattr(self, f"i_{name}")) for name in
                           ("die", "op", "row", "unit", "more", "addr", "lba", "sequence", "tag"))]
            for name, member in flash_pins(p).items():
                ours, theirs = getattr(self, f"f{c}_{name}"), getattr(channel, f"f_{name}")
                m.d.comb += ours.eq(theirs) if member.flow == wiring.Out else theirs.eq(ours)
        earlier, tag, status, ours = Const(0, 1), Signal(TAG_BITS), Signal(UnitStatus), Signal()
        for channel in channels:
            m.d.comb += channel.o_ready.eq(Mux(ours, self.q_ready, ended.i_ready) & ~earlier)
            with m.If(channel.o_valid & ~earlier):
                m.d.comb += [ended.i.eq(Cat(getattr(channel, f"o_{name}") for name in names)), tag.eq(channel.o_tag),
                             status.eq(channel.o_status)]
            earlier = earlier | channel.o_valid
        m.d.comb += [
            self.i_ready.eq(Array(channel.i_ready for channel in channels)[self.i_channel]), ended.i_valid.eq(earlier & ~ours),
            ours.eq((tag & HARDWARE_TAG) != 0), self.q_valid.eq(earlier & ours), self.q_tag.eq(tag), self.q_status.eq(status),
            self.o_valid.eq(ended.o_valid), ended.o_ready.eq(self.o_ready), Cat(getattr(self, f"o_{name}") for name in names).eq(ended.o),
            self.busy.eq(Cat(channel.busy for channel in channels).any() | ended.busy),
        ]
        return m
