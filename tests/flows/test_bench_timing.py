"""The bench of compiled timing."""

from tenon.flows.bench import timing


def test_it_counts(monkeypatch):
    found = timing.measure_programs(4)
    assert (found.programs, found.different) == (4, 0) and found.instructions >= 12
    assert timing.measure_network("digits").different == 0
    assert all(rate > 100 for rate in timing.measure_speed("digits").values())
    monkeypatch.setattr(timing, "timing_differences", lambda *_, **__: (True, ["CYCLES 1, not 2"]))
    assert timing.measure_programs(4).different == 4


def test_it_goes_through_the_zoo(monkeypatch, capsys):
    monkeypatch.setattr(timing, "PROGRAMS", 2)
    monkeypatch.setattr(timing, "measure_programs", lambda: timing.Equal(2, 9, 0))
    monkeypatch.setattr(timing, "names", lambda: ["zoo:digits"])
    monkeypatch.setattr(timing, "measure_speed", lambda: {"all": 1.0})
    timing.report(lambda _: None)
    assert "| zoo:digits | " in capsys.readouterr().out
