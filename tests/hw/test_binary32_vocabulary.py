"""The vocabulary's binary32 operations against the exact integers that judge the units: both must mean the same."""

import itertools

import numpy as np
import pytest

from tenon.acg.ops import OPS
from tenon.tb.binary32_operands import CORNERS, as_bits, as_float, numbers_to_round, pairs, triples
from tenon.tb.models import binary32 as exact


def check(operation, model, operands, got):
    expected = np.array([model(*bits) for bits in zip(*operands.tolist())], np.int64)
    wrong = np.flatnonzero(got != expected)
    assert not len(wrong), (f"{operation}: {len(wrong)} of {len(got)} differ; {[hex(o[wrong[0]]) for o in operands]} "
                            f"gives {int(got[wrong[0]]):#x}, not {int(expected[wrong[0]]):#x}")


@pytest.mark.parametrize(("operation", "model"), [
    ("add", exact.add), ("mul", exact.multiply), ("max", exact.maximum), ("min", exact.minimum), ("fma", exact.fma)])
def test_arithmetic(operation, model):
    rng = np.random.default_rng(11)
    arity, random = (3, triples) if operation == "fma" else (2, pairs)
    corners = np.array(list(itertools.product(CORNERS, repeat=arity)), np.uint32).T
    operands = np.concatenate([corners, random(rng, 200_000)], axis=1)
    got = as_bits(OPS[operation].meaning(*(as_float(o) for o in operands)))
    check(operation, model, operands, got)


def test_rounding_of_integers():
    values = np.random.default_rng(12).integers(-2**31, 2**31, 100_000).astype(np.int32)
    values >>= np.random.default_rng(13).integers(0, 31, len(values)).astype(np.int32)
    got = as_bits(OPS["f32"].meaning(values))
    check("f32", lambda bits: exact.from_integer(exact.wrap(bits, 32), 0), values.view(np.uint32)[None], got)


def test_rounding_to_integers():
    """Saturation may differ beyond what every clamp takes away."""
    x = numbers_to_round(np.random.default_rng(14), 100_000)
    got = np.clip(OPS["rne"].meaning(as_float(x)), -1024, 1023)
    check("rne", lambda bits: min(max(exact.rne(bits), -1024), 1023), x[None], got)
