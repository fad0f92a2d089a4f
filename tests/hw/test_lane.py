# amaranth: UnusedElaboratable=no
"""One lane of the VECTOR chain in simulation, element by element against exact integers."""

import random
from collections import Counter

import numpy as np
import pytest
from amaranth.hdl import Module, Signal

from tenon.hw import emit
from tenon.hw.delay import delay
from tenon.hw.lane import Lane
from tenon.hw.reduction import Reduction
from tenon.tb.models import vector as model
from tenon.tb.stream import Stream
from tenon.tb.vector_fields import random_chain

TABLES, LINE = 2, 16
NUMBERS = ("par", "reciprocal", "root")
ONE, MINUS_ZERO, MINUS_INFINITY = 0x3F800000, 0x80000000, 0xFF800000


@pytest.fixture(scope="module")
def lane():
    return Stream(Lane(partials=16, table_bytes=256 * TABLES, line_bytes=LINE))


def settings(f):
    """The slots' settings that mean what the fields say."""
    bypass1, bypass2 = f["f1"] in ("bypass", "add"), f["f2"] == "bypass"
    neutral1, neutral2 = f["f1"] in ("bypass", "mul"), f["f2"] in ("bypass", "mul")
    return {
        "convert": {"zero": f["zx"]},
        "scale": {"by_lane": f["s_sel"] == "lanes", "value": f["s_value"]},
        "number": {"used": f["x_sel"] in NUMBERS, "reciprocal": f["x_sel"] == "reciprocal", "root": f["x_sel"] == "root"},
        "round": {"offset": f["rc_off"]}, "round_bounds": {"low": f["rc_lo"], "high": f["rc_hi"]}, "rounds": {"enable": f["rc"]},
        "reduce": {"maximum": f["reduce"] == "max"},
        "convert_y": {"used": f["y_sel"] != "none", "signed": f["y_sel"] == "i8",
                      "zero": f["zy"] if f["y_sel"] != "none" else 0},
        "select1": {"swap": f["swap"], "times_y": f["f1"] == "mul", "plus_y": f["f1"] == "add"},
        "constants1": {"p": ONE if bypass1 else f["f1_p"], "q": MINUS_ZERO if neutral1 else f["f1_q"]},
        "select2": {"cross": f["f2"] == "cross", "times_y": f["f2"] == "mul"},
        "constants2": {"p": ONE if bypass2 else f["f2_p"], "q": MINUS_ZERO if neutral2 else f["f2_q"]},
        "bound": {"with_y": f["mm"] == "maxy", "p": MINUS_INFINITY if f["mm"] == "bypass" else f["mm_p"]},
        "extreme": {"minimum": f["mm"] == "min"},
        "output": {"offset": f["post"]}, "output_bounds": {"low": f["lo"], "high": f["hi"]},
        "table": {"enable": f["table"], "number": f["t"]},
    }


def random_elements(rng, count):
    """(fields, x, y, scale, index, first, last), or None for an idle cycle, as an instruction might issue them."""
    elements = []
    while len(elements) < count:
        f = random_chain(rng, tables=TABLES)
        indices, rounds = rng.randint(1, 16), rng.choice((1, 1, 2, 3, 5))
        for q in range(rounds):
            for i in range(indices):
                while rng.random() < 0.1:
                    elements.append(None)
                byte = rng.randrange(256)
                x = {"acc": rng.randint(-2**rng.randint(1, 31), 2**15), "u8": byte, "i8": byte - 256 * (byte > 127)}
                x |= dict.fromkeys(NUMBERS, random_chain(rng, tables=1)["f1_q"])
                scale = f["s_value"] if f["s_sel"] == "scalar" else random_chain(rng, tables=1)["s_value"]
                elements.append((f, x[f["x_sel"]], rng.randrange(256), scale, i, q == 0, q == rounds - 1))
            idle = Reduction.round_trip - indices if q < rounds - 1 else 0
            elements += [None] * idle
    return elements


