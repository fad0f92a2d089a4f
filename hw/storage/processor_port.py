"""The registers behind which firmware runs the drive."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.axi_lite import WORD_BITS
from tenon.hw.storage.command_memory import COMMAND_DWORDS
from tenon.hw.storage.complete import STATUS_BITS
from tenon.hw.storage.doorbells import DoorbellError
from tenon.hw.storage.flash.channel import ROW_BYTES, TAG_BITS, FlashOp
from tenon.hw.storage.flash.page import BLOCK_BITS
from tenon.hw.storage.flash.unit_reader import ERRORS_BITS, UnitStatus
from tenon.hw.storage.guard import Window
from tenon.hw.storage.host_registers import WRITABLE
from tenon.hw.storage.map_unit import ENTRY_BITS, MapOp
from tenon.hw.storage.moves import MoveKind
from tenon.hw.storage.nvme.entries import ADMIN_ENTRIES
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.processor_registers import PROCESSOR_ID, Condition, Counter, processor_registers
from tenon.hw.storage.queues import BASE_BITS

__all__ = ["ProcessorPort", "flash_members"]


def flash_members(params: StorageParams) -> dict[str, wiring.Member]:
    """Of the port: flash operations, and what of them has ended."""
    return {
        "l_valid": Out(1), "l_ready": In(1), "l_channel": Out(4), "l_die": Out(4), "l_op": Out(FlashOp), "l_row": Out(8 * ROW_BYTES),
        "l_unit": Out(2), "l_more": Out(1), "l_addr": Out(params.address_bits), "l_lba": Out(BLOCK_BITS), "l_sequence": Out(BLOCK_BITS),
        "l_tag": Out(TAG_BITS), "n_valid": In(1), "n_ready": Out(1), "n_tag": In(TAG_BITS), "n_status": In(UnitStatus),
        "n_errors": In(ERRORS_BITS), "n_lba": In(BLOCK_BITS), "n_sequence": In(BLOCK_BITS),
    }


class ProcessorPort(wiring.Component):
    """Register file of ``processor_registers``. An access is held until it is acknowledged, and acts once.

    Members
    -------
    p_access, p_write, p_word, p_value, p_ack, p_answer : In(1), In(1), In, In(32), Out(1), Out(32)
        The processor's side; whole words.
    irq : Out(1)
        Some bit of STATUS that WAKE names is high.
    m_valid, m_ready, m_slot, m_queue :
        Commands that came.
    f_valid, f_ready, f_slot, f_status, f_result, f_wrong :
        Commands that have ended.
    v_valid, v_slot, v_kind, v_finish, v_dwords, v_addr, v_source : Out
        Data to move, in a pulse.
    d_valid, d_ready, d_slot, d_fault :
        Data that were moved.
    e_valid, e_ready, e_error, e_index :
        Doorbells that were wrong.
    q_valid, q_queue, q_completion, q_enable, q_last, q_base, q_other, q_interrupt : Out
        A queue, in a pulse.
    c_valid, c_ready, c_slot, c_dword, c_data :
        Reads of commands.
    o_queue, o_commands, o_fetching : Out, In, In(1)
        A submission queue's commands in the drive, and whether more may come.
    cc, aqa, asq_low, asq_high, acq_low, acq_high, cc_written, csts :
        The host's registers.
    x_irq, g_base, g_bytes : In(1), Out(32) x windows, Out(32) x windows
        The accelerator's interrupt, and what it may touch.
    l_valid, l_ready, l_channel, l_die, l_op, l_row, l_unit, l_more, l_addr, l_lba, l_sequence, l_tag :
        Flash operations.
    n_valid, n_ready, n_tag, n_status, n_errors, n_lba, n_sequence :
        What of them has ended.
    k_valid, k_ready, k_op, k_block, k_expected, k_value, k_done, k_entry :
        Accesses to the map.
    fast, epoch, old : Out(1), Out(1), In(1)
        Reads without firmware.
    counts : In(32) x counters
        What COUNTERS shows.
    hold, reset, failed, quiet : Out(1), Out(1), In(1), In(1)
        The front end.
    time_ns : In(64)
    trace_valid, trace : Out(1), Out(32)
    """

    def __init__(self, params: StorageParams):
        self.params = params
        slot, queue = range(params.slots), range(params.pairs)
        super().__init__({
            "p_access": In(1), "p_write": In(1), "p_word": In(WORD_BITS), "p_value": In(32), "p_ack": Out(1), "p_answer": Out(32),
            "irq": Out(1),
            "m_valid": In(1), "m_ready": Out(1), "m_slot": In(slot), "m_queue": In(queue),
            "f_valid": Out(1), "f_ready": In(1), "f_slot": Out(slot), "f_status": Out(STATUS_BITS), "f_result": Out(64), "f_wrong": In(1),
            "v_valid": Out(1), "v_slot": Out(slot), "v_kind": Out(MoveKind), "v_finish": Out(1), "v_dwords": Out(32),
            "v_addr": Out(params.address_bits), "v_source": Out(params.address_bits),
            "d_valid": In(1), "d_ready": Out(1), "d_slot": In(slot), "d_fault": In(2),
            "e_valid": In(1), "e_ready": Out(1), "e_error": In(DoorbellError), "e_index": In(16),
            "q_valid": Out(1), "q_queue": Out(queue), "q_completion": Out(1), "q_enable": Out(1), "q_last": Out(range(ADMIN_ENTRIES)),
            "q_base": Out(BASE_BITS), "q_other": Out(queue), "q_interrupt": Out(1),
            "c_valid": Out(1), "c_ready": In(1), "c_slot": Out(slot), "c_dword": Out(range(COMMAND_DWORDS)), "c_data": In(32),
            "o_queue": Out(queue), "o_commands": In(range(params.slots + 1)), "o_fetching": In(1),
            **dict.fromkeys(WRITABLE, In(32)), "cc_written": In(1), "csts": Out(32),
            **flash_members(params),
            "k_valid": Out(1), "k_ready": In(1), "k_op": Out(MapOp), "k_block": Out(range(params.units)), "k_expected": Out(ENTRY_BITS),
            "k_value": Out(ENTRY_BITS), "k_done": In(1), "k_entry": In(ENTRY_BITS), "fast": Out(1), "epoch": Out(1), "old": In(1),
            "counts": In(32).array(len(Counter)),
            "x_irq": In(1), "g_base": Out(32).array(len(Window)), "g_bytes": Out(32).array(len(Window)),
            "hold": Out(1), "reset": Out(1), "failed": In(1), "quiet": In(1), "time_ns": In(64),
            "trace_valid": Out(1), "trace": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        regs = processor_registers(self.params)
        wake = Signal(len(Condition))
        move_address, move_source, queue_base = Signal(64), Signal(64), Signal(64)
        alarm, time_high = Signal(64, init=-1), Signal(32)
        flash_row, flash_address, flash_lba, flash_sequence = Signal(8 * ROW_BYTES), Signal(64), Signal(64), Signal(64)
        found = Signal(4 * 32)  # LBA and sequence of the unit that was told last
        map_block, map_expected, map_value = Signal.like(self.k_block), Signal(ENTRY_BITS), Signal(ENTRY_BITS)
        map_entry, map_busy = Signal(ENTRY_BITS), Signal()  # what was found; something is asked for
        control, wrong = Signal(), Signal()  # what is said until it is cleared
        status = Signal(len(Condition))
        conditions = {Condition.COMMAND: self.m_valid, Condition.MOVED: self.d_valid, Condition.EVENT: self.e_valid,
                      Condition.CONTROL: control, Condition.FAILED: self.failed, Condition.ALARM: self.time_ns >= alarm,
                      Condition.WRONG: wrong, Condition.QUIET: self.quiet, Condition.ACCELERATOR: self.x_irq, Condition.FLASH: self.n_valid}
        m.d.comb += [status[c].eq(value) for c, value in conditions.items()]
        m.d.comb += self.irq.eq((status & wake).any())

        # What is kept as it was written, and what can only be read: by word.
        held = {"WAKE": [wake], "RESULT": [self.f_result[:32], self.f_result[32:]], "MOVE_ADDRESS": [move_address[:32], move_address[32:]],
                "MOVE_SOURCE": [move_source[:32], move_source[32:]], "MOVE_DWORDS": [self.v_dwords],
                "QUEUE_BASE": [queue_base[:32], queue_base[32:]], "QUEUE_LAST": [self.q_last],
                "CSTS": [self.csts], "ALARM": [alarm[:32], alarm[32:]], "TRACE": [self.trace],
                "WINDOW_BASE": list(self.g_base), "WINDOW_BYTES": list(self.g_bytes), "FLASH_ROW": [flash_row],
                "FLASH_ADDRESS": _halves(flash_address),
                "MAP_BLOCK": [map_block], "MAP_EXPECTED": [map_expected], "MAP_VALUE": [map_value], "FLASH_LBA": _halves(flash_lba),
                "FLASH_SEQUENCE": _halves(flash_sequence)}
        shown = {"ID": [Const(PROCESSOR_ID, 32)], "STATUS": [status], "CC": [self.cc], "AQA": [self.aqa],
                 "ASQ": [self.asq_low, self.asq_high], "ACQ": [self.acq_low, self.acq_high], "FRONT": [self.hold],
                 "TIME": [self.time_ns[:32], time_high],
                 "COMMAND": [_fields(regs["COMMAND"], SLOT=self.m_slot, QUEUE=self.m_queue, VALID=self.m_valid)],
                 "MOVED": [_fields(regs["MOVED"], SLOT=self.d_slot, FAULT=self.d_fault, VALID=self.d_valid)],
                 "EVENT": [_fields(regs["EVENT"], INDEX=self.e_index, VALUE=self.e_error == DoorbellError.VALUE, VALID=self.e_valid)],
                 "FLASH_ENDED": [_fields(regs["FLASH_ENDED"], TAG=self.n_tag, STATUS=self.n_status, ERRORS=self.n_errors,
                                         VALID=self.n_valid)],
                 "MAP_ENTRY": [map_entry], "COUNTERS": list(self.counts), "FAST": [Cat(self.fast, self.epoch, self.old)],
                 "FLASH_FOUND": [found.word_select(k, 32) for k in range(4)]}
        takes = {"COMMAND": self.m_ready, "MOVED": self.d_ready, "EVENT": self.e_ready,
                 "FLASH_ENDED": self.n_ready}  # by reading

        entry, finish, opened, flash, of_map, found_there = (
            regs.offset(name) // 4 for name in ("ENTRY", "FINISH", "OPEN", "FLASH", "MAP", "MAP_ENTRY"))
        asked, of_entry, blocked, go = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            asked.eq(self.p_access & ~self.p_ack), of_entry.eq(self.p_word >= entry), self.c_valid.eq(asked & ~self.p_write & of_entry),
            Cat(self.c_dword, self.c_slot).eq(self.p_word - entry), self.o_queue.eq(self.p_word - opened),
            blocked.eq(Mux(self.p_write, ((self.p_word == finish) & self.f_valid) | ((self.p_word == flash) & self.l_valid)
                           | ((self.p_word == of_map) & map_busy), (of_entry & ~self.c_ready) | ((self.p_word == found_there) & map_busy))),
            go.eq(asked & ~blocked),
        ]

        from_entry, answer = Signal(), Signal(32, reset_less=True)
        m.d.sync += [self.p_ack.eq(go), from_entry.eq(of_entry)]
        m.d.comb += self.p_answer.eq(answer)
        with m.If(from_entry):
            m.d.comb += self.p_answer.eq(self.c_data)
        with m.If(go & ~self.p_write):
            m.d.sync += answer.eq(0)
            with m.If((self.p_word >= opened) & (self.p_word < opened + self.params.pairs)):
                m.d.sync += answer.eq(_fields(regs["OPEN"], COMMANDS=self.o_commands, FETCHING=self.o_fetching))
            with m.Switch(self.p_word):
                for name, values in (held | shown).items():
                    for number, value in enumerate(values):
                        with m.Case(regs.offset(name, number) // 4):
                            m.d.sync += answer.eq(value)
                            if name in takes:
                                m.d.comb += takes[name].eq(1)
                            if name == "FLASH_ENDED":
                                m.d.sync += found.eq(Cat(self.n_lba, Const(0, 16), self.n_sequence))
                            if name == "TIME" and number == 0:
                                m.d.sync += time_high.eq(self.time_ns[32:])

        def given(register: str, field: str):
            f = regs[register].field(field)
            return self.p_value[f.shift:f.shift + f.width]

        m.d.comb += [
            self.v_slot.eq(given("MOVE", "SLOT")), self.v_kind.eq(given("MOVE", "KIND")),
            self.v_finish.eq(given("MOVE", "FINISH")), self.v_addr.eq(move_address), self.v_source.eq(move_source),
            self.q_queue.eq(given("QUEUE", "INDEX")), self.q_completion.eq(given("QUEUE", "COMPLETION")),
            self.q_enable.eq(given("QUEUE", "ENABLE")), self.q_interrupt.eq(given("QUEUE", "INTERRUPT")),
            self.q_other.eq(given("QUEUE", "OTHER")), self.q_base.eq(queue_base >> 12),
        ]
        m.d.sync += [self.reset.eq(0), self.trace_valid.eq(0)]
        with m.If(self.f_ready):
            m.d.sync += self.f_valid.eq(0)
        with m.If(self.l_ready):
            m.d.sync += self.l_valid.eq(0)
        with m.If(self.k_ready):
            m.d.sync += self.k_valid.eq(0)
        with m.If(self.k_done):
            m.d.sync += [map_busy.eq(0), map_entry.eq(self.k_entry)]
        with m.If(go & self.p_write):
            with m.Switch(self.p_word):
                with m.Case(of_map):
                    m.d.sync += [self.k_valid.eq(1), map_busy.eq(1), self.k_op.eq(given("MAP", "OP")), self.k_block.eq(map_block),
                                 self.k_expected.eq(map_expected), self.k_value.eq(map_value)]
                with m.Case(regs.offset("FAST") // 4):
                    m.d.sync += [self.fast.eq(given("FAST", "ENABLE")), self.epoch.eq(given("FAST", "EPOCH"))]
                for name, values in held.items():
                    for number, value in enumerate(values):
                        with m.Case(regs.offset(name, number) // 4):
                            m.d.sync += value.eq(self.p_value)
                            if name == "TRACE":
                                m.d.sync += self.trace_valid.eq(1)
                with m.Case(regs.offset("STATUS") // 4):
                    m.d.sync += [control.eq(control & ~self.p_value[Condition.CONTROL]), wrong.eq(wrong & ~self.p_value[Condition.WRONG])]
                with m.Case(finish):
                    m.d.sync += [self.f_valid.eq(1), self.f_slot.eq(given("FINISH", "SLOT")), self.f_status.eq(given("FINISH", "STATUS"))]
                with m.Case(flash):
                    m.d.sync += [self.l_valid.eq(1), self.l_row.eq(flash_row), self.l_addr.eq(flash_address), self.l_lba.eq(flash_lba),
                                 self.l_sequence.eq(flash_sequence), *(getattr(self, f"l_{name.lower()}").eq(given("FLASH", name))
                                                       for name in ("TAG", "CHANNEL", "DIE", "OP", "UNIT", "MORE"))]
                with m.Case(regs.offset("MOVE") // 4):
                    m.d.comb += self.v_valid.eq(1)
                with m.Case(regs.offset("QUEUE") // 4):
                    m.d.comb += self.q_valid.eq(1)
                with m.Case(regs.offset("FRONT") // 4):
                    m.d.sync += [self.hold.eq(given("FRONT", "HOLD")), self.reset.eq(given("FRONT", "RESET"))]
        with m.If(self.cc_written):
            m.d.sync += control.eq(1)
        with m.If(self.f_wrong):
            m.d.sync += wrong.eq(1)
        return m


def _halves(value) -> list:
    return [value[:32], value[32:]]


def _fields(register, **values):
    """A register's value from its fields'."""
    total = Const(0, 32)
    for name, value in values.items():
        total = total | (value << register.field(name).shift)
    return total[:32]
