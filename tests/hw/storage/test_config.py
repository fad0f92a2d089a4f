"""Drives from files: what they say, and one line for what they must not say."""

import pytest

from tenon.hw.domain import ParameterError
from tenon.hw.presets import preset
from tenon.hw.storage.config import load_drive
from tenon.hw.storage.presets import drive


def test_presets_and_files(tmp_path):
    assert load_drive("tiny") == drive("tiny")
    path = tmp_path / "my drive.toml"
    path.write_text('preset = "dscs8"\naccelerator = "edge16"\ndies = 4\n')
    found = load_drive(str(path))
    assert (found.name, found.accelerator, found.dies, found.memory_bits) == ("my_drive", preset("edge16"), 4, 128)
    (tmp_path / "wide.toml").write_text('preset = "edge8"\nrows = 4\n')
    path.write_text('preset = "tiny"\naccelerator = "wide.toml"\n')
    assert load_drive(str(path)).accelerator.rows == 4, "a file beside it"


@pytest.mark.parametrize(("text", "words"), [
    ("dies =", "is not TOML"), ('preset = "huge"', "preset must be one of tiny, dscs8, dscs128, not 'huge'"),
    ("chanels = 2", "'chanels' is not a parameter of StorageParams; did you mean 'channels'"),
    ("dies = 3", "dies must be a power of two"), ('accelerator = "edge9"', "configuration 'edge9' is neither a preset nor a TOML file")])
def test_files_that_say_something_else(tmp_path, text, words):
    path = tmp_path / "drive.toml"
    path.write_text(text)
    with pytest.raises(ParameterError) as refused:
        load_drive(str(path))
    assert str(refused.value).startswith(f"{path}: ") and words in str(refused.value) and "\n" not in str(refused.value)


def test_names_of_nothing():
    with pytest.raises(ParameterError, match="^drive 'dcsc8' is neither a preset nor a TOML file; did you mean 'dscs8'"):
        load_drive("dcsc8")
