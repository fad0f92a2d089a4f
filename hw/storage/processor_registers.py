"""What firmware sees of the drive: registers of the processor."""

from __future__ import annotations

import enum

from tenon.hw.register_map import Access, Field, Register, RegisterMap
from tenon.hw.storage.complete import STATUS_BITS
from tenon.hw.storage.flash.channel import TAG_BITS, FlashOp
from tenon.hw.storage.flash.unit_reader import ERRORS_BITS, UnitStatus
from tenon.hw.storage.guard import Window
from tenon.hw.storage.map_unit import MapOp
from tenon.hw.storage.moves import MoveKind
from tenon.hw.storage.nvme.entries import SUBMISSION_BYTES
from tenon.hw.storage.params import StorageParams

__all__ = ["PROCESSOR_ID", "Condition", "Counter", "processor_registers"]

PROCESSOR_ID = 0x4452_5645


class Counter(enum.IntEnum):
    """What is counted from power on: reads that hardware carried out, bursts in the device's memory by who asked."""

    FAST_READS = 0
    PROCESSOR_BURSTS = 1
    TRANSFER_BURSTS = 2  # of the host's data, flash's, the map's
    ACCELERATOR_BURSTS = 3


class Condition(enum.IntEnum):
    """Bits of STATUS: what there is to do."""

    COMMAND = 0
    MOVED = 1
    EVENT = 2
    CONTROL = 3
    FAILED = 4
    ALARM = 5
    WRONG = 6
    QUIET = 7
    ACCELERATOR = 8
    FLASH = 9


_CONDITIONS = {
    Condition.COMMAND: "a command waits: read COMMAND", Condition.MOVED: "data have been moved: read MOVED",
    Condition.EVENT: "a doorbell was wrong: read EVENT", Condition.CONTROL: "the host has written CC; write 1 here to clear",
    Condition.FAILED: "the host's memory refused a queue", Condition.ALARM: "it is ALARM or later",
    Condition.WRONG: "FINISH named a slot without a command; write 1 here to clear",
    Condition.QUIET: "nothing is under way between the host and the device",
    Condition.ACCELERATOR: "the accelerator's interrupt", Condition.FLASH: "a flash operation has ended: read FLASH_ENDED",
}


