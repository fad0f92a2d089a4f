"""Firmware on a RISC-V core runs the digits network by itself, through the driver and the registers, in RTL."""

import dataclasses
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tenon.compiler import image
from tenon.compiler.host import quantise_inputs
from tenon.compiler.image import pack
from tenon.flows.comparison import compare
from tenon.flows.execution import Simulator, execute
from tenon.flows.run import prepare
from tenon.hw.encoding import ENCODING
from tenon.hw.presets import preset
from tenon.hw.registers import ErrorCode
from tenon.tb.gateware import header_of, verilog_of
from tenon.tb.rtl import Dram, Stuck
from tenon.tb.runner import SimulationError
from tenon.tb.soc import CrossError, compile_firmware, run_soc
from tenon.tb.soc.cross import memory_words

pytestmark = pytest.mark.rtl

FIRMWARE = Path(__file__).parents[2] / "firmware"
PARAMS = preset("edge8")
OK, TIMEOUT, BAD_IMAGE, OTHER_HARDWARE, MISALIGNED = 0, 18, 21, 22, 23  # of tenon_driver.h
POLL, INTERRUPT, WORK = 0, 1, 2

IMAGES = 6
LIST_BYTES = 64  # classify.c's list without its entries, and each entry
PROGRAM, SLOT = 0x2000, 0x1_0000  # the network's image, and steps between others
SCRATCH, SCRATCH_WORDS = 0xC_0000, 16
DATA, STRIDE = 0x10_0000, 0x2000  # memory of the runs
OUTPUTS, ARENA = 0x400, 0x800  # within that
OUTSIDE = 0xF000_0000  # beyond the DRAM


@dataclass
class Entry:
    """One entry of classify.c's list."""

    image: int
    bytes: int
    inputs: int
    outputs: int
    arena: int
    flags: int
    cycles: int = 0

    def pack(self):
        return struct.pack("<8I32x", self.image, self.bytes, self.inputs, self.outputs, self.arena, self.flags, self.cycles, SCRATCH)


@dataclass
class Answer:
    """What the firmware wrote into an entry."""

    result: int
    index: int
    taken: int
    interrupts: int
    largest: int
    rounds: int

    @classmethod
    def unpack(cls, contents, number):
        return cls(*struct.unpack_from("<6I", contents, LIST_BYTES * (number + 1) + 32))


class Board:
    """DRAM contents: the network's image, the inputs of some digits, the list."""

    def __init__(self, images):
        self.job = prepare("zoo:digits", PARAMS, runs=images)
        self.program = self.job.compiled.program
        self.inputs = [quantise_inputs(self.job.compiled.graph, feeds) for feeds in self.job.feeds]
        self.code = pack(self.program)
        self.contents = [(PROGRAM, self.code)]
        self.entries = []
        self.header = dict(zip(image.HEADER, struct.unpack_from(f"<{len(image.HEADER)}I", self.code)))
        for number, tensors in enumerate(self.inputs):
            memory = self.program.memory()
            for name, array in tensors.items():
                self.program.tensors[name].write(memory, array)
            self.contents.append((DATA + number * STRIDE, memory["INPUTS"].tobytes()))

    def add(self, digit, flags, *, image=PROGRAM, size=None, into=None, **changed):
        """Lets the firmware run ``digit`` in its memory, or in that of the digit ``into``; returns the entry's number."""
        there = DATA + (digit if into is None else into) * STRIDE
        entry = Entry(image, size or len(self.code), DATA + digit * STRIDE, there + OUTPUTS, there + ARENA, flags)
        for name, value in changed.items():
            setattr(entry, name, value)
        self.entries.append(entry)
        return len(self.entries) - 1

    def put(self, address, contents):
        """Another image; returns its address."""
        self.contents.append((address, bytes(contents)))
        return address

    def spoilt(self, address, index, instruction):
        """The image with one instruction replaced."""
        code = bytearray(self.code)
        at = self.header["code"] + index * ENCODING.bytes
        code[at:at + ENCODING.bytes] = instruction
        return self.put(address, code)

    def run(self, firmware, **options):
        """(result, the answers, tensors of each digit) of a simulation."""
        work = struct.pack("<I60x", len(self.entries)) + b"".join(entry.pack() for entry in self.entries)
        regions = [(0, len(work)), (SCRATCH, 4 * SCRATCH_WORDS), *((DATA + i * STRIDE, STRIDE) for i in range(len(self.inputs)))]
        result = run_soc(verilog_of(PARAMS), PARAMS, firmware, image=[(0, work), *self.contents], regions=regions, **options)
        self.scratch = list(struct.unpack(f"<{SCRATCH_WORDS}I", result.regions[1]))
        tensors = []
        for contents in result.regions[2:]:
            memory = self.program.memory()
            for name, at in (("INPUTS", 0), ("OUTPUTS", OUTPUTS), ("ARENA", ARENA)):
                memory[name][:] = np.frombuffer(contents, np.uint8, memory[name].size, at)
            tensors.append({name: placed.read(memory) for name, placed in self.program.tensors.items()})
        return result, [Answer.unpack(result.regions[0], i) for i in range(len(self.entries))], tensors