@pytest.mark.rtl
def test_chain(lane):
    rng = random.Random(1)
    table = rng.randbytes(256 * TABLES)
    elements = random_elements(rng, 60_000)
    start = len(table) // LINE  # the tables are written first
    length = start + len(elements) + Lane.latency
    columns = {"now": np.arange(length) % Lane.NOW}

    def put(port, cycle, value):
        columns.setdefault(port, np.zeros(length, np.int64))[cycle] = value

    columns["tab_data"] = np.zeros((length, LINE // 4), np.int64)
    for line in range(start):
        put("tab_en", line, 1)
        put("tab_addr", line, line)
        put("tab_mask", line, 2**LINE - 1)
        columns["tab_data"][line] = np.frombuffer(table[LINE * line:LINE * (line + 1)], "<u4")
    wide = {name: np.zeros((length, 2), np.int64) for name in ("constants1", "constants2", "scale", "bound")}
    columns |= {f"slot_{name}": words for name, words in wide.items()}

    expected, partials, reached = [], {}, Counter()
    for number, element in enumerate(elements, start):
        if element is None:
            continue
        f, x, y, scale, index, first, last = element
        put(*(("number", number + Lane.at["number"]) if f["x_sel"] in NUMBERS else ("x", number)), x)
        put("y", number, y)
        put("s", number + Lane.at["scale"], scale)
        put("first", number + Lane.at["first"], first)
        put("read_index", number + Lane.at["read_index"], index)
        put("write_index", number + Lane.at["write_index"], index)
        put("write", number + Lane.at["write"], 1)
        for name, values in settings(f).items():
            bits = Lane.SLOTS[name].const(values).as_bits()
            cycle = number + Lane.at[name]
            if name in wide:
                wide[name][cycle] = bits & 0xFFFFFFFF, bits >> 32
            else:
                put(f"slot_{name}", cycle, bits)
        value = model.reduce(f, None if first else partials[index], model.before_reduction(f, x, scale))
        partials[index] = value
        if last:
            signed_y = y - 256 * (f["y_sel"] == "i8" and y > 127)
            byte = model.after_reduction(f, value, signed_y, table)
            wide_result = f["d_sel"] == "par"
            expected.append(("word", number + Lane.at["word"], byte, element) if wide_result
                            else ("o", number + Lane.latency, byte, element))
            saturated = wide_result or byte in (f["lo"] & 255, f["hi"] & 255) and not f["table"]
            reached[f["f1"], f["f2"], f["mm"], "saturated" if saturated else "free"] += 1

    got = lane.run(columns)
    for port, cycle, result, element in expected:
        assert got[port][cycle] == result, f"cycle {cycle}: {port} is {got[port][cycle]}, not {result}, for {element}"
    forms = {key[:3] for key in reached}
    assert len(forms) == 4**3, "a combination of forms never occurred"
    assert sum(n for key, n in reached.items() if key[3] == "free") > 8000
    assert len({result for port, _, result, _ in expected if port == "o"}) == 256


@pytest.mark.rtl
def test_neighbours_may_belong_to_different_instructions(lane):
    """Every element takes its own settings along: two alternate, cycle by cycle."""
    rng = random.Random(2)
    both = [random_chain(rng, tables=TABLES) | {"f1": form, "table": 0, "x_sel": "acc", "y_sel": "u8", "s_sel": "scalar", "d_sel": "vec"}
            for form in ("affine", "add")]
    length = 200 + Lane.latency
    columns, expected = {"now": np.arange(length) % Lane.NOW}, []
    for number in range(200):
        f, x, y = both[number % 2], rng.randint(-100, 100), rng.randrange(256)
        columns.setdefault("x", np.zeros(length, np.int64))[number] = x
        columns.setdefault("y", np.zeros(length, np.int64))[number] = y
        columns.setdefault("first", np.zeros(length, np.int64))[number + Lane.at["first"]] = 1
        for name, values in settings(f).items():
            bits = Lane.SLOTS[name].const(values).as_bits()
            port = columns.setdefault(f"slot_{name}", np.zeros((length, 2), np.int64))
            port[number + Lane.at[name]] = bits & 0xFFFFFFFF, bits >> 32
        expected.append(model.after_reduction(f, model.before_reduction(f, x, f["s_value"]), y, b""))
    columns = {name: port if port.ndim == 1 or Lane.SLOTS[name.removeprefix("slot_")].size > 32 else port[:, 0]
               for name, port in columns.items()}
    got = lane.run(columns)["o"][Lane.latency:][:200]
    assert got.tolist() == expected


def test_registers_have_no_reset():
    """A lane holds data alone; resets would cost a third of the simulation speed, and area."""
    text = emit.verilog(Lane(partials=16, table_bytes=256, line_bytes=4), "lane")
    assert "always @(posedge clk)" in text
    assert "if (rst)" not in text


def test_multiply_add_is_emitted_once():
    text = emit.verilog(Lane(partials=16, table_bytes=256, line_bytes=4), "lane")
    assert text.count("module tenon_fused_multiply_add(") == 1
    assert text.count("tenon_fused_multiply_add fma") == 2


def test_delay_rejects_the_future():
    with pytest.raises(ValueError, match=r"^a delay must be at least 0 cycles, not -1$"):
        delay(Module(), Signal(8), -1)
