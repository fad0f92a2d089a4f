"""The driver on the host, with a block of memory for the accelerator's registers."""

import ctypes
import struct
import subprocess
from pathlib import Path

import pytest

from tenon.compiler import image
from tenon.hw.presets import preset
from tenon.hw.registers import COUNTERS, ID, VERSION, ErrorCode, registers
from tenon.tb.gateware import header_of
from tenon.tb.soc.cross import WARNINGS

DRIVER = Path(__file__).parents[2] / "firmware" / "driver"
PARAMS = preset("tiny")
REGISTERS = registers(PARAMS)
FINGERPRINT = 0x1234_5678

OK, BUSY, IDLE, TIMEOUT, NO_DEVICE, OTHER_REGISTERS, BAD_IMAGE, OTHER_HARDWARE, MISALIGNED, OUT_OF_REACH = 0, *range(16, 25)
PAUSE = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)


class Device(ctypes.Structure):
    _fields_ = [("registers", ctypes.c_size_t)]


class Program(ctypes.Structure):
    _fields_ = [("image", ctypes.c_void_p), ("address", ctypes.c_uint64)]


class Buffers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("inputs", "outputs", "arena")]


class Tensor(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32 if name == "zero_point" else ctypes.c_uint32) for name in image.TENSOR]


#: The driver on hardware whose addresses have 40 bits: of what is written to upper halves, it keeps 8.
NARROW = """
#define tenon_write write_all
#include "tenon_driver.h"
#undef tenon_write
static inline void tenon_write(const tenon_device *device, uint32_t offset, uint32_t value)
{
    bool high = offset == TENON_PROGRAM_HIGH || (offset >= TENON_SEGMENT_HIGH && offset < TENON_SEGMENT_BYTES);
    write_all(device, offset, high ? value & 0xFFu : value);
}
#include "tenon_driver.c"
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("driver"), (DRIVER / "tenon_driver.c").read_text())


def build(folder, text):
    (folder / "tenon.h").write_text(header_of(PARAMS))
    (folder / "driver.c").write_text(text)
    output = folder / "driver.so"
    includes = [f"-I{folder}", f"-I{DRIVER}"]
    subprocess.run(["gcc", "-std=c11", "-O2", *WARNINGS, *includes, "-shared", "-fPIC", folder / "driver.c", "-o", output], check=True)
    loaded = ctypes.CDLL(str(output))
    for name in ("tenon_input", "tenon_output"):
        getattr(loaded, name).restype = ctypes.POINTER(Tensor)
    loaded.tenon_message.restype = ctypes.c_char_p
    loaded.tenon_interrupt.restype = ctypes.c_bool
    loaded.tenon_probe.argtypes = [ctypes.POINTER(Device), ctypes.c_size_t]
    for name in ("tenon_fingerprint", "tenon_index", "tenon_counter", "tenon_mark", "tenon_waiting"):
        getattr(loaded, name).restype = ctypes.c_uint32
    return loaded


class Bench:
    """An accelerator that does nothing by itself: its registers are words that the test reads and writes."""

    def __init__(self, library):
        self.library = library
        self.words = (ctypes.c_uint32 * 0x1000)()
        self["ID"], self["VERSION"], self["FINGERPRINT"] = ID, VERSION, FINGERPRINT
        self.device = Device()
        assert library.tenon_probe(ctypes.byref(self.device), ctypes.addressof(self.words)) == OK

    def __getitem__(self, name):
        name, _, index = name.partition(".")
        return self.words[REGISTERS.offset(name, int(index or 0)) // 4]

    def __setitem__(self, name, value):
        name, _, index = name.partition(".")
        self.words[REGISTERS.offset(name, int(index or 0)) // 4] = value

    def show(self, **fields):
        self["STATUS"] = sum(value << REGISTERS["STATUS"].field(name).shift for name, value in fields.items())

    def __getattr__(self, name):
        function = getattr(self.library, f"tenon_{name}")
        return lambda *arguments: function(ctypes.byref(self.device), *arguments)

    def open(self, contents, address, size=None):
        self.kept = ctypes.create_string_buffer(contents, len(contents))
        self.program = Program()
        return self.library.tenon_open(ctypes.byref(self.device), ctypes.byref(self.program), self.kept,
                                       ctypes.c_size_t(len(contents) if size is None else size), ctypes.c_uint64(address))


@pytest.fixture
def bench(library):
    return Bench(library)


def words(**changed):
    """An image's header, whole and legal but for what is changed; a constant and two instructions follow."""
    header = {"magic": int.from_bytes(image.MAGIC, "little"), "version": image.VERSION, "fingerprint": FINGERPRINT, "bytes": 512,
              "code": 256, "instructions": 2, "constants": 224, "constants_bytes": 32, "arena_bytes": 4, "inputs_bytes": 64,
              "outputs_bytes": 64, "inputs": 1, "outputs": 2, "tensors": 64}
    return header | changed


