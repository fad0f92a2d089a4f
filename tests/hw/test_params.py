"""Parameters, presets and TOML: what is accepted, and what is said of the rest."""

import pytest

from tenon.hw.config import load_config
from tenon.hw.params import ParameterError, SystolicParams
from tenon.hw.presets import PRESETS, preset


def test_presets_are_what_they_are_called():
    sizes = {name: (p.rows, p.cols, p.lanes, p.bus_bits) for name, p in PRESETS.items()}
    assert sizes == {"tiny": (4, 4, 4, 32), "edge8": (8, 8, 8, 64), "edge8_ecp5": (8, 8, 4, 64), "edge16": (16, 16, 16, 128),
                     "edge16_small": (16, 16, 4, 128), "edge32": (32, 32, 32, 256)}
    with pytest.raises(KeyError, match="known are tiny, edge8"):
        preset("edge9")


@pytest.mark.parametrize(("values", "message"), [
    ({"rows": 3}, r"^rows must be a power of two in 4\.\.128, not 3$"),
    ({"rows": True}, r"^rows must be a power of two in 4\.\.128, not True$"),
    ({"cols": "16"}, r"^cols must be a power of two in 4\.\.128, not '16'$"),
    ({"rwos": 16}, r"^'rwos' is not a parameter of SystolicParams; did you mean 'rows'\?$"),
    ({"frequency": 1}, r"^'frequency' is not a parameter of SystolicParams; known are name, rows"),
    ({"lanes": 2}, r"^lanes must be cols, a half or a quarter of it \(16, 8 or 4\), not 2$"),
    ({"name": "two words"}, r"^name must be an identifier, not 'two words'$"),
    ({"activation_bytes": 2**20, "rows": 4}, r"^activation_bytes must give at most 65536 words, not 262144"),
    ({"weight_bytes": 1024, "rows": 64, "cols": 64}, r"^weight_bytes must hold at least 256 words for this array, not 16$"),
])
def test_refused(values, message):
    with pytest.raises(ParameterError, match=message):
        SystolicParams.from_dict(values)


@pytest.mark.parametrize(("text", "message"), [
    ("rows = ", r"mine\.toml: is not TOML"),
    ("rows = " + 5000 * "9", r"mine\.toml: is not TOML"),
    ("rows = " + 5000 * "[", r"mine\.toml: is not TOML"),
    ("rows = 5", r"mine\.toml: rows must be a power of two"),
    ('preset = "edge17"', r"mine\.toml: preset must be one of tiny, .*, not 'edge17'$"),
    ("colums = 8", r"mine\.toml: 'colums' is not a parameter of SystolicParams; did you mean 'cols'\?$"),
])
def test_files_refused(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=message) as error:
        load_config(path)
    assert "\n" not in str(error.value)


def test_files(tmp_path):
    path = tmp_path / "wide array.toml"
    path.write_text('preset = "edge8"\ncols = 16\nbus_bits = 64\n')
    p = load_config(path)
    assert (p.rows, p.cols, p.lanes, p.name) == (8, 16, 16, "wide_array")
    assert p.activation_bytes == preset("edge8").activation_bytes
    assert load_config("edge16") is preset("edge16")
    with pytest.raises(ParameterError, match="did you mean 'edge16'"):
        load_config("edg16")


def test_round_trip():
    for p in PRESETS.values():
        assert SystolicParams.from_dict(p.to_dict()) == p
