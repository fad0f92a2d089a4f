"""What firmware asks to be moved: data of a command between host and device, or within the device."""

from __future__ import annotations

import enum

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.fifo import Fifo
from tenon.hw.storage.bus import ReadShare, WriteShare, attach, read_bus, write_bus
from tenon.hw.storage.command_memory import COMMAND_DWORDS
from tenon.hw.storage.complete import STATUS_BITS
from tenon.hw.storage.copier import Copier
from tenon.hw.storage.mover import Direction, Mover
from tenon.hw.storage.nvme.entries import SUBMISSION
from tenon.hw.storage.nvme.status import Status
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.prp import HOST_ADDRESS_BITS, PrpFault

__all__ = ["MoveKind", "Moves"]

#: How a command ends whose data could not be moved.
_STATUS = {PrpFault.NONE: Status.SUCCESS, PrpFault.OFFSET: Status.PRP_OFFSET_INVALID, PrpFault.BUS: Status.DATA_TRANSFER_ERROR}

_FIRST_DWORD = SUBMISSION["prp1"].low // 32
_ENTRY_DWORDS = 4  # prp1 and prp2


class MoveKind(enum.IntEnum):
    """Which way data go."""

    TO_HOST = 0
    FROM_HOST = 1
    FILL = 2  # zeros, into the device's memory
    COPY = 3  # within the device's memory