def compiled(folder, *options):
    (folder / "tenon.h").write_text(header_of(PARAMS))
    example = FIRMWARE / "example"
    sources = [example / "startup.S", example / "classify.c", FIRMWARE / "driver" / "tenon_driver.c"]
    return compile_firmware(sources, [FIRMWARE / "driver", folder], example / "link.ld", folder / "classify.elf",
                            options=options).read_bytes()


@pytest.fixture(scope="module")
def firmware(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("firmware"))


def test_digits_by_polling_and_by_interrupt(firmware):
    board = Board(IMAGES)
    for digit in range(IMAGES):
        board.add(digit, (POLL, INTERRUPT)[digit % 2])
    # Digit 1's outputs are in the core's cache by now: another digit's outputs there must not be hidden by it.
    other = board.add(0, INTERRUPT, into=1)
    again = board.add(1, INTERRUPT)
    result, answers, tensors = board.run(firmware)
    assert result.exit_code == OK

    comparison, expected = compare(board.program, board.job.compiled.graph, board.job.compiled.model, board.job.feeds, tensors)
    assert comparison.total.mismatches == 0 and comparison.total.elements > 1000 * IMAGES
    simulated = execute(board.program, board.inputs, Simulator.FUNCTIONAL)
    for ours, theirs in zip(tensors, simulated.tensors):
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)

    largest = [int(next(iter(outputs.values())).argmax()) for outputs in expected]
    assert len(set(largest)) > 2 and largest[0] != largest[1]
    assert [a.largest for a in answers[:IMAGES]] == largest
    assert (answers[other].largest, answers[again].largest) == (largest[0], largest[1])
    assert all(a.result == OK and a.index == board.header["instructions"] for a in answers)
    assert len({a.taken for a in answers}) == 1, "a run takes as long whoever waits for it"
    assert [a.interrupts for a in answers] == [0, 1, 1, 2, 2, 3, 4, 5]


def test_what_goes_wrong_is_told_and_forgotten(firmware):
    board = Board(2)
    assert PROGRAM + len(board.code) <= SLOT
    unknown = bytes([15]) + bytes(ENCODING.bytes - 1)
    outside = bytearray(board.code[board.header["code"]:][:ENCODING.bytes])
    assert outside[0] & 15 == 1, "the first instruction is a LOAD"
    outside[8:] = b"\xff" * (ENCODING.bytes - 8)
    endless = bytearray(board.code)
    struct.pack_into("<I", endless, 4 * image.HEADER.index("instructions"), board.header["instructions"] - 1)
    foreign = bytearray(board.code)
    foreign[4 * image.HEADER.index("fingerprint")] ^= 1

    expected = []
    for way in (POLL, INTERRUPT):
        at = (1 + 3 * way) * SLOT
        expected += [
            (board.add(0, way, image=board.spoilt(at, 7, unknown)), ErrorCode.OPCODE, 7),
            (board.add(0, way, image=board.spoilt(at + SLOT, 3, outside)), None, 3),
            (board.add(0, way, image=board.put(at + 2 * SLOT, endless)), ErrorCode.NO_END, board.header["instructions"] - 1),
            (board.add(0, way, inputs=OUTSIDE), ErrorCode.LOAD_BUS, None),
            (board.add(0, way, outputs=OUTSIDE, into=1), ErrorCode.STORE_BUS, None),
            (board.add(0, way), ErrorCode.NONE, board.header["instructions"]),
        ]
    refused = [(board.add(1, INTERRUPT, image=board.put(7 * SLOT, foreign)), OTHER_HARDWARE),
               (board.add(1, INTERRUPT, size=len(board.code) - 1), BAD_IMAGE),
               (board.add(1, INTERRUPT, image=board.put(8 * SLOT + 64, board.code)), MISALIGNED)]
    late = board.add(1, POLL, cycles=1000)
    last = board.add(1, INTERRUPT)
    _, answers, _ = board.run(firmware)
    for number, code, index in expected:
        answer = answers[number]
        assert answer.result in ((ErrorCode.FIELD, ErrorCode.ADDRESS) if code is None else (code,)), number
        assert index is None or answer.index == index, number
    for number, code in refused:
        assert (answers[number].result, answers[number].taken) == (code, 0)
    assert answers[late].result == TIMEOUT and answers[late].taken > 1000
    assert answers[last].result == OK
    assert answers[last].interrupts == 7  # the six by interrupt, errors among them, and this one


