"""Control, status and counter registers of the accelerator, and the error codes it answers with."""

from __future__ import annotations

import enum

from tenon.hw.axi import SEGMENTS
from tenon.hw.params import SystolicParams
from tenon.hw.register_map import Access, Field, Register, RegisterMap

__all__ = ["COUNTERS", "ENGINES", "ID", "VERSION", "ErrorCode", "registers"]

ID = 0x544E_4F4E
VERSION = 2

#: Engines in the order of every mask, counter and status register. The last may be left out by the parameters: its
#: registers are 0 then.
ENGINES = ("LOAD", "MATRIX", "VECTOR", "STORE", "WINDOW")

#: Why an engine did not work in a cycle, beside ``BUSY``: an instruction is in flight.
_CAUSES = (
    ("BUSY", "an instruction is in flight"),
    ("TOKEN", "idle, and the next instruction waits for a token"),
    ("BANK", "waits for a memory bank"),
    ("BUS", "waits for the bus"),
    ("EMPTY", "idle, and no instruction is queued"),
)

#: Performance counters in the order of their registers, each with what it counts.
COUNTERS: dict[str, str] = {
    "CYCLES": "cycles since the start command",
    **{f"{e}_{c}": f"cycles in which {e}: {doc}" for e in ENGINES for c, doc in _CAUSES},
    "READ_BEATS": "data beats read over the bus",
    "WRITE_BEATS": "data beats written over the bus",
}


class ErrorCode(enum.IntEnum):
    """What STATUS.ERROR says after a run."""

    NONE = 0
    OPCODE = 1  # no instruction has this opcode
    FIELD = 2  # a field holds a value outside its range
    ADDRESS = 3  # a loop nest's corner leaves an on-chip memory
    NO_END = 4  # PROGRAM_LENGTH instructions without END
    FETCH_BUS = 5  # the bus answered an instruction fetch with an error
    LOAD_BUS = 6
    STORE_BUS = 7
    TOKEN = 8  # a token counter overflowed
    DEADLOCK = 9  # instructions wait for tokens that nothing will signal
    STOPPED = 10  # software ended the run
    SEGMENT = 11  # an access outside its DRAM segment; it was not made


def registers(params: SystolicParams) -> RegisterMap:
    """The register map of an accelerator; everything that touches a register uses it."""

    def whole(access: Access, doc: str) -> tuple[Field, ...]:
        return (Field("VALUE", 0, 32, access, doc),)

    ro, rw, setup = Access.RO, Access.RW, Access.SETUP
    high = f"{{}}, the bits above 31: {params.address_bits - 32 or 'none'} here, others read 0"
    codes = ", ".join(f"{c.value} {c.name}" for c in ErrorCode)
    names = ", ".join(f"{i} {n}" for i, n in enumerate(COUNTERS))
    return RegisterMap("TENON", (
        Register("ID", 0x00, whole(ro, f"{ID:#010x}")),
        Register("VERSION", 0x04, whole(ro, "of the register map")),
        Register("FINGERPRINT", 0x08, whole(ro, "first 32 bits of the covenant's fingerprint")),
        Register("CONTROL", 0x0C, (
            Field("START", 0, 1, Access.W1, "starts the program; ignored while BUSY"),
            Field("IRQ_ENABLE", 1, 1, rw, "lets DONE raise the interrupt"),
            Field("CLEAR", 2, 1, Access.W1, "clears DONE, ERROR and the interrupt"),
            Field("STOP", 3, 1, Access.W1, "ends the program with error STOPPED, as soon as the bus owes nothing; ignored unless BUSY. "
                  "IRQ_ENABLE stays as it is"),
            Field("RESET", 4, 1, Access.W1, "as STOP; then every register is as after power-on, and STATUS is 0"),
        )),
        Register("STATUS", 0x10, (
            Field("BUSY", 0, 1, ro, "a program runs, or a reset is not yet done"),
            Field("DONE", 1, 1, ro, "the program has ended, with or without an error"),
            Field("ERROR", 4, 4, ro, codes),
            Field("INDEX", 8, 24, ro, "instructions dispatched so far, or before the end or the error (modulo 2**24)"),
        )),
        Register("PROGRAM", 0x14, whole(setup, "address of the first instruction, a multiple of 128")),
        Register("PROGRAM_LENGTH", 0x18, whole(setup, "instructions, END included")),
        Register("PROGRAM_HIGH", 0x1C, whole(setup, high.format("PROGRAM"))),
        Register("SEGMENT", 0x20, whole(setup, "base address of segment 0 (constants), 1 (arena), 2 (inputs), 3 (outputs)"), SEGMENTS),
        Register("WAITING", 0x30, (
            Field("TOKENS", 0, 16, ro, "tokens the next instruction of the engine still lacks"),
            Field("HEAD", 16, 1, ro, "an instruction is at the head of the engine's queue"),
            Field("ENGINE_BUSY", 17, 1, ro, "the engine has an instruction in flight"),
            Field("STALL_BANK", 18, 1, ro, "the engine waits for a memory bank"),
            Field("STALL_BUS", 19, 1, ro, "the engine waits for the bus"),
        ), len(ENGINES)),
        Register("SEGMENT_HIGH", 0x50, whole(setup, high.format("SEGMENT")), SEGMENTS),
        Register("SEGMENT_BYTES", 0x60, whole(setup, "size of the segment: bus words beyond are neither read nor written; "
                                              "all ones, as after power-on: no limit"), SEGMENTS),
        Register("SEGMENT_BYTES_HIGH", 0x70, whole(setup, high.format("SEGMENT_BYTES")), SEGMENTS),
        Register("COUNTER", 0x80, whole(ro, names), len(COUNTERS)),
        Register("MARK", 0x1000, whole(ro, "cycle at which the instruction with this mark was done"), params.markers),
    ))
