"""A flash bus: operations of its dies as phases of ONFI (Open NAND Flash Interface 3.1), while one die is busy those of another."""

from __future__ import annotations

import enum

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw.fifo import Fifo
from tenon.hw.storage.bus import attach, read_bus, write_bus
from tenon.hw.storage.flash.page import BLOCK_BITS, UnitFormat
from tenon.hw.storage.flash.unit_reader import ERRORS_BITS, UnitReader, UnitStatus
from tenon.hw.storage.flash.unit_writer import PLACE_BITS, UnitWriter
from tenon.hw.storage.params import StorageParams

__all__ = ["COLUMN_BYTES", "LATENCY", "ROW_BYTES", "TAG_BITS", "FlashChannel", "FlashOp"]

TAG_BITS = 16
LATENCY = 2  # cycles from a read strobe until its word is there
COLUMN_BYTES, ROW_BYTES = 2, 3

_OPERATIONS = 32  # of a die, that wait
_STROBE = 4  # cycles of a command's or an address's byte
_SETTLE = 31  # cycles from an operation's last byte until a die says that it is busy: tWB
_WORDS = 16  # on their way from the bus
_FAIL = 0  # bit of a die's status


class FlashOp(enum.IntEnum):
    """What a die can do."""

    READ = 0  # a unit
    PROGRAM = 1  # a page: a unit, with more to come or not
    ERASE = 2  # a block
    RESET = 3


class _Command(enum.IntEnum):
    """Command bytes."""

    READ, READ_CONFIRM = 0x00, 0x30
    READ_CACHE, READ_CACHE_END = 0x31, 0x3F
    READ_COLUMN, READ_COLUMN_CONFIRM = 0x05, 0xE0
    PROGRAM, CHANGE_COLUMN, PROGRAM_CONFIRM = 0x80, 0x85, 0x10
    ERASE, ERASE_CONFIRM = 0x60, 0xD0
    STATUS, RESET = 0x70, 0xFF


class _Then(enum.Enum):
    """What follows what is said."""

    BUSY = 0
    SEND = 1
    GIVE = 2
    STATUS = 3