def test_the_core_sleeps_until_the_interrupt(firmware):
    reads = {}
    for way in (POLL, INTERRUPT):
        board = Board(1)
        board.add(0, way)
        result, answers, _ = board.run(firmware)
        assert answers[0].result == OK
        reads[way] = result.register_reads
    # probe 2, open 1, start 1, wait 2, index and counter 2, the handler's 3
    assert reads[INTERRUPT] == 11 and reads[POLL] > 100


def test_core_and_accelerator_share_a_dram_that_stalls(firmware):
    board = Board(4)
    for digit in range(4):
        board.add(digit, WORK)
    _, answers, tensors = board.run(firmware, dram=Dram(latency=30, jitter=40, stall=40, seed=3), cycle_limit=500_000)
    simulated = execute(board.program, board.inputs, Simulator.FUNCTIONAL)
    for ours, theirs in zip(tensors, simulated.tensors):
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    assert [a.result for a in answers] == [OK] * 4
    assert all(a.rounds > 1 for a in answers), "the core must have used the DRAM meanwhile"
    rounds = sum(a.rounds for a in answers)
    assert board.scratch == [i * rounds for i in range(SCRATCH_WORDS)]


def test_firmware_that_never_ends(firmware):
    with pytest.raises(Stuck, match="^the firmware did not end within 2000 cycles$"):
        board = Board(1)
        board.add(0, POLL)
        board.run(firmware, cycle_limit=2000)


def test_firmware_that_reads_where_nothing_is(firmware):
    board = Board(1)
    board.add(0, POLL, image=OUTSIDE)
    with pytest.raises(SimulationError, match="^the firmware accessed addresses where nothing is [1-9]"):
        board.run(firmware)


def test_wider_addresses_than_the_core_has():
    with pytest.raises(ValueError, match="^address_bits must be 32 in this system, not 40$"):
        run_soc("", dataclasses.replace(PARAMS, address_bits=40), b"", image=[])


def test_a_warning_in_firmware_is_an_error(tmp_path):
    bad = tmp_path / "bad.c"
    bad.write_text("int main(void) { unsigned char c = 300 * 7; return c; }\n")
    with pytest.raises(CrossError, match="constant-conversion"):
        compile_firmware([bad], [], FIRMWARE / "example" / "link.ld", tmp_path / "bad.elf")


def test_what_is_no_firmware(tmp_path):
    with pytest.raises(ValueError, match="^not a 32-bit little-endian ELF file$"):
        memory_words(b"\x7fELF\x02\x01", 0)
    elf = struct.pack("<28xI10xHH6x", 52, 32, 1) + struct.pack("<8I", 1, 84, 0, 0x100, 6, 6, 0, 0) + b"abcdef"
    elf = b"\x7fELF\x01\x01" + elf[6:]
    assert memory_words(elf, 0xFC) == [0, *struct.unpack("<2I", b"abcdef\0\0")]
    with pytest.raises(ValueError, match="^a segment lies at 0x100, below the memory at 0x200$"):
        memory_words(elf, 0x200)
