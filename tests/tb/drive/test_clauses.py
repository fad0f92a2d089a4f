"""Clause by clause, with reads by hardware and by firmware: what the specifications demand, seen by a host. Both answer alike."""

import itertools

import pytest

from tenon.hw.storage.presets import drive
from tenon.tb.drive.scenarios.clauses import CLAUSES
from tenon.tb.drive.system import run_drive

pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module", params=itertools.product(["tiny", "dscs8"], [True, False]), ids="{0[0]}-{0[1]}".format)
def found(request):
    config, fast = request.param
    return run_drive(drive(config), "tenon.tb.drive.scenarios.clauses:run_clauses", arguments={"config": config, "fast": fast})


def test_every_clause(found):
    assert found["tried"] == [clause.name for clause in CLAUSES] and len(set(found["tried"])) == len(CLAUSES)
    assert not found["broken"], "\n".join(f"{name}\n{text}" for name, text in found["broken"].items())


def test_histories():
    params = drive("tiny")
    found = run_drive(params, "tenon.tb.drive.scenarios.histories:histories",
                      arguments={"count": 30, "first_seed": 1, "queues": params.queues, "vectors": params.vectors})
    kinds = ("read", "write", "write_zeroes", "dataset_management", "beyond", "long", "namespace", "fused", "sgl", "offset")
    assert min(found["seen"].get(kind, 0) for kind in kinds) >= 3, found["seen"]
    assert found["hardware_reads"]["fast"] > 30 and found["hardware_reads"]["slow"] == 0