class FlashChannel(wiring.Component):
    """Operations of a die are carried out in the order in which they came, those of different dies as the bus allows: reads begin first,
    then data of pages that were read go, then what has ended is looked at, then programs and erases begin; dies take turns.

    While a page's data leave a die's cache register, its array reads the next one (Read Cache Random). Units of one page that come one
    behind the other are read once: those behind the first leave the queue, so that the next page's read is seen behind them.

    Members
    -------
    i_valid, i_ready, i_die, i_op, i_row, i_unit, i_more, i_addr, i_lba, i_sequence, i_tag : In(1), Out(1), In
        An operation: which unit of which row (page, then block), where its data are or go in the device's memory, its metadata, its name.
        ``i_more``: another unit of the same page follows, and the page's end is told with that one alone.
    f_ce, f_cle, f_ale, f_we, f_re, f_o, f_i, f_ready : Out(dies), Out(1), Out(1), Out(1), Out(1), Out, In, In(dies)
        The bus: chip enables, command and address latch enables, strobes, words both ways, and whether each die is ready.
    ar_*, r_*, aw_*, w_*, b_* :
        The device's memory.
    o_valid, o_ready, o_tag, o_status, o_errors, o_lba, o_sequence : Out(1), In(1), Out, Out(2), Out(8), Out(48), Out(48)
        An operation has ended; of a read unit, bits that were corrected, and its metadata.
    busy : Out(1)
        Something is to be done.
    """

    def __init__(self, params: StorageParams):
        self.params = params
        self.memory = {"address_bits": params.address_bits, "bits": params.memory_bits}
        self.width = 8 * params.flash_bytes_per_cycle
        super().__init__({
            "i_valid": In(1), "i_ready": Out(1), "i_die": In(range(params.dies)), "i_op": In(FlashOp), "i_row": In(8 * ROW_BYTES),
            "i_unit": In(range(max(2, params.page_units))), "i_more": In(1), "i_addr": In(params.address_bits), "i_lba": In(BLOCK_BITS),
            "i_sequence": In(BLOCK_BITS), "i_tag": In(TAG_BITS),
            "f_ce": Out(params.dies), "f_cle": Out(1), "f_ale": Out(1), "f_we": Out(1), "f_re": Out(1), "f_o": Out(self.width),
            "f_i": In(self.width), "f_ready": In(params.dies), **read_bus(**self.memory), **write_bus(**self.memory),
            "o_valid": Out(1), "o_ready": In(1), "o_tag": Out(TAG_BITS), "o_status": Out(UnitStatus), "o_errors": Out(ERRORS_BITS),
            "o_lba": Out(BLOCK_BITS), "o_sequence": Out(BLOCK_BITS), "busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        p, unit_format = self.params, UnitFormat(self.params)
        writer = m.submodules.writer = UnitWriter(p)
        reader = m.submodules.reader = UnitReader(p)
        attach(m, read_bus(**self.memory), (writer, ""), (self, ""))
        attach(m, write_bus(**self.memory), (reader, ""), (self, ""))

        # Operations of each die. A read leaves the queue when it begins: first its page is on its way from the cells (``reading``), then it
        # is in the cache register (``holding``), where it goes when the next one begins (``cached``) or nothing follows. Its mates are
        # reads of the same page that came behind it; there are none of a page in the array while another is held. Of other operations, the
        # first in the queue may be under way.
        names = ("op", "row", "unit", "more", "addr", "lba", "sequence", "tag")
        asked = Cat(getattr(self, f"i_{name}") for name in names)
        queues, mates = [], []
        for die in range(p.dies):
            queue = m.submodules[f"queue{die}"] = Fifo(width=len(asked), depth=_OPERATIONS)
            m.d.comb += [queue.i_valid.eq(self.i_valid & (self.i_die == die)), queue.i.eq(asked)]
            queues.append(queue)
            mates.append(Fifo(width=len(asked), depth=max(2, p.page_units)))
            m.submodules[f"mates{die}"] = mates[-1]
        m.d.comb += self.i_ready.eq(Array(queue.i_ready for queue in queues)[self.i_die])
        reading, holding, cached, under_way = (Signal(p.dies, name=name) for name in ("reading", "holding", "cached", "under_way"))
        in_array, in_cache = (Array(Signal(len(asked), name=f"{name}{die}", reset_less=True) for die in range(p.dies))
                              for name in ("in_array", "in_cache"))
        settle = [Signal(range(_SETTLE + 1), name=f"settle{die}") for die in range(p.dies)]
        for counter in settle:
            with m.If(counter != 0):
                m.d.sync += counter.eq(counter - 1)

        def fields_of(operation, prefix):
            fields = {name: Signal.like(getattr(self, f"i_{name}"), name=f"{prefix}_{name}") for name in names}
            m.d.comb += Cat(fields.values()).eq(operation)
            return fields

        # Which die is served next: the first kind that some die has, of its dies the next one after the last.
        reads, others, still, turns, gives, joins = (Signal(p.dies, name=name) for name in ("reads", "others", "still", "turns", "gives",
                                                                                            "joins"))
        for number, queue in enumerate(queues):
            head, array = fields_of(queue.o, f"head{number}"), fields_of(in_array[number], f"array{number}")
            held = fields_of(in_cache[number], f"cache{number}")
            another = queue.o_valid & (head["op"] == FlashOp.READ)
            page = Mux(holding[number], held["row"], array["row"])
            m.d.comb += [
                joins[number].eq(another & (holding[number] ^ reading[number]) & (head["row"] == page) & mates[number].i_ready),
                mates[number].i_valid.eq(joins[number]), mates[number].i.eq(queue.o),
                reads[number].eq(another), others[number].eq(queue.o_valid & (head["op"] != FlashOp.READ)),
                still[number].eq(self.f_ready[number] & (settle[number] == 0)),
                turns[number].eq(reading[number] & ~holding[number] & ~joins[number] & (cached[number] | another)),
                gives[number].eq(holding[number] | (reading[number] & ~turns[number] & ~joins[number])),
            ]
        none = ~(reading | holding | under_way)
        kinds = [turns & still, reads & none, gives & still, under_way & still, others & none]
        die, chosen, some = Signal(range(p.dies)), Signal(range(p.dies)), Signal()
        wanted = Signal(p.dies)
        for kind in reversed(kinds):
            with m.If(kind.any()):
                m.d.comb += [wanted.eq(kind), some.eq(1)]
        later = Signal(p.dies)
        m.d.comb += later.eq(wanted & ~((2 << die) - 1)[:p.dies])
        order = Mux(later.any(), later, wanted)
        for number in reversed(range(p.dies)):
            with m.If(order[number]):
                m.d.comb += chosen.eq(number)

        # What the chosen die is at, and the operation that this is about.
        head, about, now = Signal(len(asked)), Signal(len(asked)), Signal(len(asked), reset_less=True)
        is_read, is_reading, is_holding, is_under_way, give = (flags.bit_select(die, 1) for flags in
                                                               (reads, reading, holding, under_way, gives))
        pop, popped, mate, joining, next_mate = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            mate.eq(Array(fifo.busy for fifo in mates)[die]), joining.eq(joins.bit_select(die, 1)),
            head.eq(Array(queue.o for queue in queues)[die]), popped.eq(Array(queue.o_valid for queue in queues)[die]),
            about.eq(Mux(is_holding, in_cache[die], Mux(give, in_array[die], head))),
        ]
        at_head, fields, its = fields_of(head, "next"), fields_of(now, "now"), fields_of(about, "about")
        for number, (queue, fifo) in enumerate(zip(queues, mates)):
            m.d.comb += fifo.o_ready.eq(next_mate & (die == number))
            m.d.comb += queue.o_ready.eq((pop & (die == number)) | joins[number])

        # A sequence of bytes: commands and addresses, the first lowest.
        left, at = Signal(range(9)), Signal(range(_STROBE))
        kinds_left, bytes_left = Signal(8), Signal(64)  # 1: an address
        column, place = Signal(8 * COLUMN_BYTES), Signal(PLACE_BITS)
        m.d.comb += [column.eq(its["unit"] * unit_format.size), place.eq(fields["row"] * p.page_units + fields["unit"])]
        columns = [column[8 * k:8 * k + 8] for k in range(COLUMN_BYTES)]
        rows = [its["row"][8 * k:8 * k + 8] for k in range(ROW_BYTES)]

        def say(*parts):
            """Commands (numbers) and addresses (lists of bytes)."""
            entries = [(0, Const(part.value, 8)) if isinstance(part, _Command) else (1, part)
                       for item in parts for part in (item if isinstance(item, list) else [item])]
            return [left.eq(len(entries)), kinds_left.eq(sum(kind << k for k, (kind, _) in enumerate(entries))),
                    bytes_left.eq(Cat(value for _, value in entries))]

        m.d.comb += [writer.i_addr.eq(fields["addr"]), writer.i_lba.eq(fields["lba"]), writer.i_sequence.eq(fields["sequence"]),
                     writer.i_place.eq(place), reader.j_addr.eq(fields["addr"]), reader.j_place.eq(place)]
        words, then = Signal(range(unit_format.words + 1)), Signal(_Then)
        status_valid, status_tag, status_failed, lost = Signal(), Signal(TAG_BITS), Signal(), Signal(p.dies)
        strobe, came = Signal(), Signal(LATENCY)
        tags = m.submodules.tags = Fifo(width=TAG_BITS, depth=8)
        incoming = m.submodules.incoming = Fifo(width=self.width, depth=_WORDS)
        owed = Signal(range(_WORDS + 1))  # words that were asked for and have not been taken
        m.d.comb += [
            tags.i.eq(fields["tag"]), incoming.i_valid.eq(came[-1]), incoming.i.eq(self.f_i), reader.i_valid.eq(incoming.o_valid),
            reader.i.eq(incoming.o), incoming.o_ready.eq(reader.i_ready),
        ]
        of_unit = Signal()
        m.d.sync += [owed.eq(owed + (strobe & of_unit) - (incoming.o_valid & incoming.o_ready)),
                     came.eq(Cat(self.f_re & of_unit, came[:-1]))]
        m.d.comb += self.f_ce.eq(1 << die)

        with m.FSM():
            with m.State("PICK"):
                m.d.sync += [die.eq(chosen), at.eq(0)]
                with m.If(some):
                    m.next = "LOOK"
            with m.State("LOOK"):
                m.d.sync += [now.eq(about), words.eq(0), then.eq(_Then.BUSY)]
                m.next = "SAY"
                with m.If(is_holding):
                    m.d.sync += [say(_Command.READ_COLUMN, columns, _Command.READ_COLUMN_CONFIRM), then.eq(_Then.GIVE)]
                with m.Elif(joining):  # its page has mates only now: nothing of what was chosen may hold
                    m.next = "PICK"
                with m.Elif(give):
                    m.next = "ANNOUNCE"
                with m.Elif(is_reading):  # into the cache register, and the array goes on with the next one
                    m.d.sync += [in_cache[die].eq(in_array[die]), is_holding.eq(1), in_array[die].eq(head), is_reading.eq(is_read),
                                 cached.bit_select(die, 1).eq(is_read)]
                    m.d.comb += pop.eq(is_read)
                    with m.If(is_read):
                        m.d.sync += say(_Command.READ, columns, rows, _Command.READ_CACHE)
                    with m.Else():
                        m.d.sync += say(_Command.READ_CACHE_END)
                with m.Elif(is_under_way):
                    m.d.sync += [say(_Command.STATUS), then.eq(_Then.STATUS)]
                with m.Else():
                    with m.Switch(at_head["op"]):
                        with m.Case(FlashOp.READ):
                            m.d.sync += [say(_Command.READ, columns, rows, _Command.READ_CONFIRM), in_array[die].eq(head), is_reading.eq(1)]
                            m.d.comb += pop.eq(1)
                        with m.Case(FlashOp.PROGRAM):
                            m.d.sync += [say(_Command.PROGRAM, columns, rows), then.eq(_Then.SEND)]
                            m.next = "GATHER"
                        with m.Case(FlashOp.ERASE):
                            m.d.sync += say(_Command.ERASE, rows, _Command.ERASE_CONFIRM)
                        with m.Case(FlashOp.RESET):
                            m.d.sync += say(_Command.RESET)
            with m.State("GATHER"):  # a unit that is to be programmed
                m.d.comb += writer.i_valid.eq(1)
                with m.If(writer.i_ready):
                    m.next = "SAY"
            with m.State("SAY"):
                m.d.comb += [self.f_cle.eq(~kinds_left[0]), self.f_ale.eq(kinds_left[0]), self.f_o.eq(bytes_left[:8]),
                             self.f_we.eq(at == 1)]
                m.d.sync += at.eq(at + 1)
                with m.If(at == _STROBE - 1):
                    m.d.sync += [at.eq(0), left.eq(left - 1), kinds_left.eq(kinds_left >> 1), bytes_left.eq(bytes_left >> 8)]
                    with m.If(left == 1):
                        with m.Switch(then):
                            for after, state in ((_Then.BUSY, "BUSY"), (_Then.SEND, "SEND"), (_Then.GIVE, "ANNOUNCE"),
                                                 (_Then.STATUS, "STATUS")):
                                with m.Case(after):
                                    m.next = state
            with m.State("SEND"):
                m.d.comb += [self.f_o.eq(writer.o), self.f_we.eq(writer.o_valid), writer.o_ready.eq(1)]
                with m.If(writer.o_valid & writer.o_last):
                    with m.If(writer.o_error):
                        m.d.sync += lost.bit_select(die, 1).eq(1)
                    m.d.sync += [say(_Command.PROGRAM_CONFIRM), then.eq(_Then.BUSY)]
                    m.next = "SAY"
                    with m.If(fields["more"]):
                        m.d.comb += pop.eq(1)
                        m.next = "MORE"
            with m.State("MORE"):
                with m.If(popped):
                    m.d.sync += [now.eq(head), say(_Command.CHANGE_COLUMN, columns), then.eq(_Then.SEND)]
                    m.next = "GATHER"
            with m.State("BUSY"):
                m.d.sync += is_under_way.eq(~is_reading & ~is_holding)
                for number, counter in enumerate(settle):
                    with m.If(die == number):
                        m.d.sync += counter.eq(_SETTLE)
                m.next = "PICK"
            with m.State("ANNOUNCE"):
                m.d.comb += [reader.j_valid.eq(tags.i_ready), tags.i_valid.eq(reader.j_ready)]
                with m.If(reader.j_ready & tags.i_ready):
                    m.next = "RECEIVE"
            with m.State("RECEIVE"):
                m.d.comb += [of_unit.eq(1), strobe.eq((owed < _WORDS) & (words != unit_format.words)), self.f_re.eq(strobe)]
                m.d.sync += words.eq(words + strobe)
                with m.If((words == unit_format.words) & (came == 0) & ~joining):
                    m.d.sync += [is_holding.eq(mate), in_cache[die].eq(now)]
                    with m.If(~is_holding):
                        m.d.sync += is_reading.eq(0)
                    m.next = "PICK"
                    with m.If(mate):
                        m.next = "MATE"
            with m.State("MATE"):  # the next unit is of the same page
                m.d.comb += next_mate.eq(1)
                m.d.sync += in_cache[die].eq(Array(fifo.o for fifo in mates)[die])
                with m.If(Array(fifo.o_valid for fifo in mates)[die]):
                    m.next = "PICK"
            with m.State("STATUS"):
                m.d.comb += self.f_re.eq(at == 0)
                with m.If(~status_valid):
                    m.d.sync += at.eq(at + 1)
                with m.If(at == LATENCY):
                    m.d.sync += [status_valid.eq(1), status_tag.eq(fields["tag"]), at.eq(0),
                                 status_failed.eq(self.f_i[_FAIL] | lost.bit_select(die, 1)), is_under_way.eq(0),
                                 lost.bit_select(die, 1).eq(0)]
                    m.d.comb += pop.eq(1)
                    m.next = "PICK"

        # Units that were read before what else has ended.
        m.d.comb += [
            self.o_valid.eq(reader.o_valid | status_valid), self.o_tag.eq(Mux(reader.o_valid, tags.o, status_tag)),
            self.o_status.eq(Mux(reader.o_valid, reader.o_status, status_failed)), self.o_errors.eq(reader.o_errors),
            self.o_lba.eq(reader.o_lba), self.o_sequence.eq(reader.o_sequence),
            reader.o_ready.eq(self.o_ready), tags.o_ready.eq(self.o_ready & reader.o_valid),
            self.busy.eq((reads | others | reading | holding).any() | tags.busy | status_valid),
        ]
        with m.If(status_valid & self.o_ready & ~reader.o_valid):
            m.d.sync += status_valid.eq(0)
        return m