def packed(**changed):
    header = words(**changed)
    assert tuple(header) == image.HEADER
    tensors = [struct.pack("<7Iif", 2, 0, 1, 8, 8, 3, 0, 7, 0.5), struct.pack("<7Iif", 3, 0, 1, 1, 1, 10, 1, -3, 0.25),
               struct.pack("<7Iif", 3, 64, 1, 1, 1, 5, 0, 0, 0.125)]
    return (struct.pack("<14I", *header.values()).ljust(64, b"\0") + b"".join(tensors)).ljust(512, b"\0")


def test_probe(bench):
    probe = bench.library.tenon_probe
    assert bench.fingerprint() == FINGERPRINT
    bench["VERSION"] = VERSION + 1
    assert probe(ctypes.byref(bench.device), ctypes.addressof(bench.words)) == OTHER_REGISTERS
    bench["ID"] = 0
    assert probe(ctypes.byref(bench.device), ctypes.addressof(bench.words)) == NO_DEVICE


def test_an_image_and_its_tensors(bench):
    assert bench.open(packed(), 0x8000) == OK
    get = bench.library
    first, second = get.tenon_output(ctypes.byref(bench.program), 0), get.tenon_output(ctypes.byref(bench.program), 1)
    given = get.tenon_input(ctypes.byref(bench.program), 0)
    assert not get.tenon_input(ctypes.byref(bench.program), 1) and not get.tenon_output(ctypes.byref(bench.program), 2)
    assert (given[0].segment, given[0].height, given[0].channels, given[0].zero_point) == (2, 8, 3, 7)
    assert (first[0].is_signed, first[0].zero_point, first[0].scale_bits) == (1, -3, struct.unpack("<I", struct.pack("<f", 0.25))[0])
    assert (second[0].offset, second[0].channels, get.tenon_elements(given)) == (64, 5, 192)


@pytest.mark.parametrize("changed", [
    {"magic": 0}, {"version": 2}, {"bytes": 513}, {"code": 264}, {"code": 512}, {"instructions": 3}, {"instructions": 2**25 + 2},
    {"constants": 513}, {"constants_bytes": 289}, {"constants": 2**32 - 8}, {"tensors": 66}, {"tensors": 508}, {"inputs": 2**32 - 1},
    {"outputs": 12}, {"tensors": 2**32 - 4},
], ids=str)
def test_a_bad_image_is_refused(bench, changed):
    assert bench.open(packed(**changed), 0) == BAD_IMAGE


def test_what_else_open_refuses(bench):
    assert bench.open(packed(), 0, size=511) == BAD_IMAGE
    assert bench.open(packed(), 0, size=63) == BAD_IMAGE
    assert bench.open(packed(fingerprint=FINGERPRINT + 1), 0) == OTHER_HARDWARE
    assert bench.open(packed(), 64) == MISALIGNED