class Moves(wiring.Component):
    """Every kind side by side but the last two, which share a unit; each moves in the order in which it was asked to.

    Members
    -------
    i_valid, i_slot, i_kind, i_finish, i_dwords, i_addr, i_source : In
        Data are to be moved on behalf of a command, to or from this place in the device's memory. The command ends when that is done, or
        firmware is told. There is room for one move of each slot.
    c_valid, c_slot, c_dword, c_data : Out(1), Out, Out, In(32)
        Reads of commands, answered in the next cycle.
    h_ar_*, h_r_*, h_aw_*, h_w_*, h_b_* :
        The host's memory.
    m_ar_*, m_r_*, m_aw_*, m_w_*, m_b_* :
        The device's.
    f_valid, f_ready, f_slot, f_status : Out(1), In(1), Out, Out
        A command has ended.
    d_valid, d_ready, d_slot, d_fault : Out(1), In(1), Out, Out(2)
        Firmware is told.
    busy : Out(1)
        Something is to be moved, or somebody is to be told.
    """

    def __init__(self, params: StorageParams):
        self.params = params
        slot = range(params.slots)
        self.host = {"address_bits": HOST_ADDRESS_BITS, "bits": params.host_bits}
        self.device = {"address_bits": params.address_bits, "bits": params.memory_bits}
        buses = {f"{prefix}{name}": member for prefix, memory in (("h_", self.host), ("m_", self.device))
                 for name, member in {**read_bus(**memory), **write_bus(**memory)}.items()}
        super().__init__({
            "i_valid": In(1), "i_slot": In(slot), "i_kind": In(MoveKind), "i_finish": In(1), "i_dwords": In(32),
            "i_addr": In(params.address_bits), "i_source": In(params.address_bits),
            "c_valid": Out(1), "c_slot": Out(slot), "c_dword": Out(range(COMMAND_DWORDS)), "c_data": In(32), **buses,
            "f_valid": Out(1), "f_ready": In(1), "f_slot": Out(slot), "f_status": Out(STATUS_BITS),
            "d_valid": Out(1), "d_ready": In(1), "d_slot": Out(slot), "d_fault": Out(2), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        slot_bits = len(self.i_slot)
        asked = Cat(self.i_slot, self.i_finish, self.i_kind, self.i_dwords, self.i_addr, self.i_source)
        queue = m.submodules.queue = Fifo(width=len(asked), depth=self.params.slots)
        to_host = m.submodules.to_host = Mover(self.params, Direction.TO_HOST, tag_bits=slot_bits + 1)
        from_host = m.submodules.from_host = Mover(self.params, Direction.FROM_HOST, tag_bits=slot_bits + 1)
        copier = m.submodules.copier = Copier(self.params, tag_bits=slot_bits + 1)
        host_reads = m.submodules.host_reads = ReadShare(users=3, **self.host)
        reads = m.submodules.reads = ReadShare(users=2, **self.device)
        writes = m.submodules.writes = WriteShare(users=2, **self.device)
        m.d.comb += [queue.i_valid.eq(self.i_valid), queue.i.eq(asked)]
        attach(m, to_host.lists, (to_host, "l_"), (host_reads, "u0_"))
        attach(m, from_host.lists, (from_host, "l_"), (host_reads, "u1_"))
        attach(m, read_bus(**self.host), (from_host, ""), (host_reads, "u2_"))
        attach(m, read_bus(**self.host), (host_reads, ""), (self, "h_"))
        attach(m, write_bus(**self.host), (to_host, ""), (self, "h_"))
        attach(m, read_bus(**self.device), (to_host, ""), (reads, "u0_"))
        attach(m, read_bus(**self.device), (copier, ""), (reads, "u1_"))
        attach(m, read_bus(**self.device), (reads, ""), (self, "m_"))
        attach(m, write_bus(**self.device), (from_host, ""), (writes, "u0_"))
        attach(m, write_bus(**self.device), (copier, ""), (writes, "u1_"))
        attach(m, write_bus(**self.device), (writes, ""), (self, "m_"))

        # The entries of the one at the head, dword by dword; then it goes to its unit.
        slot, finish, kind = Signal(slot_bits), Signal(), Signal(MoveKind)
        dwords, address, source = Signal(32), Signal.like(self.i_addr), Signal.like(self.i_source)
        entries = Signal(32 * _ENTRY_DWORDS, reset_less=True)
        step = Signal(range(_ENTRY_DWORDS + 1))
        give, ready = Signal(), Signal()
        within = Signal()
        m.d.comb += [
            Cat(slot, finish, kind, dwords, address, source).eq(queue.o), self.c_slot.eq(slot), self.c_dword.eq(_FIRST_DWORD + step),
            within.eq((kind == MoveKind.FILL) | (kind == MoveKind.COPY)), queue.o_ready.eq(give & ready),
        ]
        with m.FSM():
            with m.State("LOOK"):
                m.d.comb += self.c_valid.eq(queue.o_valid & ~within & (step != _ENTRY_DWORDS))
                with m.If(queue.o_valid & within):
                    m.next = "GIVE"
                with m.Elif(queue.o_valid):
                    m.d.sync += step.eq(step + 1)
                    with m.If(step != 0):
                        m.d.sync += entries.eq(Cat(entries[32:], self.c_data))
                    with m.If(step == _ENTRY_DWORDS):
                        m.d.sync += step.eq(0)
                        m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += give.eq(1)
                with m.If(ready):
                    m.next = "LOOK"
        for unit, mine in ((to_host, kind == MoveKind.TO_HOST), (from_host, kind == MoveKind.FROM_HOST), (copier, within)):
            m.d.comb += [unit.i_valid.eq(give & mine), unit.i_tag.eq(Cat(slot, finish)), unit.i_dwords.eq(dwords), unit.i_addr.eq(address)]
            with m.If(mine):
                m.d.comb += ready.eq(unit.i_ready)
        for mover in (to_host, from_host):
            m.d.comb += [mover.i_prp1.eq(entries[:64]), mover.i_prp2.eq(entries[64:])]
        m.d.comb += [copier.i_zero.eq(kind == MoveKind.FILL), copier.i_source.eq(source)]

        # What is done: the first unit's before the others'.
        told = m.submodules.told = Fifo(width=slot_bits + 2, depth=self.params.slots)
        tag, fault, done, taken = Signal(slot_bits + 1), Signal(2), Signal(), Signal()
        statuses = Array(Const(_STATUS.get(code, Status.SUCCESS).word(), STATUS_BITS) for code in range(4))
        earlier = Const(0, 1)
        for unit in (to_host, from_host, copier):
            with m.If(unit.o_valid & ~earlier):
                m.d.comb += [tag.eq(unit.o_tag), fault.eq(unit.o_fault), unit.o_ready.eq(taken)]
            earlier = earlier | unit.o_valid
        m.d.comb += [
            done.eq(earlier), self.f_valid.eq(done & tag[-1]), self.f_slot.eq(tag), self.f_status.eq(statuses[fault]),
            told.i_valid.eq(done & ~tag[-1]), told.i.eq(Cat(tag[:-1], fault)), taken.eq(Mux(tag[-1], self.f_ready, told.i_ready)),
            self.d_valid.eq(told.o_valid), told.o_ready.eq(self.d_ready), Cat(self.d_slot, self.d_fault).eq(told.o),
            self.busy.eq(queue.busy | to_host.busy | from_host.busy | copier.busy | told.busy),
        ]
        return m
