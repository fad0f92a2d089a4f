"""Properties that are proved in seconds, each beside its bug; and what the checker makes of what is no proof."""

import dataclasses
import subprocess

import pytest

from tenon.tb.formal import checker
from tenon.tb.formal.__main__ import main
from tenon.tb.formal.checker import ModelError, Verdict, check
from tenon.tb.formal.emission import BugError, changed
from tenon.tb.formal.prop import Bug
from tenon.tb.formal.registry import PROPERTIES
from tenon.tb.toolchain import ToolError

QUICK = [prop for prop in PROPERTIES.values() if prop.quick]


@pytest.mark.parametrize("prop", QUICK, ids=lambda p: p.name)
def test_holds_and_its_bug_is_found(prop):
    result = check(prop)
    assert (result.verdict, result.label, result.missed) == (Verdict.PROVED, "", ())
    assert check(prop, bug=True).verdict is Verdict.FAILED


@pytest.mark.parametrize("prop", PROPERTIES.values(), ids=lambda p: p.name)
def test_every_bug_has_its_place(prop):
    assert changed(prop.bug) != ""


def altered(**changes):
    return dataclasses.replace(PROPERTIES["tokens-count"], **changes)


def test_a_bug_without_a_place_is_refused():
    with pytest.raises(BugError, match=r"^planted bug: 'nowhere' must be in hw/tokens\.py once, not 0 times$"):
        check(altered(bug=Bug("hw/tokens.py", "nowhere", "here")), bug=True)


def test_an_observed_register_that_is_not_there_is_refused():
    with pytest.raises(ModelError, match=r"counter9.* is used but has no driver"):
        check(altered(observed={"counter0": 8, "counter1": 8, "counter9": 8}, asserts={"no": "\\dut.counter9 == 0"}))


def test_a_false_assertion_is_named_with_its_cycle():
    result = check(altered(asserts={"holds": "1", "fails": "count0 != 9"}))
    assert (result.verdict, result.label, result.cycle) == (Verdict.FAILED, "fails", 2)


def test_induction_proves_nothing_false():
    # Holds in the first cycles, and does not follow from itself.
    result = check(altered(asserts={"fails": "count0 != 25"}, induction=2))
    assert (result.verdict, result.label, result.cycle) == (Verdict.FAILED, "fails", 4)


def test_a_bound_is_not_exceeded():
    assert check(altered(asserts={"fails": "count0 != 25"}, bound=4, covers={})).verdict is Verdict.PROVED
    assert check(altered(asserts={"fails": "count0 != 25"}, bound=5, covers={})).verdict is Verdict.FAILED


def test_a_part_that_is_cut_off_does_anything():
    prop = PROPERTIES["dispatch-verdict"]
    cut = check(dataclasses.replace(prop, asserts={"never": "\\dut.legality_error != 15"}, covers={}))
    assert (cut.verdict, cut.label) == (Verdict.FAILED, "never")


def test_what_is_proved_and_found_is_counted(capsys):
    assert main(["fifo-order", "skid-order", "--bugs"]) == 0
    assert capsys.readouterr().out.endswith("\n2 of 2 properties proved, 2 of 2 bugs found\n")


@pytest.mark.parametrize(("changes", "said"), [
    ({"covers": {"never": "count0 == 300"}}, "0 of 1 properties proved, 1 of 1 bugs found"),
    ({"asserts": {"weak": "count0 != 300"}, "bound": 2, "covers": {}}, "1 of 1 properties proved, 0 of 1 bugs found"),
], ids=["cover out of reach", "bug not found"])
def test_what_is_not_gives_status_1(monkeypatch, capsys, changes, said):
    monkeypatch.setitem(PROPERTIES, "tokens-count", altered(**changes))
    assert main(["tokens-count", "--bugs"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == said


def test_an_unknown_property_is_refused(capsys):
    assert main(["tokens"]) == 2
    assert capsys.readouterr().err.endswith("not 'tokens'\n")


def test_a_cover_out_of_reach_is_named():
    assert check(altered(covers={"there": "count0 == 3", "never": "count0 == 300"})).missed == ("never",)


def test_a_crash_of_the_checker_is_no_answer(monkeypatch, tmp_path):
    monkeypatch.setattr(checker.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], -11, stdout="Property proved"))
    with pytest.raises(ToolError, match=rf"^yosys-abc was ended by signal 11 in {tmp_path}: pdr$"):
        checker._abc(tmp_path, "asserts", "pdr", 1)


def test_time_that_runs_out_proves_nothing():
    # Without its register the checker can not relate the counter to the model.
    prop = altered(observed={}, asserts={"quiet": "!overflow", "taken0": "!(take0 && count0 == 0)"}, seconds=1)
    assert check(prop).verdict is Verdict.UNKNOWN
