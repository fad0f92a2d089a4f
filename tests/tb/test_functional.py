"""Small programs, written by hand, do what numpy says; illegal ones are refused by name."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from tenon.acg.encoding import Header
from tenon.hw.covenant import covenant
from tenon.hw.encoding import ENCODING
from tenon.hw.presets import preset
from tenon.tb.functional import FunctionalSimulator, ProgramError, decode_program

PARAMS = preset("tiny")
GRAPH = covenant(PARAMS)
LOAD, MATRIX, VECTOR, STORE, *_ = GRAPH.mnemonics
MEMORIES = {"ACT": PARAMS.activation_bytes, "WGT": PARAMS.weight_bytes, "ACC": PARAMS.accumulator_bytes,
            "VEC": PARAMS.vector_bytes, "PAR": PARAMS.parameter_bytes, "TAB": 256 * PARAMS.tables}
WHOLE = {"y_lim": 1, "x_lim": 1}  # a guard that lets everything in
END = bytes(128)


def program(*instructions):
    return decode_program(b"".join(ENCODING.encode(m, fields, Header()) for m, fields in instructions) + END, GRAPH)


def segments(**sizes):
    return {name.upper(): np.zeros(size, np.uint8) for name, size in
            {"constants": 64, "arena": 64, "inputs": 64, "outputs": 64, **sizes}.items()}


def gemm(m, scale):
    """4 x 4 weights: y[m] = saturate(round(scale * (x[m] - 3) @ w))."""
    return program(
        (LOAD, {"mem": "act", "seg": "inputs", "n": 4 * m, **WHOLE}),
        (LOAD, {"mem": "wgt", "seg": "constants", "n": 16, **WHOLE}),
        (MATRIX, {"wgt_signed": "on", "za": 3, "n_m0": m, "a_m0": 1, "d_m0": 1}),
        (VECTOR, {"n_o0": m, "x_o0": 1, "d_o0": 1, "s_value": scale, "lo": -128, "hi": 127}),
        (STORE, {"seg": "outputs", "n": 4 * m}),
    )


def test_products_take_one_thread():
    """Threads that wait for each other cost four times the processor time; outside of a run the setting is as it was."""
    threads = []

    def count(*_):
        threads.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")

    with threadpool_limits(2, user_api="blas"):
        before = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
        FunctionalSimulator(MEMORIES).run(gemm(2, 1.0), segments(), trace=count)
        assert before == [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert threads and set(threads) == {1}


def test_a_product_of_matrices():
    rng = np.random.default_rng(1)
    x, w = rng.integers(0, 256, (7, 4), np.uint8), rng.integers(-128, 128, (4, 4), np.int8)
    dram = segments()
    dram["INPUTS"][:28], dram["CONSTANTS"][:16] = x.ravel(), w.ravel().view(np.uint8)
    seen = []
    FunctionalSimulator(MEMORIES).run(gemm(7, 2.0**-8), dram, trace=lambda index, i: seen.append(i.mnemonic.name))
    expected = np.clip(np.rint((x.astype(int) - 3) @ w.astype(int) / 256), -128, 127).astype(np.int8)
    assert np.array_equal(dram["OUTPUTS"][:28].view(np.int8).reshape(7, 4), expected)
    assert len(np.unique(expected)) > 10
    assert seen == ["LOAD", "LOAD", "MATRIX", "VECTOR", "STORE"]


def test_memories_keep_their_contents_between_runs():
    simulator = FunctionalSimulator(MEMORIES)
    dram = segments()
    dram["INPUTS"][:] = np.arange(64)
    simulator.run(program((LOAD, {"mem": "vec", "seg": "inputs", "n": 64, **WHOLE})), dram)
    simulator.run(program((STORE, {"seg": "outputs", "n": 8, "s": 40})), dram)
    assert list(dram["OUTPUTS"][:8]) == list(range(40, 48))


@pytest.mark.parametrize(("instruction", "message"), [
    ((STORE, {"seg": "outputs", "n": 65}), r"^instruction 1: STORE: bytes 0\.\.64 are outside OUTPUTS of 64 bytes$"),
    ((STORE, {"n": 2, "s": PARAMS.vector_bytes - 1}), r"^instruction 1: STORE reads VEC bytes \d+\.\.\d+ of \d+$"),
    ((VECTOR, {"n_q0": 2, "n_i": 17}), r"^instruction 1: VECTOR: n_q1 == 1 and n_q0 == 1 or n_i <= 16$"),
])
def test_illegal_instructions_are_refused(instruction, message):
    with pytest.raises(ProgramError, match=message) as caught:
        FunctionalSimulator(MEMORIES).run(program((STORE, {"n": 4}), instruction), segments())
    assert caught.value.index == 1


def test_undecodable_programs_are_refused():
    with pytest.raises(ProgramError, match="^instruction 1: no instruction has opcode 9$"):
        decode_program(ENCODING.encode(STORE, {}) + b"\x09" + bytes(127) + END, GRAPH)
    with pytest.raises(ProgramError, match="^instruction 1: the program has no END$"):
        decode_program(ENCODING.encode(STORE, {}), GRAPH)
