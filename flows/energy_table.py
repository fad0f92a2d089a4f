"""What each thing that is counted takes: a table of picojoules from a TOML file, every row with its source."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from tenon.flows.errors import UserError

__all__ = ["OPTIONAL", "ROWS", "EnergyTable", "TableRow", "default_table", "load_table", "read_table"]

_DATA = Path(__file__).with_name("data")
_DEFAULT = "45nm"

#: What a table must have, and what it may.
ROWS = ("multiply_i8", "add_i32", "multiply_f32", "add_f32", "sram_64", "sram_64_root", "dram_byte")
OPTIONAL = ("instruction", "cycle")

_NODES_NM = (1, 1000)


@dataclass(frozen=True)
class TableRow:
    """``pj`` each time, in a technology of ``node_nm``; ``source`` and ``date``: who says so, and when."""

    pj: float
    node_nm: float
    source: str
    date: str


@dataclass(frozen=True)
class EnergyTable:
    """``rows`` by name; ``name`` is what figures are labelled with."""

    name: str
    rows: Mapping[str, TableRow]

    def pj(self, row: str) -> float:
        return self.rows[row].pj

    def sram_pj(self, bank_bytes: float) -> float:
        """Of a byte in a bank of ``bank_bytes``, read or written: in proportion to the bits."""
        return (self.pj("sram_64") + self.pj("sram_64_root") * math.sqrt(bank_bytes / 1024)) / 8

    @property
    def label(self) -> str:
        return f"model, {self.name} table"

    def fields(self) -> dict[str, object]:
        """For JSON."""
        return {"name": self.name, "rows": {name: asdict(row) for name, row in self.rows.items()}}


@cache
def default_table() -> EnergyTable:
    """The table of 45 nm."""
    return read_table(_DATA / f"energy_{_DEFAULT}.toml")


def load_table(table: str | Path) -> EnergyTable:
    """The one called ``45nm``, or that of a TOML file. Raises as ``read_table`` does."""
    return default_table() if str(table) == _DEFAULT else read_table(Path(table))


def read_table(path: Path) -> EnergyTable:
    """The table in a TOML file: ``name``, and a section for each row.

    Raises
    ------
    UserError
        One line that names the file, the row, and what is wrong.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not TOML: {error}") from None
    name = values.pop("name", None)
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise UserError(f"{path}: name must be what figures are labelled with, such as \"45 nm\", not {name!r}")
    for row in values:
        if row not in (*ROWS, *OPTIONAL):
            raise UserError(f"{path}: {row!r} is no row of an energy table; known are {', '.join((*ROWS, *OPTIONAL))}")
    for row in ROWS:
        if row not in values:
            raise UserError(f"{path}: has no row {row!r}; a table needs {', '.join(ROWS)}")
    return EnergyTable(name, {row: _row(path, row, values[row]) for row in (*ROWS, *OPTIONAL) if row in values})


def _row(path: Path, name: str, value: object) -> TableRow:
    known = tuple(TableRow.__dataclass_fields__)
    if not isinstance(value, dict):
        raise UserError(f"{path}: {name} must be a section with {', '.join(known)}, not {value!r}")
    if set(value) != set(known):
        wrong = min(set(value) ^ set(known))
        raise UserError(f"{path}: {name} {'lacks' if wrong in known else 'has'} {wrong!r}; a row has {', '.join(known)}")
    _number(path, f"{name}.pj", value["pj"], 0, math.inf, "a number of picojoules, 0 or more")
    _number(path, f"{name}.node_nm", value["node_nm"], *_NODES_NM, f"a number in {_NODES_NM[0]}..{_NODES_NM[1]}")
    for key in ("source", "date"):
        if not isinstance(value[key], str) or not value[key].strip():
            raise UserError(f"{path}: {name}.{key} must be text, not {value[key]!r}")
    return TableRow(float(value["pj"]), value["node_nm"], value["source"], value["date"])


def _number(path: Path, name: str, value: object, low: float, high: float, rule: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or value == math.inf:
        raise UserError(f"{path}: {name} must be {rule}, not {value!r}")