@pytest.mark.parametrize("interrupt", [False, True])
def test_start(bench, interrupt):
    assert bench.open(packed(), 0x8000) == OK
    buffers = Buffers(inputs=0x100, outputs=0x200, arena=0x300)
    arguments = (ctypes.byref(bench.program), ctypes.byref(buffers), ctypes.c_bool(interrupt))
    bench.show(BUSY=1)
    assert bench.start(*arguments) == BUSY
    assert not any(bench[name] for name in ("PROGRAM", "PROGRAM_LENGTH", "CONTROL", "SEGMENT.2"))
    bench.show(DONE=1, ERROR=3)
    assert bench.start(*arguments) == OK
    control = REGISTERS["CONTROL"]
    assert bench["CONTROL"] == control.field("START").mask | (control.field("IRQ_ENABLE").mask if interrupt else 0)
    assert (bench["PROGRAM"], bench["PROGRAM_LENGTH"]) == (0x8100, 2)
    assert [bench[f"SEGMENT.{i}"] for i in range(4)] == [0x80E0, 0x300, 0x100, 0x200]
    assert [bench[f"SEGMENT_BYTES.{i}"] for i in range(4)] == [32, 4, 64, 64]


def test_addresses_beyond_4_gib(bench, tmp_path):
    buffers = Buffers(inputs=0x12_0000_0100, outputs=0xFF_FFFF_FF00, arena=0x300)
    assert bench.open(packed(), 0x1_FFFF_FF80) == OK
    bench["SEGMENT_BYTES_HIGH.2"] = 1
    assert bench.start(ctypes.byref(bench.program), ctypes.byref(buffers), ctypes.c_bool(False)) == OK
    assert (bench["PROGRAM"], bench["PROGRAM_HIGH"]) == (0x80, 2), "the code begins 256 bytes behind the image"
    assert [bench[f"SEGMENT_HIGH.{i}"] for i in range(4)] == [2, 0, 0x12, 0xFF]
    assert not any(bench[f"SEGMENT_BYTES_HIGH.{i}"] for i in range(4))
    narrow = Bench(build(tmp_path, NARROW))
    for far, answer in ((0xFF_0000_0000, OK), (0x100_0000_0000, OUT_OF_REACH)):
        assert narrow.open(packed(), 0x8000) == OK
        buffers.arena = far
        assert narrow.start(ctypes.byref(narrow.program), ctypes.byref(buffers), ctypes.c_bool(False)) == answer
        assert bool(narrow["CONTROL"]) == (answer == OK), "started or not"
        narrow["CONTROL"] = 0


def test_stop_and_reset(bench):
    bench["CONTROL"] = 0
    for name in ("stop", "reset"):
        getattr(bench, name)()
        assert bench["CONTROL"] == REGISTERS["CONTROL"].field(name.upper()).mask


def test_status(bench):
    assert bench.status() == IDLE
    bench.show(BUSY=1)
    assert bench.status() == BUSY
    bench.show(DONE=1, INDEX=0xABCDEF)
    assert bench.status() == OK and bench.index() == 0xABCDEF
    for code in ErrorCode:
        bench.show(DONE=1, ERROR=code.value)
        assert bench.status() == code.value
    bench.clear()
    assert bench["CONTROL"] == REGISTERS["CONTROL"].field("CLEAR").mask


def test_polling_ends_at_its_limit(bench):
    cycles = "COUNTER.0"
    assert list(COUNTERS)[0] == "CYCLES"
    bench.show(BUSY=1)
    bench[cycles] = 100
    assert bench.poll(ctypes.c_uint32(100)) == TIMEOUT
    bench.show(DONE=1, ERROR=2)
    assert bench.poll(ctypes.c_uint32(100)) == 2 and bench.poll(ctypes.c_uint32(0)) == 2


def test_waiting_pauses_until_the_end_or_until_told_to_give_up(bench):
    calls = []

    def pause(context):
        calls.append(context)
        if len(calls) == 3:
            bench.show(DONE=1, ERROR=1)
        return len(calls) < 5

    bench.show(BUSY=1)
    assert bench.wait(PAUSE(pause), ctypes.c_void_p(77)) == 1 and calls == [77] * 3
    bench.show(BUSY=1)
    assert bench.wait(PAUSE(pause), None) == TIMEOUT and len(calls) == 5


