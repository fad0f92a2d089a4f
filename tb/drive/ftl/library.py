"""Builds the firmware's FTL with ``model.c`` for this machine, and starts drives with it."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from pathlib import Path

from tenon.hw.storage.headers import headers
from tenon.hw.storage.params import TRANSFER_PAGES, StorageParams
from tenon.tb.drive.firmware import FIRMWARE
from tenon.tb.soc.cross import compile_c

__all__ = ["BROKEN", "Cells", "Ftl", "build_library"]

_HERE = Path(__file__).parent
_SOURCES = ("ftl.c", "superblocks.c", "program.c", "collect.c", "scan.c", "fast.c", "command.c")

#: What bits of ``Ftl.broken`` mean.
BROKEN = ("an operation of no die or unit, or too many", "too much has ended", "a page is programmed twice, or out of order",
          "a page's units are torn apart", "a move beyond memory", "a block beyond the map", "a command is ended twice",
          "a bad block is programmed or erased")


def build_library(params: StorageParams, folder: Path, *, change: tuple[str, str, str] | None = None) -> Path:
    """The library in ``folder``. ``change``: (file, text, other text) of the firmware, for defects that are planted.

    Raises
    ------
    tb.toolchain.ToolError, tb.soc.cross.CrossError
        If the compiler is missing, or complains.
    """
    for file, text in headers(params).items():
        (folder / file).write_text(text, encoding="utf-8")
    for file in FIRMWARE.glob("*.[ch]"):
        text = file.read_text(encoding="utf-8")
        if change is not None and file.name == change[0]:
            if text.count(change[1]) != 1:
                raise ValueError(f"{file.name} has {text.count(change[1])} times what is to be changed")
            text = text.replace(change[1], change[2])
        (folder / file.name).write_text(text, encoding="utf-8")
    return compile_c([*(folder / name for name in _SOURCES), _HERE / "model.c"], [folder, _HERE], folder / "ftl.so",
                     ["-O1", "-g", "-shared", "-fPIC", "-fno-sanitize=alignment", "-DDRIVE_ON_HOST"])


class Cells:
    """What a drive's dies hold, which outlives power."""

    def __init__(self, params: StorageParams, library: Path):
        self.library, self.params = library, params
        size = ctypes.CDLL(str(library)).ftl_cell_bytes()
        self.units = ctypes.create_string_buffer(size * params.raw_units)
        self.pages = ctypes.create_string_buffer(4 * params.blocks * params.planes * params.all_dies)

    def spoil(self, superblock: int, die: int) -> None:
        """This die's block of a superblock is bad from the factory on."""
        ctypes.CDLL(str(self.library)).ftl_spoil(self.units, superblock, die)


class Ftl:
    """A drive that has just been switched on. Functions are those of ``model.c``, without their prefix."""

    def __init__(self, cells: Cells):
        with tempfile.NamedTemporaryFile(suffix=".so", delete=False) as copy:  # fresh statics
            shutil.copyfile(cells.library, copy.name)
        self._library = ctypes.CDLL(copy.name)
        os.unlink(copy.name)
        self._data = (ctypes.c_uint64 * TRANSFER_PAGES)()
        self._value = ctypes.c_uint64()
        self._library.ftl_start(cells.units, cells.pages)

    def __getattr__(self, name: str):
        return getattr(self._library, f"ftl_{name}")

    def write(self, slot: int, first: int, values: list[int]) -> None:
        self._data[:len(values)] = values
        self.submit(slot, 1, first, len(values), self._data)

    def read(self, slot: int, first: int, count: int) -> None:
        self.submit(slot, 0, first, count, None)

    def clear(self, slot: int, first: int, count: int) -> None:
        self.submit(slot, 2, first, count, None)

    def ended(self, slot: int, count: int) -> tuple[int, list[int]] | None:
        """A command's status and data, if it has ended."""
        status = self.finished(slot, self._data)
        return None if status < 0 else (status, list(self._data[:count]))

    def value_of(self, unit: int) -> tuple[int, int]:
        """0, 1, 2, 3: erased, readable, not, its program has failed; and the value."""
        state = self.unit(unit, ctypes.byref(self._value))
        return state, self._value.value
