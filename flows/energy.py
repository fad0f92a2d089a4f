"""Energy of a program by counts: what it does, times a table of what each thing takes. Nothing is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from tenon.acg.graph import Memory
from tenon.compiler.activity import Activity, Operation, activity_of
from tenon.compiler.program import Program
from tenon.compiler.timing import available, time_program
from tenon.flows.energy_table import EnergyTable, default_table

__all__ = ["Energy", "CountedRow", "energy_of"]

#: Rows of the table that an operation takes.
_OPERATIONS = {
    Operation.MAC: ("multiply-accumulate, 8 bits", ("multiply_i8", "add_i32")),
    Operation.INTEGER_ADD: ("integer addition or comparison", ("add_i32",)),
    Operation.ADD: ("binary32 addition", ("add_f32",)),
    Operation.MULTIPLY: ("binary32 multiplication", ("multiply_f32",)),
    Operation.FMA: ("binary32 multiply-add", ("multiply_f32", "add_f32")),
}


@dataclass(frozen=True)
class CountedRow:
    """``count`` times ``pj``; None: the table has no such row, so that it is counted and not part of any sum."""

    what: str
    count: int
    unit: str
    pj: float | None

    @property
    def total_pj(self) -> float | None:
        return None if self.pj is None else self.count * self.pj


@dataclass(frozen=True)
class Energy:
    """Of one run; ``macs`` are those of the network, without what fills up tiles."""

    rows: tuple[CountedRow, ...]
    macs: int
    table: EnergyTable

    @property
    def label(self) -> str:
        """What every figure is to be labelled with."""
        return self.table.label

    @property
    def pj(self) -> float:
        return sum(row.total_pj or 0.0 for row in self.rows)

    @property
    def uj(self) -> float:
        return 1e-6 * self.pj

    @property
    def pj_per_mac(self) -> float | None:
        return self.pj / self.macs if self.macs else None

    def fields(self) -> dict[str, object]:
        """For JSON."""
        rows = [asdict(row) | {"total_pj": row.total_pj, "basis": self.label} for row in self.rows]
        return {"basis": self.label, "uj": self.uj, "pj_per_mac": self.pj_per_mac, "macs": self.macs, "rows": rows,
                "table": self.table.fields()}


def energy_of(program: Program, table: EnergyTable | None = None, *, cycles: int | None = None) -> Energy:
    """Of one run of ``program``, by ``table`` (45 nm if not given).

    Parameters
    ----------
    cycles : int, optional
        What the run takes; else the event model says it, if that can be compiled here.

    Raises
    ------
    CovenantError
        If the program's covenant, of an earlier version, does not note what goes through its memories' ports.
    """
    table = table if table is not None else default_table()
    covenant = program.covenant
    activity = activity_of(covenant, program.instructions)
    if cycles is None and available():
        cycles = time_program(covenant, program.instructions).cycles
    rows = [*_operations(activity, table), *_memories(activity, covenant.memories, table), *_dram(activity, table),
            CountedRow("instructions", activity.instructions, "instruction", _optional(table, "instruction"))]
    if cycles is not None:
        rows.append(CountedRow("clock", cycles, "cycle", _optional(table, "cycle")))
    return Energy(tuple(rows), sum(layer.macs for layer in program.layers), table)


def _operations(activity: Activity, table: EnergyTable) -> Iterator[CountedRow]:
    for operation, (what, takes) in _OPERATIONS.items():
        yield CountedRow(what, activity.operations[operation], "operation", sum(map(table.pj, takes)))


def _memories(activity: Activity, memories: tuple[Memory, ...], table: EnergyTable) -> Iterator[CountedRow]:
    for memory in memories:
        for write in (False, True):
            if (memory.name, write) in activity.port_bytes:
                yield CountedRow(f"{memory.name} {'written' if write else 'read'}", activity.port_bytes[memory.name, write], "byte",
                                table.sram_pj(memory.size / memory.banks))


def _dram(activity: Activity, table: EnergyTable) -> Iterator[CountedRow]:
    for what, count in (("read", activity.dram_read_bytes), ("written", activity.dram_written_bytes),
                        ("instructions fetched", activity.fetched_bytes)):
        yield CountedRow(f"DRAM {what}", count, "byte", table.pj("dram_byte"))


def _optional(table: EnergyTable, row: str) -> float | None:
    return table.pj(row) if row in table.rows else None
