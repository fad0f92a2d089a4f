# amaranth: UnusedElaboratable=no
"""Spaces from files: what varies, what follows what, what is refused in which words."""

import itertools

import numpy as np
import pytest

from tenon.flows.area_model import area_model, area_number
from tenon.flows.explore.space import Relative, read_space
from tenon.hw.params import ParameterError
from tenon.hw.presets import preset


@pytest.fixture
def read(tmp_path):
    def reading(text):
        path = tmp_path / "space.toml"
        path.write_text(text)
        return read_space(path)

    return reading


SMALL = """
preset = "edge8"
rows = [4, 8, 16]
cols = "rows"
lanes = ["cols", "cols / 4"]
bus_bits = {low = 32, high = 128}
activation_bytes = [8192, 32768]
weight_bytes = "activation_bytes"
"""


def test_values_lists_ranges_and_relations(read):
    space = read(SMALL)
    assert [a.name for a in space.axes] == ["rows", "lanes", "bus_bits", "activation_bytes"]
    assert space.sizes == (3, 2, 3, 2) and space.size == 36
    assert space.axes[1].options == (Relative("cols"), Relative("cols", 1, 4)) and space.axes[2].options == (32, 64, 128)
    params = space.params((2, 1, 0, 1))
    assert (params.rows, params.cols, params.lanes, params.bus_bits) == (16, 16, 4, 32)
    assert params.weight_bytes == params.activation_bytes == 32768
    assert params.parameter_bytes == preset("edge8").parameter_bytes


def test_a_range_of_integers_goes_by_one(read):
    assert read("window_taps = {low = 1, high = 4}").axes[0].options == (1, 2, 3, 4)


def test_lanes_follow_cols_unless_they_are_said(read):
    assert read('preset = "edge8"\nrows = [4, 16]\ncols = "rows"').params((1,)).lanes == 16


def test_the_same_hardware_has_the_same_name_in_every_space(read):
    first = read('preset = "edge8"\nrows = [4, 8]').params((1,))
    second = read('preset = "edge8"\nqueue_depth = [8, 16]\nrows = 8').params((0,))
    assert first == second and first.name != read('preset = "edge8"\nrows = [4, 8]').params((0,)).name


def test_every_valid_point_is_listed_and_drawn(read):
    space = read('preset = "edge8"\nrows = [4, 8, 128]\ncols = [8, 16]\nlanes = [2, 8, 16]\nactivation_bytes = [1024, 65536]')
    everything = set(itertools.product(*(range(n) for n in space.sizes)))
    valid = {c for c in everything if space.valid(c)}
    assert set(space.listed) == valid and 0 < len(valid) < len(everything)
    rng = np.random.default_rng(1)
    assert {space.draw(rng) for _ in range(300)} == valid


def test_neighbours_differ_by_one_option_of_at_most_two_axes(read):
    space = read(SMALL)
    for choice in space.listed:
        near = list(space.near(choice))
        assert len(set(near)) == len(near) and choice not in near and all(space.valid(c) for c in near)
        assert all(sum(map(abs, np.subtract(c, choice))) <= 2 and max(map(abs, np.subtract(c, choice))) == 1 for c in near)
    assert len(list(space.near((1, 0, 1, 0)))) == 6 + 2 * 1 + 4 + 2 + 2 + 1 + 2


def test_limits_leave_out_what_the_area_model_says_is_too_large(read):
    free = read(SMALL)
    area = {c: area_model().predict(free.params(c)).total.counts for c in free.listed}
    most = sorted(area_number(counts) for counts in area.values())[len(area) // 2]
    assert set(read(SMALL + f"limit.area = {most}").listed) == {c for c, counts in area.items() if area_number(counts) <= most}
    assert set(read(SMALL + "limit.MULT18 = 100").listed) == {c for c, counts in area.items() if counts["MULT18"] <= 100}


def test_the_signature_changes_with_what_points_mean(read):
    changes = ["", "limit.LUT4 = 1e9", "clock_mhz = 500", "queue_depth = 16", "queue_depth = [8, 16]"]
    assert len({read(SMALL + change).signature for change in changes}) == len(changes)


@pytest.mark.parametrize("text, says", [
    ("rows = [8, 16", "is not TOML"),
    ("", "nothing varies: give a parameter a list of values"),
    ("rows = 8", "nothing varies"),
    ('preset = "edge9"\nrows = [8, 16]', "preset must be one of tiny"),
    ("row = [8, 16]", "'row' is not a parameter that can be explored; did you mean 'rows'?"),
    ("name = [\"a\", \"b\"]", "'name' is not a parameter that can be explored"),
    ("rows = [8, 12]", "rows must be a power of two in 4..128, not 12"),
    ("rows = [8, 8]", "rows: must list different values"),
    ("rows = []", "rows: must list different values"),
    ("rows = [8, true]", "rows must be a power of two in 4..128, not True"),
    ("rows = {low = 8}", "rows: a range is {low = 4, high = 128}"),
    ("rows = {low = 16, high = 8}", "rows: low must be at most high"),
    ("rows = {low = 6, high = 8}", "rows must be a power of two in 4..128, not 6"),
    ('rows = [8, 16]\ncols = "rowz"', "cols: 'rowz' must be another parameter"),
    ('rows = [8, 16]\ncols = "rows / 0"', "cols: 'rows / 0' must be another parameter"),
    ('rows = "cols"\ncols = ["rows", 8]', "follows a parameter that follows"),
    ("rows = [8, 16]\nlimit.LUT5 = 3", "limit.LUT5 is not known; limits are area, LUT4"),
    ("rows = [8, 16]\nlimit.LUT4 = 0", "limit.LUT4 must be a number above 0"),
    ("rows = [8, 16]\nlimit = 3", "limit must be a table"),
    ("rows = [8, 16]\nclock_mhz = 0", "clock_mhz must be a number in 1..10000"),
    ("rows = [8, 16]\ncols = 8\nlanes = 32", "no point of the space is valid: lanes must be cols, a half or a quarter"),
    ('rows = [8, 16]\nqueue_depth = "cols / 3"', "no point of the space is valid: queue_depth: cols / 3 is no integer where cols is 16"),
    ("rows = [8, 16]\nlimit.LUT4 = 10", "no point of the space is valid: by the area model, none is within the limits"),
])
def test_what_is_refused_is_refused_in_a_line(read, text, says):
    with pytest.raises(ParameterError, match="space.toml: ") as caught:
        read(text)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ParameterError, match="cannot be read: No such file"):
        read_space(tmp_path / "none.toml")