def processor_registers(params: StorageParams) -> RegisterMap:
    """The registers of a drive's processor. Those that are read to take something give each thing once."""
    ro, rw, act = Access.RO, Access.RW, Access.W1

    def whole(access: Access, doc: str) -> tuple[Field, ...]:
        return (Field("VALUE", 0, 32, access, doc),)

    windows = ", ".join(f"{w.value} {w.name}" for w in Window)
    slot = Field("SLOT", 0, 8, ro, "of which command")
    to_slot = Field("SLOT", 0, 8, act, "of which command")
    return RegisterMap("DRIVE", (
        Register("ID", 0x00, whole(ro, f"{PROCESSOR_ID:#010x}")),
        Register("STATUS", 0x04, tuple(Field(c.name, c.value, 1, ro, doc) for c, doc in _CONDITIONS.items())),
        Register("WAKE", 0x08, whole(rw, "bits of STATUS that interrupt the processor")),
        Register("COMMAND", 0x0C, (slot, Field("QUEUE", 8, 8, ro, "its submission queue"),
                                   Field("VALID", 31, 1, ro, "there was one; it is taken"))),
        Register("MOVED", 0x10, (slot, Field("FAULT", 8, 2, ro, "1 an entry has an offset, 2 the bus answered with an error"),
                                 Field("VALID", 31, 1, ro, "there was one; it is taken"))),
        Register("EVENT", 0x14, (Field("INDEX", 0, 16, ro, "the doorbell"), Field("VALUE", 16, 1, ro, "0: no such queue, 1: a wrong value"),
                                 Field("VALID", 31, 1, ro, "there was one; it is taken"))),
        Register("FINISH", 0x18, (to_slot, Field("STATUS", 16, STATUS_BITS, act, "the completion's bits above its phase")),),
        Register("RESULT", 0x1C, whole(rw, "what FINISH gives beside its status: low word, high word"), 2),
        Register("MOVE_ADDRESS", 0x24, whole(rw, "where MOVE begins in the device's memory: low word, high word"), 2),
        Register("MOVE_SOURCE", 0x2C, whole(rw, "where MOVE copies from: low word, high word"), 2),
        Register("MOVE_DWORDS", 0x34, whole(rw, "how much MOVE moves")),
        Register("MOVE", 0x38, (
            to_slot, Field("KIND", 8, 2, act, ", ".join(f"{k.value} {k.name}" for k in MoveKind)),
            Field("FINISH", 10, 1, act, "ends the command by itself; MOVED says nothing"))),
        Register("QUEUE_BASE", 0x3C, whole(rw, "where QUEUE lies in the host's memory: low word, high word"), 2),
        Register("QUEUE_LAST", 0x44, whole(rw, "entries of QUEUE, less one")),
        Register("QUEUE", 0x48, (
            Field("INDEX", 0, 8, act, "makes or removes this queue"), Field("COMPLETION", 8, 1, act, "of which kind"),
            Field("ENABLE", 9, 1, act, "1: makes it, empty"), Field("INTERRUPT", 10, 1, act, "a completion queue's entries interrupt"),
            Field("OTHER", 16, 8, act, "a submission queue's completion queue; a completion queue's vector"))),
        Register("CC", 0x4C, whole(ro, "what the host has written")),
        Register("CSTS", 0x50, whole(rw, "what the host reads")),
        Register("AQA", 0x54, whole(ro, "what the host has written")),
        Register("ASQ", 0x58, whole(ro, "what the host has written: low word, high word"), 2),
        Register("ACQ", 0x60, whole(ro, "what the host has written: low word, high word"), 2),
        Register("FRONT", 0x68, (Field("HOLD", 0, 1, rw, "nothing new begins between the host and the device"),
                                 Field("RESET", 1, 1, act, "forgets queues and commands; only while QUIET"))),
        Register("TIME", 0x6C, whole(ro, "nanoseconds: low word, high word, which is of when the low one was read"), 2),
        Register("ALARM", 0x74, whole(rw, "nanoseconds: low word, high word"), 2),
        Register("TRACE", 0x7C, whole(rw, "is shown outside, for whoever watches")),
        Register("WINDOW_BASE", 0x80, whole(rw, "where a window of the accelerator begins: " + windows), len(Window)),
        Register("WINDOW_BYTES", 0xA0, whole(rw, "its size; 0: closed"), len(Window)),
        Register("FLASH_ROW", 0xB4, whole(rw, "page, and above it block, of FLASH")),
        Register("FLASH_ADDRESS", 0xB8, whole(rw, "where FLASH's data are in the device's memory: low word, high word"), 2),
        Register("FLASH_LBA", 0xC0, whole(rw, "of the unit that FLASH programs: low word, high word"), 2),
        Register("FLASH_SEQUENCE", 0xC8, whole(rw, "likewise"), 2),
        Register("FLASH", 0xD0, (
            Field("TAG", 0, TAG_BITS, act, "a name; begins the operation"), Field("CHANNEL", 16, 4, act, "which bus"),
            Field("DIE", 20, 4, act, "which of its dies"), Field("OP", 24, 2, act, ", ".join(f"{o.value} {o.name}" for o in FlashOp)),
            Field("UNIT", 26, 2, act, "which unit of the page"), Field("MORE", 28, 1, act, "another unit of the page follows"))),
        Register("FLASH_ENDED", 0xD4, (
            Field("TAG", 0, TAG_BITS, ro, "its name"), Field("STATUS", 16, 2, ro, ", ".join(f"{s.value} {s.name}" for s in UnitStatus)),
            Field("ERRORS", 18, ERRORS_BITS, ro, "bits that were corrected"), Field("VALID", 31, 1, ro, "there was one; it is taken"))),
        Register("FLASH_FOUND", 0xD8, whole(ro, "what FLASH_ENDED read last: LBA and sequence, low word and high word of each"), 4),
        Register("MAP_BLOCK", 0xE8, whole(rw, "whose entry MAP is about")),
        Register("MAP_EXPECTED", 0xEC, whole(rw, "what it must be for SWAP to store")),
        Register("MAP_VALUE", 0xF0, whole(rw, "what is stored")),
        Register("MAP", 0xF4, (Field("OP", 0, 2, act, ", ".join(f"{o.value} {o.name}" for o in MapOp)),)),
        Register("MAP_ENTRY", 0xF8, whole(ro, "what the entry was before MAP; comes when that is done")),
        Register("FAST", 0xFC, (
            Field("ENABLE", 0, 1, rw, "Reads do without firmware where they can"),
            Field("EPOCH", 1, 1, rw, "in which they are looked up from now on"),
            Field("OLD", 2, 1, ro, "some that were looked up in the other one are under way"))),
        Register("OPEN", 0x100, (Field("COMMANDS", 0, 16, ro, "of a submission queue in the drive, until their completions are posted"),
                                 Field("FETCHING", 31, 1, ro, "more may be on their way")), params.pairs),
        Register("COUNTERS", 0x300, whole(ro, ", ".join(f"{c.value} {c.name}" for c in Counter) + "; they go around"), len(Counter)),
        Register("ENTRY", 0x4000, whole(ro, f"commands as they came: {SUBMISSION_BYTES // 4} words for each slot"),
                 params.slots * SUBMISSION_BYTES // 4),
    ))
