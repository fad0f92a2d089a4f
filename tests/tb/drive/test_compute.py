"""Programs in the drive: networks over data at rest, and programs that mean harm."""

import numpy as np
import pytest

from tenon.compiler.host import quantise_inputs
from tenon.compiler.image import pack
from tenon.flows.drive.run import run_on_drive
from tenon.flows.execution import Simulator, execute
from tenon.flows.run import prepare
from tenon.hw.storage.presets import drive
from tenon.tb.drive.system import run_drive

pytestmark = pytest.mark.rtl
TINY = drive("tiny")


@pytest.fixture(scope="module")
def job():
    return prepare("zoo:digits", TINY.accelerator, runs=70)


def test_digits_at_rest(job):
    found = run_on_drive(job, TINY)
    assert found.comparison.passed and found.comparison.total.elements == 70 * 10
    assert found.chunk_items == 64, "two chunks, the second one not full"
    steps = {phase.kind: phase.steps for phase in found.phases}
    assert steps == {"copy": 2, "execute": 2, "read": 2}
    told = found.output_bytes + found.command_bytes
    assert told <= found.host_bytes <= told + 8 * sum(steps.values()), "and interrupts"
    assert found.cycles < 1.12 * found.limit_cycles


def test_hostile_programs(job, tmp_path):
    program = job.compiled.program
    memory = program.memory()
    tensors = quantise_inputs(job.compiled.graph, job.feeds[0])
    for name, array in tensors.items():
        program.tensors[name].write(memory, array)
    inputs = memory["INPUTS"].tobytes()
    ran = execute(program, [tensors], Simulator.FUNCTIONAL).tensors[0]
    memory["OUTPUTS"][:] = 0
    for name in program.outputs:
        program.tensors[name].write(memory, ran[name])
    (output,) = program.outputs
    assert program.tensors[output].home.offset == 0, "what is compared are the output's bytes"
    files = {"image": pack(program), "inputs": inputs, "outputs": memory["OUTPUTS"].tobytes()[:ran[output].size]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    found = run_drive(TINY, "tenon.tb.drive.scenarios.hostile:hostile_programs", seed=5,
                      arguments={"config": "tiny", **{name: str(tmp_path / name) for name in files}, "programs": 25,
                                 "arena": int(np.size(memory["ARENA"]))})
    ends = {kind for kind in found["seen"] if kind.startswith("error")}
    assert "refused" in found["seen"] and "success" in found["seen"] and len(ends) >= 2, found["seen"]
