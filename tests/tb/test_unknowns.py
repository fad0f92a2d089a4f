"""Four-state simulation: after reset nothing is unknown but data that nobody has written, and only where data flows."""

import re

import pytest

from tenon.compiler.host import quantise_inputs
from tenon.flows.execution import Simulator, execute
from tenon.flows.run import prepare, run
from tenon.hw.presets import preset
from tenon.tb.waves import Waves

#: Data, which may be anything until it matters: what lanes compute on, the array's operands and sums, words between
#: memories and engines; what the bench's DRAM answers while it has nothing to say; where VECTOR will write, which waits in a
#: memory (that it writes is known); and what a pipeline makes of an instruction that is not there. Every other signal that
#: has a name in the source is known; those without one are parts of expressions, and show in what they are parts of.
_DATA = re.compile(r"\.lane_\d+[._]|\.array[._]|\.element|\.weights\.weight\d+$|_data$|\.turned\d+$"
                   r"|\.r_skid[._](i|o|front|spare)$|[_.](r|b)_?(data|id|resp|last|error)$"
                   r"|[._]vector_(v|act)?_?(addr|mask|grant)$|\.vector\.((v|act)_(addr|mask|grant)|delay_\d+)$"
                   r"|\.legality\.(low|high)$|\.bursts\.runs[._](o|front)$|\.\\\\?\$|\$\d+$")


def unknowns(path):
    """Names of the accelerator's signals with a bit that is unknown after reset; and how many signals there are."""
    names, scope, found = {}, [], set()
    was_reset = running = False
    with path.open() as file:
        for line in file:
            if line.startswith("$var"):
                _, _, _, code, name, *_ = line.split()
                names.setdefault(code, []).append(".".join([*scope, name]))
            elif line.startswith("$scope"):
                scope.append(line.split()[2])
            elif line.startswith("$upscope"):
                scope.pop()
            elif line[0] in "01xzb":
                value, code = (line[1:].split() if line[0] == "b" else (line[0], line[1:].strip()))
                if "tenon_system.rst" in names[code]:
                    was_reset, running = was_reset or value == "1", was_reset and value == "0"
                if running and "x" in value:
                    found.update(n for n in names[code] if n.startswith("tenon_system.dut."))
    return found, len(names)


@pytest.mark.rtl
@pytest.mark.parametrize("model", ["zoo:conv_3x3_8_8_6", "zoo:conv_3x3_8_8_6_dw"])
def test_no_control_is_unknown(icarus, model, tmp_path):
    job = prepare(model, preset("tiny"))
    inputs = [quantise_inputs(job.compiled.graph, feeds) for feeds in job.feeds]
    path = tmp_path / "waves.vcd"
    execute(job.compiled.program, inputs, Simulator.ICARUS, params=job.params, waves=Waves(path))
    found, signals = unknowns(path)
    assert signals > 5000
    assert any(".lane_" in name for name in found), "nothing is unknown: was anything simulated in four states?"
    assert sorted(name for name in found if not _DATA.search(name)) == []


@pytest.mark.rtl
@pytest.mark.parametrize("model", ["zoo:gemm_3x6x5", "zoo:conv_3x3_5_7_6"])
def test_words_that_are_filled_in_part_give_known_results(icarus, model):
    """Reductions that are no multiple of the array's rows: what fills up a word is multiplied by 0."""
    report, _ = run(prepare(model, preset("tiny")), Simulator.ICARUS)
    assert report.comparison.passed and report.comparison.total.mismatches == 0
