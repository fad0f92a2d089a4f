"""ONNX's conformance cases end as the committed page says, and no fault can hide."""

import random
import re
import unittest
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tenon.flows import execution
from tenon.flows.conformance import trial
from tenon.flows.conformance.__main__ import PRESETS
from tenon.flows.conformance.backend import TenonBackend
from tenon.flows.conformance.cases import Case, load_cases
from tenon.flows.conformance.page import page, row, rows_of
from tenon.flows.conformance.trial import judge
from tenon.flows.conformance.verdict import Result, Verdict
from tenon.flows.conformance.workers import verdicts
from tenon.hw.presets import preset

_PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
_SMALL = ("node", "simple", "pytorch-operator", "pytorch-converted")
_PASSED = (Result.EXACT, Result.ONE_STEP)


@pytest.fixture(scope="module")
def cases() -> dict[tuple[str, str], Case]:
    return {(c.kind, c.name): c for c in load_cases(_SMALL)}


def _result(line: str) -> str:
    return line.split(" | ")[1]


def _without_error(line: str) -> list[str]:
    """The error is of floats, and may round otherwise on another processor."""
    cells = line.split(" | ")
    return cells[:2] + cells[3:]


def test_the_page_counts_its_rows():
    text = _PAGE.read_text()
    counts = Counter(_result(line) for line in rows_of(text).values())
    head = re.search(r"\*\*([\d,]+) cases: (.*)\.\*\*", text)
    assert head[2] == ", ".join(f"{counts[r]} {r}" for r in Result)
    assert int(head[1]) == sum(counts.values()) > 2000
    assert (counts["wrong"], counts["crashed"]) == (0, 0)


def test_every_shipped_case_has_a_row(cases):
    assert {key for key in rows_of(_PAGE.read_text()) if key[0] != "light"} == set(cases)


def test_a_sample_ends_as_the_page_says(cases):
    rows, rng = rows_of(_PAGE.read_text()), random.Random(1)
    chosen: list[Case] = []
    for passed in (True, False):  # one of each operator, 30 that passed and 30 others
        of = {}
        for key in rng.sample(sorted(cases), len(cases)):
            if (_result(rows[key]) in _PASSED) is passed:
                of.setdefault(cases[key].operator, cases[key])
        chosen += list(of.values())[:30]
    assert len(chosen) == 60
    for case in chosen:
        found = judge(case, preset(PRESETS[case.kind]))
        assert _without_error(row(found)) == _without_error(rows[case.kind, case.name])


def test_a_wrong_byte_is_a_wrong_case(cases, monkeypatch):
    true = execution._tensors
    monkeypatch.setattr(execution, "_tensors", lambda *a: {n: t ^ np.array(2, t.dtype) for n, t in true(*a).items()})
    for name in ("test_abs", "test_exp", "test_qlinearconv"):
        found = judge(cases["node", name], preset("edge8"))
        assert found.result is Result.WRONG and "instead of" in found.why


def test_a_wrong_output_is_a_wrong_case(cases, monkeypatch):
    true = trial.leave
    monkeypatch.setattr(trial, "leave", lambda *a: [{n: t ^ 1 for n, t in o.items()} for o in true(*a)])
    assert judge(cases["node", "test_qlinearconv"], preset("edge8")).why == "y is 1.0 steps off the reference"


def test_a_traceback_is_a_crash(cases, monkeypatch):
    def broken(*_):
        raise KeyError("lost")

    monkeypatch.setattr(trial, "compile_source", broken)
    found = judge(cases["node", "test_abs"], preset("edge8"))
    assert (found.result, found.why) == (Result.CRASHED, "KeyError in test_conformance.py:broken: 'lost'")


def test_a_handler_that_fails_is_a_crash(cases, monkeypatch):
    from tenon.compiler.frontend.reader import HANDLERS, load_handlers

    load_handlers()
    monkeypatch.setitem(HANDLERS, "Abs", lambda reader, node: {}["lost"])
    found = judge(cases["node", "test_abs"], preset("edge8"))
    assert found.result is Result.CRASHED and found.why.startswith("Abs: it is malformed (KeyError")


def test_a_process_that_dies_or_hangs_is_a_crash(cases):
    missing = Case("test_no_such_case", "simple", "Abs", cases["node", "test_abs"].model, {}, {})
    real = cases["simple", "test_single_relu_model"]
    found = list(verdicts([missing, real], preset("edge8")))
    assert [v.result for v in found] == [Result.CRASHED, Result.EXACT]
    assert found[0].why == "the process died: exit code 1"
    (late,) = verdicts([real], preset("edge8"), seconds=0.01)
    assert (late.result, late.why) == (Result.CRASHED, "no end within 0.01 seconds")


@pytest.mark.parametrize("name, result, why", [
    ("test_identity_sequence", Result.REFUSED, "inputs of type sequence: the accelerator has tensors only"),
    ("test_adam", Result.REFUSED, "training: the accelerator runs inference only"),
    ("test_cast_FLOAT16_to_FLOAT", Result.REFUSED, "inputs of type float16: the accelerator computes with 8-bit integers"),
    ("test_equal", Result.REFUSED, "inputs of type int32: the accelerator computes with 8-bit integers"),
    ("test_constant", Result.REFUSED, "it has no inputs: everything is constant"),
    ("test_add_uint8", Result.FLOAT, "the accelerator would compute nothing: the host would run Add"),
    ("test_convtranspose_output_shape", Result.ONE_STEP, "constant: W"),  # more than the kernel reaches
    ("test_qlinearmatmul_2D_uint8_float32", Result.EXACT,
     "constant: a_scale, a_zero_point, b_scale, b_zero_point, y_scale, y_zero_point"),
])
def test_results_and_reasons(cases, name, result, why):
    found = judge(cases["node", name], preset("edge8"))
    assert (found.result, found.why) == (result, why)


def test_page_of_faults():
    found = [Verdict("test_a", "node", "Abs", Result.WRONG, "y is 3.0 steps off | the reference", 3.0),
             Verdict("test_b", "node", "Abs", Result.CRASHED, "x" * 400)]
    text = page(found, {"node": "edge8"}, "1")
    assert "**2 cases: 0 exact, 0 one step, 0 float, 0 refused, 1 wrong, 1 crashed.**" in text
    assert "| node test_a | wrong | 3.0 | y is 3.0 steps off \\| the reference |" in text
    assert "| Abs | 2 | 0 | 0 | 0 | 0 | 2 | y is 3.0" in text


def test_backend_passes_the_quantised_cases_of_onnx():
    from onnx.backend.test import BackendTest

    result = unittest.TestResult()
    BackendTest(TenonBackend).include(r"^test_qlinear(conv|matmul_.*float32)_cpu$").test_suite.run(result)
    assert result.wasSuccessful(), [text for _, text in (*result.failures, *result.errors)]
    assert result.testsRun - len(result.skipped) == 5
