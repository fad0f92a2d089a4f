"""Slots: what stays on chip, what gives way, and what has to wait."""

from tenon.compiler.lower.slots import Slots


def loads(sequence, count, ahead=2):
    """Units fetched, in order, when ``sequence`` is used step by step with ``count`` slots."""
    uses = {}
    for step, unit in enumerate(sequence):
        uses.setdefault(unit, []).append(step)
    slots = Slots("WGT", [64 * k for k in range(count)], uses)
    fetched, order = 0, []
    for now, unit in enumerate(sequence):
        while fetched < len(sequence) and fetched <= now + ahead:
            wanted = sequence[fetched]
            held = wanted in slots.held
            if not slots.claim(wanted, fetched, now):
                assert fetched > now, "what a step needs always finds room"
                break
            if not held:
                order.append(wanted)
            fetched += 1
        assert slots.base(unit) in slots.bases
        slots.touch(unit, now)
    return "".join(order)


def test_what_fits_is_fetched_once():
    assert loads("abcabcabc", 3) == "abc"


def test_what_does_not_fit_comes_again_but_not_all_of_it():
    assert len(loads("abcdabcdabcd", 3)) == 4 + 2 * 2, "a sweep over one unit more than there are slots misses two, not four"


def test_two_slots_are_a_double_buffer():
    assert loads("abcdef", 2) == "abcdef"


def test_one_slot_is_enough_to_go_on():
    assert loads("abab", 1) == "abab"


def test_a_unit_in_use_is_not_replaced():
    slots = Slots("ACT", [0], {"a": [0], "b": [1]})
    assert slots.claim("a", 0, 0)
    slots.touch("a", 0)
    assert not slots.claim("b", 1, 0)
    assert slots.claim("b", 1, 1)


def test_parts_of_a_unit_are_fetched_as_they_are_needed():
    slots = Slots("ACT", [0], {"a": [0, 1, 2]})
    slots.claim("a", 0, 0)
    assert slots.missing("a", 0, 2) == [(0, 2)]
    assert slots.missing("a", 4, 6) == [(4, 6)]
    assert slots.missing("a", 0, 8) == [(2, 4), (6, 8)]
    assert slots.missing("a", 0, 8) == []
