"""Which commands hardware carries out by itself: Reads of blocks that firmware would carry out as well. All others are firmware's."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.fifo import Fifo
from tenon.hw.storage.nvme.commands import Namespace, command
from tenon.hw.storage.nvme.entries import SUBMISSION, SUBMISSION_BYTES
from tenon.hw.storage.params import TRANSFER_PAGES, StorageParams

__all__ = ["ReadFilter"]

_DWORD_BITS = 32


class ReadFilter(wiring.Component):
    """Looks at commands as they come.

    Members
    -------
    enable : In(1)
        0: all commands are firmware's.
    w_valid, w_beat, w_data : In(1), In, In(host_bits)
        A part of an entry.
    n_valid, n_slot, n_queue : In(1), In, In
        It was the last one: a command is in this slot, of this queue.
    s_valid, s_slot, s_queue : Out(1), Out, Out
        A command for firmware.
    o_valid, o_ready, o_slot, o_queue, o_block, o_last : Out(1), In(1), Out, Out, Out, Out
        A Read for hardware: its first block, and how many more it has.
    busy : Out(1)
        Some command is here.
    """

    def __init__(self, params: StorageParams):
        self.params = params
        slot, queue = range(params.slots), range(params.pairs)
        super().__init__({
            "enable": In(1), "w_valid": In(1), "w_beat": In(range(max(1, 8 * SUBMISSION_BYTES // params.host_bits))),
            "w_data": In(params.host_bits), "n_valid": In(1), "n_slot": In(slot), "n_queue": In(queue),
            "s_valid": Out(1), "s_slot": Out(slot), "s_queue": Out(queue),
            "o_valid": Out(1), "o_ready": In(1), "o_slot": Out(slot), "o_queue": Out(queue), "o_block": Out(range(params.units)),
            "o_last": Out(range(TRANSFER_PAGES)), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        read = command("read")
        lanes = self.params.host_bits // _DWORD_BITS
        fields = {name: SUBMISSION[name] for name in ("opcode", "fuse", "psdt", "nsid")} | {n: read.layout[n] for n in ("slba", "nlb")}
        dwords = {d: Signal(_DWORD_BITS, name=f"dword{d}", reset_less=True)
                  for field in fields.values() for d in range(field.low // _DWORD_BITS, field.high // _DWORD_BITS + 1)}
        for number, kept in dwords.items():
            with m.If(self.w_valid & (self.w_beat == number // lanes)):
                m.d.sync += kept.eq(self.w_data.word_select(number % lanes, _DWORD_BITS))

        def of(name: str):
            first, low = divmod(fields[name].low, _DWORD_BITS)
            return Cat(dwords[d] for d in range(first, fields[name].high // _DWORD_BITS + 1))[low:low + fields[name].width]

        # A cycle after its last part, all of it is here.
        came, slot, queue, mine = Signal(), Signal.like(self.n_slot), Signal.like(self.n_queue), Signal()
        taken = m.submodules.taken = Fifo(width=len(Cat(self.o_slot, self.o_queue, self.o_block, self.o_last)), depth=self.params.slots)
        m.d.sync += [came.eq(self.n_valid), slot.eq(self.n_slot), queue.eq(self.n_queue)]
        m.d.comb += [
            mine.eq(self.enable & (queue != 0) & (of("opcode") == read.opcode) & (of("fuse") == 0) & (of("psdt") == 0)
                    & (of("nsid") == Namespace.BLOCKS) & (of("nlb") < TRANSFER_PAGES) & (of("slba") < self.params.units)
                    & (of("slba")[:_DWORD_BITS] + of("nlb") < self.params.units)),
            self.s_valid.eq(came & ~mine), self.s_slot.eq(slot), self.s_queue.eq(queue),
            taken.i_valid.eq(came & mine),
            taken.i.eq(Cat(slot, queue, of("slba")[:len(self.o_block)], of("nlb")[:len(self.o_last)])),
            self.o_valid.eq(taken.o_valid), taken.o_ready.eq(self.o_ready),
            Cat(self.o_slot, self.o_queue, self.o_block, self.o_last).eq(taken.o), self.busy.eq(came | taken.busy),
        ]
        return m
