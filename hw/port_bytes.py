"""What each instruction moves through the ports of on-chip memories, engine by engine."""

from __future__ import annotations

from collections.abc import Mapping

from tenon.acg.port_bytes import PortBytes
from tenon.hw.mnemonics import window_words
from tenon.hw.params import SystolicParams

__all__ = ["port_bytes"]

_TILES = "n_n * n_k0 * n_k1 * n_k2 * n_k3"
_RUNS = "n_l0 * n_l1 * n_l2 * n_l3"


def port_bytes(p: SystolicParams) -> dict[str, tuple[PortBytes, ...]]:
    """By mnemonic, for a program in which nobody waits: who is not granted, or has to wait for another operand, reads it again."""
    found = {"LOAD": _load(p), "MATRIX": _matrix(p), "VECTOR": _vector(p), "STORE": _store(p)}
    return found | ({"WINDOW": _window(p)} if p.window_taps else {})


def _parameter_line(p: SystolicParams) -> int:
    return max(4 * p.cols, p.bus_bytes)


def _copies(p: SystolicParams) -> Mapping[str, int]:
    """One for each of VECTOR's two streams, for each reader of parameters, and for each lane's lookups."""
    return {"ACT": 1, "WGT": 1, "VEC": 2, "PAR": 4, "TAB": p.lanes}


def _load(p: SystolicParams) -> tuple[PortBytes, ...]:
    """Masks leave out what is not of the run."""
    return tuple(PortBytes(memory, True, f"{copies} * n * {_RUNS} * (mem == {number})")
                 for number, (memory, copies) in enumerate(_copies(p).items()))


def _store(p: SystolicParams) -> tuple[PortBytes, ...]:
    """A line for each word of the bus; runs are taken to begin at one, as the cost takes them."""
    return (PortBytes("VEC", False, f"{p.line_bytes} * {_RUNS} * ((n + {p.bus_bytes - 1}) // {p.bus_bytes})"),)


def _matrix(p: SystolicParams) -> tuple[PortBytes, ...]:
    """Weights are read once for a tile, with their zero-points row by row; activations for each tile anew. Sums leave the array after
    each tile, and are added to what the accumulators hold of the tiles before; a bias is read for each vector of the first."""
    vectors, line, sums = "n_m0 * n_m1 * n_m2", p.line_bytes, 4 * p.cols
    rows = f"({p.rows} + {p.cols - p.rows} * transposed)" if p.cols > p.rows else f"{p.rows}"
    return (
        PortBytes("ACT", False, f"{line} * {_TILES} * {vectors}"),
        PortBytes("WGT", False, f"{line} * {_TILES} * {rows}"),
        PortBytes("PAR", False, f"{_parameter_line(p)} * (zero_per_column * {_TILES} * {p.rows} + (init == 2) * n_n * {vectors})"),
        PortBytes("ACC", False, f"{sums} * {vectors} * ({_TILES} - n_n * (init != 1))"),
        PortBytes("ACC", True, f"{sums} * {vectors} * {_TILES}"),
    )


def _vector(p: SystolicParams) -> tuple[PortBytes, ...]:
    """Operands are read for every round of a reduction. Parameters are read for each issue, of which a word takes
    ``cols / lanes``; a table's line for each element."""
    outputs, line = "n_o2 * n_o1 * n_o0 * n_i", p.line_bytes
    words, copies = f"{outputs} * n_q1 * n_q0", _copies(p)
    return (
        PortBytes("ACC", False, f"{4 * p.cols} * {words} * (x_sel == 0)"),
        PortBytes("VEC", False, f"{line} * {words} * ((x_sel == 1) + (x_sel == 2) + (y_sel >= 1))"),
        PortBytes("PAR", False, f"{_parameter_line(p) * (p.cols // p.lanes)} * {words} * ((x_sel >= 3) + s_sel)"),
        PortBytes("TAB", False, f"{line * p.cols} * {outputs} * table"),
        PortBytes("VEC", True, f"{copies['VEC'] * p.cols} * {outputs} * (d_sel == 0)"),
        PortBytes("ACT", True, f"{copies['ACT'] * p.cols} * {outputs} * (d_sel == 1)"),
        PortBytes("PAR", True, f"{copies['PAR'] * 4 * p.cols} * {outputs} * (d_sel == 2)"),
    )


def _window(p: SystolicParams) -> tuple[PortBytes, ...]:
    """A pass reads its weights and zero-points once, and each column of activations once for all windows that have it. Sums are
    written after each pass, and read again by the next."""
    passes, windows, line = "n_n * n_k0", "n_o1 * n_o0 * n_x", p.line_bytes
    return (
        PortBytes("ACT", False, f"{line} * {passes} * {window_words(p)}"),
        PortBytes("WGT", False, f"{line} * {passes} * n_k1 * n_t * (kind <= 1)"),
        PortBytes("PAR", False, f"{_parameter_line(p)} * ({passes} * zero_per_column * (kind <= 1) + (init == 2) * n_n * {windows})"),
        PortBytes("ACC", False, f"{4 * p.cols} * {windows} * ({passes} - n_n * (init != 1))"),
        PortBytes("ACC", True, f"{4 * p.window_lanes} * {windows} * {passes}"),
    )