def test_an_interrupt_is_withdrawn_by_whom_it_belongs_to(bench):
    enable = REGISTERS["CONTROL"].field("IRQ_ENABLE").mask
    for control, done, ours in ((enable, 0, False), (0, 1, False), (enable, 1, True)):
        bench["CONTROL"] = control
        bench.show(DONE=done)
        assert bench.interrupt() is ours
        assert bench["CONTROL"] == (0 if ours else control)


def test_counters_marks_and_what_engines_wait_for(bench):
    for name, function, count in (("COUNTER", bench.counter, len(COUNTERS)), ("MARK", bench.mark, PARAMS.markers),
                                  ("WAITING", bench.waiting, REGISTERS["WAITING"].count)):
        bench[f"{name}.{count - 1}"] = 0xFFFF_FFF0
        assert function(count - 1) == 0xFFFF_FFF0 and function(count) == 0 and function(ctypes.c_uint32(2**32 - 1)) == 0


def test_every_result_has_its_words(library):
    known = [library.tenon_message(code) for code in (*ErrorCode, *range(BUSY, OUT_OF_REACH + 1))]
    assert len(set(known)) == len(known) and library.tenon_message(15) not in known


def test_the_image_of_the_compiler_is_the_header_s():
    header = (DRIVER / "tenon_image.h").read_text()
    for names, kind in ((image.HEADER, "tenon_image"), (image.TENSOR, "tenon_tensor")):
        body = header[:header.index(f"}} {kind};")].rpartition("typedef struct {")[2]
        fields = [line.split("int32_t ")[1].split(";")[0] for line in body.splitlines() if "int32_t " in line]
        assert tuple(fields[:len(names)]) == names and all("reserved" in field for field in fields[len(names):])
    assert f"TENON_IMAGE_MAGIC {int.from_bytes(image.MAGIC, 'little'):#X}u".replace("0X", "0x") in header
    assert f"TENON_IMAGE_VERSION {image.VERSION}u" in header and f"TENON_IMAGE_ALIGNMENT {image.ALIGNMENT}u" in header


def test_devices_share_nothing(library):
    first, second = Bench(library), Bench(library)
    for bench, address in ((first, 0x8000), (second, 0x1_0000)):
        assert bench.open(packed(), address) == OK
        assert bench.start(ctypes.byref(bench.program), ctypes.byref(Buffers()), ctypes.c_bool(False)) == OK
    first.show(DONE=1)
    second.show(BUSY=1)
    assert (first.status(), second.status()) == (OK, BUSY)
    assert (first["PROGRAM"], second["PROGRAM"]) == (0x8100, 0x1_0100)


def test_the_readme_s_example_compiles(tmp_path):
    (tmp_path / "tenon.h").write_text(header_of(PARAMS))
    (tmp_path / "example.c").write_text((DRIVER.parent / "README.md").read_text().split("```c\n")[1].split("```")[0])
    done = subprocess.run(["gcc", "-std=c11", *WARNINGS, "-ffreestanding", f"-I{tmp_path}", f"-I{DRIVER}", "-c", tmp_path / "example.c",
                           "-o", tmp_path / "out.o"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("suffix", [".c", ".cpp"])
def test_compiles_with_every_warning_an_error(tmp_path, suffix):
    (tmp_path / "tenon.h").write_text(header_of(PARAMS))
    if suffix == ".cpp":
        source = tmp_path / "user.cpp"
        source.write_text('#include "tenon_driver.h"\nbool done(const tenon_device &d);\n'
                          "bool done(const tenon_device &d) { return tenon_status(&d) == TENON_OK; }\n")
        command = ["g++", "-std=c++11"]
    else:
        source, command = DRIVER / "tenon_driver.c", ["gcc", "-std=c11"]
    done = subprocess.run([*command, *WARNINGS, "-O2", "-ffreestanding", f"-I{tmp_path}", f"-I{DRIVER}", "-c", source,
                           "-o", tmp_path / "out.o"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if suffix == ".c":
        needs = subprocess.run(["nm", "--undefined-only", tmp_path / "out.o"], capture_output=True, text=True, check=True).stdout
        assert needs == "", "bare metal brings no library"
