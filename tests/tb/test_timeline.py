"""Timelines: spans, waits, token levels, windows of beats."""

from tenon.acg.encoding import Header
from tenon.tb.timeline import Span, Wait, Windows, busy_intervals, idle_waits, merged, token_levels


def span(index, granted, begun, done, released=None):
    return Span(index, "E", granted, begun, done if released is None else released, done)


def test_overlapping_instructions_share_no_cycle():
    spans = [span(0, 1, 2, 10), span(1, 4, 5, 14), span(2, 19, 20, 25)]
    assert [(b, e) for _, b, e in busy_intervals(spans)] == [(2, 10), (10, 14), (20, 25)]


def test_why_an_engine_is_idle():
    spans = [span(0, 3, 4, 10), span(1, 17, 18, 20)]
    waits = idle_waits("E", spans, [2, 15], 30)
    assert [(w.cause, w.begin, w.end, w.index) for w in waits] == [
        ("empty", 0, 2, None), ("token", 2, 3, 0), ("empty", 10, 15, None), ("token", 15, 17, 1), ("empty", 20, 30, None)]


def test_short_pauses_do_not_end_a_wait():
    waits = [Wait("E", "bank", at, at + 1, 1) for at in (0, 2, 4, 100)]
    assert merged(waits) == [Wait("E", "bank", 0, 5, 3), Wait("E", "bank", 100, 101, 1)]
    ours = [Wait("E", "token", 0, 2, 2, 7), Wait("E", "token", 3, 5, 2, 8)]
    assert merged(ours) == ours, "different instructions waited"


def test_levels_of_tokens():
    headers = [Header(done=0b1), Header(release=0b1, done=0b10), Header(waits=0b1), Header(waits=0b11)]
    spans = [span(0, 1, 2, 10), span(1, 2, 3, 20, released=8), span(2, 8, 9, 12), span(3, 20, 21, 30)]
    levels, latest = token_levels(spans, headers)
    assert levels == [(8, 0, 1), (9, 0, 0), (10, 0, 1), (20, 1, 1), (21, 0, 0), (21, 1, 0)]
    assert latest == {2: 1, 3: 1}


def test_beats_fall_into_windows():
    windows = Windows(16)
    windows.add(20, 8, False)
    windows.add(40, 2, True)
    assert windows.rows() == ((0, 4, 0), (16, 4, 0), (32, 0, 2))
