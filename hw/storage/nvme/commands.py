"""Commands: opcodes, and what each has in the dwords that are its own.

Layouts are of the whole submission entry; what they do not name is as ``entries.SUBMISSION`` has it. Of the Subsystem Local Memory and
Computational Programs command sets no specification was at hand: rows are confirmed where independent implementations agree.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tenon.hw.storage.layout import Field, Layout, bits, octets
from tenon.hw.storage.nvme.entries import SUBMISSION_BYTES

__all__ = [
    "COMMANDS", "COPY_SOURCE_BLOCKS", "COPY_SOURCE_BYTES", "DATASET_RANGE", "MEMORY_RANGE", "Command", "CommandSet", "Namespace", "command",
]

_BASE, _NVM = "Base 2.2", "Linux 6.1"
_AGREE = "SPDK fork, CEMU, suda"  # implementations that agree


class CommandSet(enum.IntEnum):
    """Command set identifiers of namespaces; administration is of the controller."""

    NVM = 0
    MEMORY = 3
    COMPUTE = 4
    ADMIN = -1


class Namespace(enum.IntEnum):
    """Which namespaces a drive has."""

    BLOCKS = 1
    MEMORY = 2
    COMPUTE = 3


@dataclass(frozen=True)
class Command:
    """A command by its name in the specification; ``layout`` has its own dwords."""

    name: str
    set: CommandSet
    opcode: int
    layout: Layout

    @property
    def to_controller(self) -> bool:
        """Data go from the host to the controller."""
        return bool(self.opcode & 1)

    @property
    def to_host(self) -> bool:
        return bool(self.opcode & 2)


def _command(name: str, group: CommandSet, opcode: int, doc: str, *fields: Field) -> Command:
    return Command(name, group, opcode, Layout(name, SUBMISSION_BYTES, doc, fields))


def _blocks(*more: Field) -> tuple[Field, ...]:
    return (bits("slba", 10, 63, 0, "first block", _NVM), bits("nlb", 12, 15, 0, "blocks, less one", _NVM), *more)


_FUA = bits("fua", 12, 30, 30, "data are to be on non-volatile media, or come from there", _NVM)
_LIMITED_RETRY = bits("lr", 12, 31, 31, "give up early", _NVM)
_PRINFO = bits("prinfo", 12, 29, 26, "protection information; not supported: 0", _NVM)
_QID = bits("qid", 10, 15, 0, "queue", _BASE)
_QSIZE = bits("qsize", 10, 31, 16, "entries, less one", _BASE)
_CONTIGUOUS = bits("pc", 11, 0, 0, "1: the queue is contiguous", _BASE)
_BYTES = (bits("sb", 10, 63, 0, "first byte", _AGREE), bits("length", 12, 31, 0, "bytes", _AGREE))
_PIND = bits("pind", 10, 15, 0, "program index", _AGREE)

COMMANDS: tuple[Command, ...] = (
    _command("delete_sq", CommandSet.ADMIN, 0x00, "Deletes a submission queue.", _QID),
    _command("create_sq", CommandSet.ADMIN, 0x01, "Creates a submission queue.", _QID, _QSIZE, _CONTIGUOUS,
             bits("qprio", 11, 2, 1, "priority; ignored", _BASE), bits("cqid", 11, 31, 16, "its completion queue", _BASE)),
    _command("get_log_page", CommandSet.ADMIN, 0x02, "Reads a log.",
             bits("lid", 10, 7, 0, "which log", _BASE), bits("lsp", 10, 14, 8, "the log's own", _BASE),
             bits("rae", 10, 15, 15, "1: the event that the log is about stays", _BASE),
             bits("numdl", 10, 31, 16, "dwords, less one, bits 15:0", _BASE), bits("numdu", 11, 15, 0, "bits 31:16 of those", _BASE),
             bits("lsid", 11, 31, 16, "the log's own", _BASE), bits("offset", 12, 63, 0, "first byte", _BASE),
             bits("uuid", 14, 6, 0, "not supported: 0", _BASE), bits("ot", 14, 23, 23, "1: the offset is an index", _BASE),
             bits("csi", 14, 31, 24, "command set", _BASE)),
    _command("delete_cq", CommandSet.ADMIN, 0x04, "Deletes a completion queue.", _QID),
    _command("create_cq", CommandSet.ADMIN, 0x05, "Creates a completion queue.", _QID, _QSIZE, _CONTIGUOUS,
             bits("ien", 11, 1, 1, "1: it interrupts", _BASE), bits("iv", 11, 31, 16, "interrupt vector", _BASE)),
    _command("identify", CommandSet.ADMIN, 0x06, "Says what the controller or a namespace is.",
             bits("cns", 10, 7, 0, "which structure", _BASE), bits("cntid", 10, 31, 16, "controller", _BASE),
             bits("cnssid", 11, 15, 0, "the structure's own", _BASE), bits("csi", 11, 31, 24, "command set", _BASE)),
    _command("abort", CommandSet.ADMIN, 0x08, "Asks for a command to be given up.",
             bits("sqid", 10, 15, 0, "its submission queue", _BASE), bits("abort_cid", 10, 31, 16, "its name", _BASE)),
    _command("set_features", CommandSet.ADMIN, 0x09, "Changes a setting.", bits("fid", 10, 7, 0, "which", _BASE),
             bits("sv", 10, 31, 31, "1: keep it; not supported", _BASE), bits("value", 11, 31, 0, "the setting's own", _BASE)),
    _command("get_features", CommandSet.ADMIN, 0x0A, "Says how a setting is.", bits("fid", 10, 7, 0, "which", _BASE),
             bits("sel", 10, 10, 8, "0 as it is, 1 as it is by default, 2 as it was kept, 3 what can be done with it", _BASE)),
    _command("async_event_request", CommandSet.ADMIN, 0x0C, "Ends when there is something to tell."),
    _command("load_program", CommandSet.ADMIN, 0x85, "Loads a program, or a part of it, or unloads it.", _PIND,
             bits("ptype", 10, 23, 16, "what kind of program", _AGREE), bits("sel", 10, 24, 24, "1: unload", _AGREE),
             bits("pit", 10, 27, 25, "1: ``pid`` identifies the program", _AGREE),
             bits("psize", 11, 31, 0, "bytes of the whole program", _AGREE), bits("pid", 12, 63, 0, "identifier", _AGREE),
             bits("numb", 14, 31, 0, "bytes of this part", _AGREE), bits("loff", 15, 31, 0, "where it begins", _AGREE)),
    _command("program_activation", CommandSet.ADMIN, 0x88, "Makes a program ready to be executed, or not any more.", _PIND,
             bits("sel", 10, 19, 16, "0 deactivate, 1 activate", "SPDK fork, CEMU")),
    _command("memory_range_set", CommandSet.ADMIN, 0x89, "Creates or deletes a set of memory ranges.",
             bits("sel", 10, 3, 0, "0 create, 1 delete", _AGREE), bits("rsid", 10, 31, 16, "set to delete", _AGREE),
             bits("numr", 11, 7, 0, "ranges", _AGREE)),

    _command("flush", CommandSet.NVM, 0x00, "Ends when what was written before is on non-volatile media."),
    _command("write", CommandSet.NVM, 0x01, "Writes blocks.", *_blocks(_PRINFO, _FUA, _LIMITED_RETRY)),
    _command("read", CommandSet.NVM, 0x02, "Reads blocks.", *_blocks(_PRINFO, _FUA, _LIMITED_RETRY)),
    _command("write_zeroes", CommandSet.NVM, 0x08, "Makes blocks zero.",
             *_blocks(bits("deac", 12, 25, 25, "deallocate them", _NVM), _PRINFO, _FUA, _LIMITED_RETRY)),
    _command("dataset_management", CommandSet.NVM, 0x09, "Says how blocks will be used.",
             bits("nr", 10, 7, 0, "ranges, less one", _NVM), bits("ad", 11, 2, 2, "deallocate them", _NVM)),

    _command("memory_copy", CommandSet.MEMORY, 0x01, "Copies into this namespace what ranges of others hold.",
             bits("length", 2, 63, 0, "bytes in all", _AGREE), bits("sdaddr", 10, 63, 0, "first byte here", _AGREE),
             bits("nr", 12, 7, 0, "ranges, less one", "SPDK fork, suda"),
             bits("format", 12, 11, 8, "2, 3: ranges of blocks; 4: of bytes", _AGREE)),
    _command("memory_read", CommandSet.MEMORY, 0x02, "Reads bytes.", *_BYTES),
    _command("memory_fill", CommandSet.MEMORY, 0x04, "Makes bytes zero. Its opcode is 04h in one implementation, 00h in another, where "
             "every other set has Flush.", *(field.ours() for field in _BYTES)),
    _command("memory_write", CommandSet.MEMORY, 0x05, "Writes bytes.", *_BYTES),

    _command("execute_program", CommandSet.COMPUTE, 0x01, "Executes a program on memory ranges; the result is the program's own.",
             bits("pind", 2, 15, 0, "program index", _AGREE),
             bits("rsid", 2, 31, 16, "set of memory ranges; 0: they are in the data", _AGREE),
             bits("numr", 3, 31, 0, "ranges in the data", _AGREE),
             bits("dlen", 4, 31, 0, "bytes of data", _AGREE),
             bits("cparam1", 10, 63, 0, "the program's own", _AGREE), bits("cparam2", 12, 63, 0, "the program's own", _AGREE)),
)

#: What data of some commands are made of.
DATASET_RANGE = Layout("dataset_range", 16, "A range of blocks in Dataset Management's data.", (
    bits("attributes", 0, 31, 0, "hints; ignored", _NVM), bits("nlb", 1, 31, 0, "blocks", _NVM),
    bits("slba", 2, 63, 0, "first block", _NVM)))
COPY_SOURCE_BLOCKS = Layout("copy_source_blocks", 32, "A source of Memory Copy in blocks of a namespace: formats 2h and 3h.", (
    octets("snsid", 0, 4, "its namespace", _AGREE), octets("slba", 8, 8, "first block", _AGREE),
    octets("nlb", 16, 2, "blocks, less one", _AGREE),
    octets("sopt", 18, 2, "bit 15: only if the copy is fast", _AGREE), octets("eilbrt", 24, 4, "protection; not supported", _AGREE),
    octets("elbat", 28, 2, "protection; not supported", _AGREE), octets("elbatm", 30, 2, "protection; not supported", _AGREE)))
COPY_SOURCE_BYTES = Layout("copy_source_bytes", 32, "A source of Memory Copy in bytes of a memory namespace: format 4h.", (
    octets("snsid", 0, 4, "its namespace", _AGREE), octets("saddr", 8, 8, "first byte", _AGREE), octets("nbyte", 16, 4, "bytes", _AGREE),
    octets("sopt", 22, 2, "bit 15: only if the copy is fast", _AGREE)))
MEMORY_RANGE = Layout("memory_range", 32, "A memory range that a program may use.", (
    octets("mnsid", 0, 4, "its memory namespace", _AGREE), octets("len", 4, 4, "bytes", _AGREE), octets("sb", 8, 8, "first byte", _AGREE)))


def command(name: str) -> Command:
    """The command called ``name``.

    Raises
    ------
    KeyError
        If there is none.
    """
    for known in COMMANDS:
        if known.name == name:
            return known
    raise KeyError(f"there is no command {name!r}")
