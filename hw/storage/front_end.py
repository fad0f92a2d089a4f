"""The drive's front end: what lies between the host's queues and firmware."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.axi_lite import AXI_LITE, WORD_BITS
from tenon.hw.storage.bus import ReadShare, WriteShare, attach, read_bus, write_bus
from tenon.hw.storage.command_memory import CommandMemory
from tenon.hw.storage.complete import CompletionPost
from tenon.hw.storage.doorbells import Doorbells
from tenon.hw.storage.fast_reads import fast_reads
from tenon.hw.storage.fetch import SubmissionFetch
from tenon.hw.storage.flash.channel import TAG_BITS, FlashOp
from tenon.hw.storage.flash.unit_reader import UnitStatus
from tenon.hw.storage.guard import Window
from tenon.hw.storage.host_registers import WRITABLE, HostRegisters
from tenon.hw.storage.interrupts import Interrupts
from tenon.hw.storage.map_unit import MapUnit
from tenon.hw.storage.memory_map import memory_map
from tenon.hw.storage.moves import MoveKind, Moves
from tenon.hw.storage.nvme.entries import ADMIN_ENTRIES, SUBMISSION_BYTES
from tenon.hw.storage.nvme.registers import CONTROLLER_REGISTERS
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.processor_port import ProcessorPort, flash_members
from tenon.hw.storage.processor_registers import Counter
from tenon.hw.storage.prp import HOST_ADDRESS_BITS
from tenon.hw.storage.queues import QueueTable
from tenon.hw.storage.read_filter import ReadFilter
from tenon.hw.storage.slots import SlotTable

__all__ = ["FrontEnd"]


class FrontEnd(wiring.Component):
    """Commands come out of queues into slots, firmware says what is to be moved and how each ends, completions go into queues.

    Members
    -------
    s_axil_* :
        BAR 0.
    msix_enable, msix_mask : In(1)
        Of PCI's configuration space.
    h_* :
        The host's memory: AXI4 without what is constant.
    m_* :
        The device's memory, likewise.
    p_access, p_write, p_word, p_value, p_ack, p_answer, irq :
        The processor: ``ProcessorPort``.
    x_irq, g_base, g_bytes : In(1), Out(32) x windows, Out(32) x windows
        The accelerator's interrupt and windows.
    l_*, n_* :
        Flash operations, and what of them has ended: ``ProcessorPort``.
    q_valid, q_ready, q_tag, q_status : In(1), Out(1), In, In
        What has ended of flash operations that hardware asked for.
    busy : Out(1)
        Something is under way, or firmware is to look at something.
    bursts : In(2) x counters
        So many bursts of theirs have begun in the device's memory: ``Counter``.
    time_ns : In(64)
    trace_valid, trace : Out(1), Out(32)
    """

    def __init__(self, params: StorageParams):
        self.params = params
        self.host = {"address_bits": HOST_ADDRESS_BITS, "bits": params.host_bits}
        self.device = {"address_bits": params.address_bits, "bits": params.memory_bits}
        buses = {f"{prefix}{name}": member for prefix, memory in (("h_", self.host), ("m_", self.device))
                 for name, member in {**read_bus(**memory), **write_bus(**memory)}.items()}
        super().__init__({
            **AXI_LITE, "msix_enable": In(1), "msix_mask": In(1), **buses,
            "p_access": In(1), "p_write": In(1), "p_word": In(WORD_BITS), "p_value": In(32), "p_ack": Out(1), "p_answer": Out(32),
            "irq": Out(1),
            "x_irq": In(1), "g_base": Out(32).array(len(Window)), "g_bytes": Out(32).array(len(Window)),
            **flash_members(params), "q_valid": In(1), "q_ready": Out(1), "q_tag": In(TAG_BITS), "q_status": In(UnitStatus),
            "busy": Out(1), "bursts": In(2).array(len(Counter)), "time_ns": In(64), "trace_valid": Out(1), "trace": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        p = self.params
        port = emit.instance(m, "port", ProcessorPort(p))
        reset = ResetSignal() | port.reset  # of what holds queues and commands
        doorbells = emit.instance(m, "doorbells", Doorbells(pairs=p.pairs, entries=ADMIN_ENTRIES), reset=reset)
        fetch = emit.instance(m, "fetch", SubmissionFetch(pairs=p.pairs, entries=ADMIN_ENTRIES, slots=p.slots, host_bits=p.host_bits),
                              reset=reset)
        note = Signal(1 + (p.pairs - 1).bit_length())  # of a completion queue: whether and where it interrupts
        slots = emit.instance(m, "slots", SlotTable(pairs=p.pairs, slots=p.slots), reset=reset)
        post = emit.instance(m, "post", CompletionPost(pairs=p.pairs, entries=ADMIN_ENTRIES, host_bits=p.host_bits,
                                                      tag_bits=len(Cat(slots.p_slot, slots.p_queue)), note_bits=len(note)), reset=reset)
        registers = emit.instance(m, "registers", HostRegisters(p))
        interrupts = emit.instance(m, "interrupts", Interrupts(vectors=p.vectors, host_bits=p.host_bits))
        queues = emit.instance(m, "queues", QueueTable(pairs=p.pairs))
        commands = emit.instance(m, "commands", CommandMemory(slots=p.slots, host_bits=p.host_bits))
        moves = emit.instance(m, "moves", Moves(p))
        read_filter = emit.instance(m, "filter", ReadFilter(p))
        fast = emit.instance(m, "fast", fast_reads(p))
        of_map = emit.instance(m, "map", MapUnit(base=memory_map(p)["MAP"].base, blocks=p.units, **self.device))
        device_reads = emit.instance(m, "device_reads", ReadShare(users=2, **self.device))
        device_writes = emit.instance(m, "device_writes", WriteShare(users=2, **self.device))
        reads = emit.instance(m, "reads", ReadShare(users=2, **self.host))
        writes = emit.instance(m, "writes", WriteShare(users=3, **self.host))

        def wires(source, sink, *names, prefix=""):
            m.d.comb += [getattr(sink, prefix + name).eq(getattr(source, prefix + name)) for name in names]

        # Buses. What the host waits for goes first.
        for name, member in AXI_LITE.items():
            ours, theirs = getattr(self, name), getattr(registers, name)
            m.d.comb += theirs.eq(ours) if member.flow == wiring.In else ours.eq(theirs)
        attach(m, read_bus(**self.host), (fetch, ""), (reads, "u0_"))
        attach(m, read_bus(**self.host), (moves, "h_"), (reads, "u1_"))
        attach(m, read_bus(**self.host), (reads, ""), (self, "h_"))
        attach(m, write_bus(**self.host), (interrupts, ""), (writes, "u0_"))
        attach(m, write_bus(**self.host), (post, ""), (writes, "u1_"))
        attach(m, write_bus(**self.host), (moves, "h_"), (writes, "u2_"))
        attach(m, write_bus(**self.host), (writes, ""), (self, "h_"))
        for bus, share in ((read_bus(**self.device), device_reads), (write_bus(**self.device), device_writes)):
            attach(m, bus, (of_map, "m_"), (share, "u0_"))
            attach(m, bus, (moves, "m_"), (share, "u1_"))
            attach(m, bus, (share, ""), (self, "m_"))

        # The host's registers.
        wires(registers, port, *WRITABLE, "cc_written")
        wires(port, registers, "csts")
        wires(interrupts, registers, "t_read_data", "pending")
        wires(registers, interrupts, "t_write", "t_word", "t_data", "t_strobes", "t_read", "t_read_word")
        enabled = Signal()
        m.d.comb += [
            enabled.eq(registers.cc[CONTROLLER_REGISTERS["cc_en"].low % 32] & port.csts[CONTROLLER_REGISTERS["csts_rdy"].low % 32]
                       & ~port.hold),
            doorbells.w_valid.eq(registers.d_valid), doorbells.w_index.eq(registers.d_index), doorbells.w_value.eq(registers.d_value),
            interrupts.enable.eq(self.msix_enable), interrupts.mask.eq(self.msix_mask),
        ]

        # Queues, which firmware makes.
        m.d.comb += [
            queues.w_valid.eq(port.q_valid), queues.w_queue.eq(port.q_queue), queues.w_completion.eq(port.q_completion),
            queues.w_base.eq(port.q_base), queues.w_other.eq(port.q_other), queues.w_interrupt.eq(port.q_interrupt),
            doorbells.d_valid.eq(port.q_valid), doorbells.d_queue.eq(port.q_queue), doorbells.d_completion.eq(port.q_completion),
            doorbells.d_enable.eq(port.q_enable), doorbells.d_last.eq(port.q_last),
        ]
        wires(doorbells, port, "e_valid", "e_error", "e_index")
        wires(port, doorbells, "e_ready")

        # Commands come in: a slot, its entry, whose it is.
        m.d.comb += [
            fetch.pending.eq(doorbells.pending & enabled.replicate(p.pairs)), doorbells.s_queue.eq(fetch.s_queue),
            queues.f_queue.eq(fetch.s_queue), fetch.s_base.eq(queues.f_base),
            slots.n_valid.eq(fetch.o_valid & fetch.o_end), slots.n_slot.eq(fetch.o_slot), slots.n_queue.eq(fetch.o_queue),
            commands.w_valid.eq(fetch.o_valid), commands.w_slot.eq(fetch.o_slot), commands.w_beat.eq(fetch.o_beat),
            commands.w_data.eq(fetch.o_data), slots.a_take.eq(fetch.a_take), fetch.a_slot.eq(slots.a_slot), fetch.free.eq(slots.free),
        ]
        wires(doorbells, fetch, "s_head", "s_count")
        wires(fetch, doorbells, "s_take", "s_taken")
        cid = Signal(16, reset_less=True)  # comes with an entry's first dword
        with m.If(fetch.o_valid & (fetch.o_beat == 0)):
            m.d.sync += cid.eq(fetch.o_data[16:32])
        m.d.comb += slots.n_cid.eq(cid)
        if p.host_bits == 8 * SUBMISSION_BYTES:
            m.d.comb += slots.n_cid.eq(fetch.o_data[16:32])

        # Reads that hardware carries out; the others are firmware's, and those that hardware could not carry out.
        m.d.comb += [
            read_filter.enable.eq(port.fast), read_filter.w_valid.eq(fetch.o_valid), read_filter.w_beat.eq(fetch.o_beat),
            read_filter.w_data.eq(fetch.o_data), read_filter.n_valid.eq(slots.n_valid), read_filter.n_slot.eq(slots.n_slot),
            read_filter.n_queue.eq(slots.n_queue), slots.s_valid.eq(read_filter.s_valid | fast.s_valid),
            slots.s_slot.eq(Mux(read_filter.s_valid, read_filter.s_slot, fast.s_slot)),
            slots.s_queue.eq(Mux(read_filter.s_valid, read_filter.s_queue, fast.s_queue)), fast.s_ready.eq(~read_filter.s_valid),
            fast.i_valid.eq(read_filter.o_valid), read_filter.o_ready.eq(fast.i_ready),
            *(getattr(fast, f"i_{name}").eq(getattr(read_filter, f"o_{name}")) for name in ("slot", "queue", "block", "last")),
            of_map.a_valid.eq(fast.k_valid), fast.k_ready.eq(of_map.a_ready), of_map.a_block.eq(fast.k_block),
            fast.k_done.eq(of_map.a_done), of_map.a_take.eq(fast.k_take), fast.k_entry.eq(of_map.a_entry),
            of_map.b_valid.eq(port.k_valid), port.k_ready.eq(of_map.b_ready),
            *(getattr(of_map, f"b_{name}").eq(getattr(port, f"k_{name}")) for name in ("op", "block", "expected", "value")),
            port.k_done.eq(of_map.b_done), port.k_entry.eq(of_map.b_entry), fast.epoch.eq(port.epoch), port.old.eq(fast.old),
            fast.v_ready.eq(~port.v_valid),
        ]
        for counter in Counter:
            more = fast.v_valid & fast.v_ready if counter is Counter.FAST_READS else self.bursts[counter]
            count = Signal(32, name=f"count_{counter.name.lower()}")
            m.d.sync += count.eq(count + more)
            m.d.comb += port.counts[counter].eq(count)
        self._flash(m, port, fast)

        # Firmware and the movers look at them, and say how they end.
        wires(slots, port, "m_valid", "m_slot", "m_queue")
        wires(port, slots, "m_ready")
        m.d.comb += [
            commands.a_valid.eq(moves.c_valid), commands.a_slot.eq(moves.c_slot), commands.a_dword.eq(moves.c_dword),
            moves.c_data.eq(commands.data), commands.b_valid.eq(port.c_valid), port.c_ready.eq(commands.b_ready),
            commands.b_slot.eq(port.c_slot), commands.b_dword.eq(port.c_dword), port.c_data.eq(commands.data),
            moves.i_valid.eq(port.v_valid | fast.v_valid), moves.i_slot.eq(Mux(port.v_valid, port.v_slot, fast.v_slot)),
            moves.i_kind.eq(Mux(port.v_valid, port.v_kind, MoveKind.TO_HOST)), moves.i_finish.eq(Mux(port.v_valid, port.v_finish, 1)),
            moves.i_dwords.eq(Mux(port.v_valid, port.v_dwords, fast.v_dwords)),
            moves.i_addr.eq(Mux(port.v_valid, port.v_addr, fast.v_addr)), moves.i_source.eq(port.v_source),
            slots.q_queue.eq(port.o_queue), port.o_commands.eq(slots.q_commands),
            port.o_fetching.eq(fetch.busy & (fetch.s_queue == port.o_queue)),
            slots.f_valid.eq(moves.f_valid | port.f_valid), moves.f_ready.eq(slots.f_ready),
            port.f_ready.eq(slots.f_ready & ~moves.f_valid), port.f_wrong.eq(slots.f_wrong & ~moves.f_valid),
        ]
        with m.If(moves.f_valid):
            m.d.comb += [slots.f_slot.eq(moves.f_slot), slots.f_status.eq(moves.f_status)]
        with m.Else():
            m.d.comb += [slots.f_slot.eq(port.f_slot), slots.f_status.eq(port.f_status), slots.f_result.eq(port.f_result)]
        wires(moves, port, "d_valid", "d_slot", "d_fault")
        wires(port, moves, "d_ready")

        # Completions go out.
        m.d.comb += [
            post.i_valid.eq(slots.p_valid & ~port.hold), slots.p_ready.eq(post.i_ready), slots.p_again.eq(post.i_again),
            post.i_queue.eq(slots.p_queue), post.i_cid.eq(slots.p_cid), post.i_status.eq(slots.p_status), post.i_result.eq(slots.p_result),
            post.i_tag.eq(Cat(slots.p_slot, slots.p_queue)), slots.posted.eq(post.posted),
            Cat(slots.posted_slot, slots.posted_queue).eq(post.o_tag), queues.s_queue.eq(post.s_queue),
            post.s_completion.eq(queues.s_completion),
            doorbells.c_queue.eq(post.c_queue), queues.c_queue.eq(post.c_queue), post.c_base.eq(queues.c_base),
            post.c_note.eq(Cat(queues.c_interrupt, queues.c_vector)), note.eq(post.o_note),
            doorbells.h_queue.eq(post.s_queue), post.s_head.eq(doorbells.h_head),
            interrupts.i_valid.eq(post.posted & note[0]), interrupts.i_vector.eq(note[1:]),
        ]
        wires(doorbells, post, "c_tail", "c_phase", "c_full")
        wires(post, doorbells, "c_push")
        m.d.comb += [
            self.busy.eq(~port.quiet | port.irq | fetch.pending.any() | slots.p_valid | registers.cc_written),
            port.failed.eq(fetch.o_failed | post.o_failed),
            port.quiet.eq(~(fetch.busy | post.busy | moves.busy | interrupts.busy | read_filter.busy | fast.busy | of_map.busy)),
            port.x_irq.eq(self.x_irq),
            *(self.g_base[w].eq(port.g_base[w]) for w in Window),
            *(self.g_bytes[w].eq(port.g_bytes[w]) for w in Window),
            port.time_ns.eq(self.time_ns),
            self.trace_valid.eq(port.trace_valid), self.trace.eq(port.trace),
            *(getattr(port, name).eq(getattr(self, name)) for name in ("p_access", "p_write", "p_word", "p_value")),
            *(getattr(self, name).eq(getattr(port, name)) for name in ("p_ack", "p_answer", "irq")),
        ]
        return m

    def _flash(self, m: Module, port, fast) -> None:
        """Operations of flash: hardware's reads between firmware's, but not between units of one page."""
        for name, member in flash_members(self.params).items():
            ours, theirs = getattr(self, name), getattr(port, name)
            m.d.comb += theirs.eq(ours) if member.flow == wiring.In else ours.eq(theirs)
        if self.params.ram_blocks:
            return
        within = Signal()  # more units of the page that firmware programs come
        with m.If(port.l_valid & port.l_ready):
            m.d.sync += within.eq(port.l_more)
        with m.If(~port.l_valid & ~within):
            m.d.comb += [self.l_valid.eq(fast.l_valid), self.l_op.eq(FlashOp.READ), self.l_more.eq(0), fast.l_ready.eq(self.l_ready),
                         *(getattr(self, f"l_{name}").eq(getattr(fast, f"l_{name}"))
                           for name in ("channel", "die", "row", "unit", "addr", "tag"))]
        m.d.comb += [fast.e_valid.eq(self.q_valid), self.q_ready.eq(fast.e_ready), fast.e_tag.eq(self.q_tag),
                     fast.e_status.eq(self.q_status)]
