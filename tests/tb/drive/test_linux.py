"""Stock Linux with the drive as its disk. The kernel takes minutes to build: without one in the cache these tests are skipped."""

import base64
from pathlib import Path

import pytest

from tenon.flows.comparison import compare
from tenon.flows.drive.run import prepare_drive, results_of
from tenon.flows.drive.script import OUTPUTS_BEGIN, OUTPUTS_END, plan_script
from tenon.flows.run import prepare
from tenon.hw.storage.presets import drive
from tenon.tb.drive.uml import run_linux
from tenon.tb.drive.uml.kernel import missing, present

pytestmark = [pytest.mark.rtl, pytest.mark.linux,
              pytest.mark.skipif(not present(), reason=f"no kernel in the cache ({', '.join(missing()) or 'tenon drive linux builds it'})")]

SCRIPTS = Path(__file__).parents[3] / "tb" / "drive" / "uml" / "scripts"


def test_file_system_and_blocks_twice_alike():
    runs = [run_linux(drive("tiny"), (SCRIPTS / "filesystem.sh").read_text()) for _ in range(2)]
    for found in runs:
        assert found.status == 0, found.text
        assert all(line in found.text for line in ("files: equal", "fsck: clean", "fio: errors 0"))
        assert "Tenon drive" in found.text and "CSTS" not in found.text
    assert len({(found.cycles, found.simulated_ns) for found in runs}) == 1, "runs differ"


def test_digits_by_nvme(tmp_path):
    params = drive("dscs8")
    job = prepare("zoo:digits", params.accelerator, runs=10)
    image, plan, inputs, _ = prepare_drive(job, params, first_block=5)
    found = run_linux(params, plan_script(plan, image, inputs, tmp_path, first_block=5))
    assert found.status == 0, found.text
    outputs = base64.b64decode(found.text.partition(OUTPUTS_BEGIN)[2].partition(OUTPUTS_END)[0])
    compiled = job.compiled
    results = results_of(compiled.program, plan, outputs, 10)
    comparison, _ = compare(compiled.program, compiled.graph, compiled.model, job.feeds, results)
    assert comparison.passed and comparison.total.elements == 100, comparison


def test_a_failing_script_has_its_status():
    found = run_linux(drive("tiny"), "echo begun\nnvme io-passthru /dev/ng0n3 --opcode=1 --namespace-id=3 --cdw2=0x10000\nexit 7\n")
    assert found.status == 7 and "begun" in found.text and "0x418d" in found.text.lower(), found.text
