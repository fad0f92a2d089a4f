"""The flash translation layer, built into this process: random histories, and planted defects that they find."""

from dataclasses import replace

import pytest

from tenon.hw.storage.presets import drive
from tenon.tb.drive.ftl.histories import History, Wrong
from tenon.tb.drive.ftl.library import Cells, build_library

SHAPES = {
    "tiny": replace(drive("tiny"), name="small", blocks=20, spare_percent=40),
    "two units, four dies": replace(drive("dscs8"), name="small4", blocks=20, planes=1, pages=8, spare_percent=45, slots=16),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_histories(shape, tmp_path):
    params = SHAPES[shape]
    library, seen = build_library(params, tmp_path), {}
    for seed in range(1, 14):
        history = History(params, Cells(params, library), seed, unreadable=0.01)
        history.run(8000)
        for what, count in history.seen.items():
            seen[what] = seen.get(what, 0) + count
    assert min(seen.get(what, 0) for what in ("write", "read", "clear", "erased", "failed", "unreadable", "lost", "looked up",
                                              "reset")) > 0, seen


@pytest.mark.parametrize("shape", SHAPES)
def test_power(shape, tmp_path):
    """Nothing that was complete is lost when power goes between operations of dies; some blocks are bad from the factory on."""
    params = SHAPES[shape]
    library = build_library(params, tmp_path)
    for seed in range(1, 4):
        cells = Cells(params, library)
        for superblock in (0, 7):
            cells.spoil(superblock, seed % params.all_dies)
        history = History(params, cells, seed, failures=0, unreadable=0)
        for _ in range(12):
            history.run(1500, whole=history.rng.random() < 0.5)
            history.power()
        history.finish()
        assert history.seen["cut"] > 10 and history.seen["erased"] > 30, history.seen


DEFECTS = {
    "a moved unit over a newer one": ("program.c", "if (point_from(j->block, j->old, unit + 1u)) {",
                                      "point(j->block, unit + 1u);\n    if (j->old != 0u) {"),
    "an erase before hardware has read": ("collect.c", " && !fast_old()", ""),
    "a failed page that is believed": ("program.c", "        if (status == DRIVE_UNIT_GOOD) {\n            unit_programmed",
                                       "        if (status != 99u) {\n            unit_programmed"),
    "a lost unit that is passed on": ("ftl.c", "unit_ended(c, status != DRIVE_UNIT_GOOD);", "unit_ended(c, false);"),
    "buffers that are given away by a reset": ("ftl.c", "while (reads != 0u || program_busy()) {", "while (program_busy()) {"),
}


def test_a_moved_unit_is_not_newer(tmp_path):
    """What collection moves keeps its sequence: else it would win over what was written meanwhile, at the next power on."""
    params = SHAPES["tiny"]
    library = build_library(params, tmp_path, change=("program.c", "p->units[i].moved ? p->units[i].sequence : sequence++", "sequence++"))
    with pytest.raises(Wrong):
        for seed in range(1, 60):
            history = History(params, Cells(params, library), seed, failures=0, unreadable=0)
            for _ in range(6):
                history.run(3000, whole=False)
                history.power()
            history.finish()


@pytest.mark.parametrize("defect", DEFECTS)
def test_defects_are_found(defect, tmp_path):
    params = SHAPES["tiny"]
    library = build_library(params, tmp_path, change=DEFECTS[defect])
    with pytest.raises(Wrong):
        for seed in range(1, 30):
            History(params, Cells(params, library), seed, failures=4, unreadable=0.01).run(20_000)
