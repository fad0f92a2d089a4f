"""What a module's cells may grow with: numbers made of a configuration's parameters, by name."""

from __future__ import annotations

from math import log2

from tenon.hw.array import SystolicArray
from tenon.hw.params import SystolicParams

__all__ = ["CONSTANT", "features"]

CONSTANT = "1"

_NO_CELLS = ("axi_prot", "axi_cache", "axi_qos", "clock_gating")  # constants at ports; clock gates are not counted


def features(p: SystolicParams) -> dict[str, float]:
    """Sizes; bits of addresses; how many words are in a line, and the products of these: what a choice of one takes.

    A parameter that ``SystolicParams`` gets is among them by itself.
    """
    window = p.window_taps > 0
    line, word, bus = p.line_bytes, max(4 * p.cols, p.bus_bytes), p.bus_bytes
    sizes = {"rows": p.rows, "cols": p.cols, "lanes": p.lanes, "bus_bytes": bus, "line_bytes": line, "word_bytes": word,
             "window_lanes": window * p.window_lanes}
    choices = {"cols/lanes": p.cols // p.lanes, "line/bus": line // bus, "line/rows": line // p.rows, "line/cols": line // p.cols,
               "word/bus": word // bus, "cols/window_lanes": p.cols // p.window_lanes, "line/window_lanes": line // p.window_lanes}
    bytes_of = {"activation": p.activation_bytes, "weight": p.weight_bytes, "accumulator": p.accumulator_bytes,
                "vector": p.vector_bytes, "parameter": p.parameter_bytes}
    words_of = {"act_words": p.act_words, "wgt_words": p.wgt_words, "acc_words": p.acc_words, "vec_words": p.vec_words,
                "par_words": p.par_words, "act_words of cols": p.activation_bytes // p.cols}
    operands = {"x": ("acc_words", "vec_words", "par_words"), "d": ("act_words of cols", "vec_words", "par_words")}  # VECTOR's
    found = {CONSTANT: 1} | sizes | choices
    found |= {f"log {name}": log2(number) for name, number in (sizes | choices | bytes_of | words_of).items() if name != "window_lanes"}
    found["log window_lanes"] = log2(p.window_lanes)
    found |= {f"log words of {name}": max(log2(words_of[w]) for w in words) for name, words in operands.items()}
    for name, domain in SystolicParams.domains().items():
        if name not in sizes and name not in _NO_CELLS and not name.endswith("_bytes") and name != "bus_bits":
            number = getattr(p, name)
            found[name] = number
            if domain.power_of_two:
                found[f"log {name}"] = log2(number)
            if domain.high == 1:
                found |= {f"{name}*{size}": number * sizes[size] for size in ("rows", "cols")}
    found |= {f"{size}*log {choice}": sizes[size] * log2(choices[choice]) for size in sizes for choice in choices}
    transposable = SystolicArray.transposable(p.rows, p.cols)
    found |= {"window": window, "window*line_bytes": window * line, "window_lanes*window_taps": sizes["window_lanes"] * p.window_taps,
              "window_taps is 4": p.window_taps == 4,
              "cols/lanes is 4": choices["cols/lanes"] == 4, "transposable": transposable, "transposable*rows": transposable * p.rows,
              "transposable*cols": transposable * p.cols, "rows^2": p.rows**2, "cols^2": p.cols**2, "rows*cols": p.rows * p.cols,
              "bus_bytes*log bus_bytes": bus * log2(bus)}
    return {name: float(number) for name, number in found.items()}
