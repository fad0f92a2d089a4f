"""Measurements of an interrupted benchmark: kept as long as the sources are the same, and never when they failed."""

import pytest

from tenon.flows.bench import kept as module
from tenon.flows.bench.kept import kept


def test_the_same_sources_measure_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TENON_CACHE", str(tmp_path))
    calls = []

    def measure(value, more=0):
        calls.append(value)
        return {"found": value + more}

    assert kept("a", measure, 1, more=2) == kept("a", measure, 1, more=2) == {"found": 3}
    assert kept("b", measure, 2) == {"found": 2}
    assert calls == [1, 2]
    monkeypatch.setattr(module, "_version", lambda: "others")
    assert kept("a", measure, 1) == {"found": 1} and calls == [1, 2, 1]


def test_what_failed_is_measured_again(tmp_path, monkeypatch):
    monkeypatch.setenv("TENON_CACHE", str(tmp_path))
    with pytest.raises(ZeroDivisionError):
        kept("a", lambda: 1 // 0)
    assert kept("a", lambda: 7) == 7 and not list(tmp_path.rglob("*.partial"))


def test_sources_count_and_nothing_else(tmp_path, monkeypatch):
    def version():
        module._version.cache_clear()
        return module._version()

    monkeypatch.setattr(module, "_ROOT", tmp_path)
    (tmp_path / "hw").mkdir()
    (tmp_path / "hw" / "a.py").write_text("1")
    before = version()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("x")
    assert version() == before
    (tmp_path / "hw" / "a.py").write_text("2")
    assert version() != before
    module._version.cache_clear()
