"""Clause by clause: what the specifications demand, seen by a host."""

import pytest

from tenon.hw.storage.presets import drive
from tenon.tb.drive.scenarios.clauses import CLAUSES
from tenon.tb.drive.system import run_drive

pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module", params=["tiny", "dscs8"])
def found(request):
    return run_drive(drive(request.param), "tenon.tb.drive.scenarios.clauses:run_clauses", arguments={"config": request.param})


def test_every_clause(found):
    assert found["tried"] == [clause.name for clause in CLAUSES] and len(set(found["tried"])) == len(CLAUSES)
    assert not found["broken"], "\n".join(f"{name}\n{text}" for name, text in found["broken"].items())
