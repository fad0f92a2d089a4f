"""Sequencers as plain data that a file can hold."""

from __future__ import annotations

from collections.abc import Sequence

from tenon.acg.encoding import Encoding
from tenon.acg.errors import CovenantError
from tenon.acg.reading import each, name_in, of_keys, whole_in
from tenon.acg.sequencer import Background, PacketSequencer, QueueSequencer, Slot

__all__ = ["sequencer_from", "sequencer_to"]

_MOST, _MOST_BITS = 1 << 20, 1 << 16
_HEADER = "opcode", "waits", "release", "done", "mark"
_QUEUES = "queue_depth", "tokens", "token_limit", "issue_cycles", "marks"
_PACKETS = ("packet_bits", "control", "loops", "loop_count", "loop_packets", "streams", "stream_levels", "granule", "address_bits",
            "offset_bits", "program_packets", "marks")


def sequencer_to(sequencer: QueueSequencer | PacketSequencer) -> dict[str, object]:
    """A sequencer as JSON-able data."""
    if isinstance(sequencer, QueueSequencer):
        return {"kind": "queues", "encoding": _encoding_to(sequencer.encoding), **{key: getattr(sequencer, key) for key in _QUEUES}}
    slots = [{"name": s.name, "units": list(s.units), "offset": s.offset, "encoding": _encoding_to(s.encoding)} for s in sequencer.slots]
    background = [{"unit": b.unit, "depth": b.depth, "encoding": _encoding_to(b.encoding)} for b in sequencer.background]
    return {"kind": "packets", **{key: getattr(sequencer, key) for key in _PACKETS}, "slots": slots, "background": background}


def sequencer_from(data: object) -> QueueSequencer | PacketSequencer:
    """The sequencer that ``sequencer_to`` wrote, or somebody by hand. CovenantError if it is none."""
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind == "queues":
        data = of_keys(data, "the sequencer", ("kind", "encoding", *_QUEUES))
        return QueueSequencer(_encoding_from(data["encoding"], "the encoding", _HEADER), **_numbers(data, _QUEUES))
    if kind == "packets":
        data = of_keys(data, "the sequencer", ("kind", "slots", "background", *_PACKETS))
        return PacketSequencer(slots=each(data, "slots", "the sequencer", _slot_from),
                               background=each(data, "background", "the sequencer", _background_from), **_numbers(data, _PACKETS))
    raise CovenantError(f"kind of the sequencer must be queues or packets, not {kind!r}")


def _numbers(data, keys: Sequence[str]) -> dict[str, int]:
    return {key: whole_in(data, key, "the sequencer", 0 if key == "control" else 1, _MOST) for key in keys}


def _slot_from(data: object) -> Slot:
    data = of_keys(data, "a slot", ("name", "units", "offset", "encoding"))
    name = name_in(data["name"], "a slot")
    return Slot(name, each(data, "units", name, lambda unit: name_in(unit, f"a unit of {name}")),
                whole_in(data, "offset", name, 0, _MOST_BITS), _encoding_from(data["encoding"], f"the encoding of {name}", ("opcode",)))


def _background_from(data: object) -> Background:
    data = of_keys(data, "a background unit", ("unit", "depth", "encoding"))
    unit = name_in(data["unit"], "a background unit")
    return Background(unit, whole_in(data, "depth", unit, 1, _MOST), _encoding_from(data["encoding"], f"the encoding of {unit}", _HEADER))


def _encoding_to(encoding: Encoding) -> dict[str, object]:
    places = {name: [offset, width] for name, offset, width in encoding.header}
    return {"bits": encoding.bits, **places} | ({"address_bits": encoding.address_bits} if encoding.address_bits else {})


def _encoding_from(data: object, what: str, names: Sequence[str]) -> Encoding:
    data, header = of_keys(data, what, ("bits", *names), ("address_bits",)), []
    for name in names:
        place = data[name]
        if not isinstance(place, list) or len(place) != 2 or any(type(n) is not int or not 0 <= n < _MOST_BITS for n in place):
            raise CovenantError(f"{name} of {what} must be [offset, width], not {place!r}")
        header.append((name, *place))
    address_bits = whole_in({"address_bits": 0, **data}, "address_bits", what, 0, 64)
    return Encoding(whole_in(data, "bits", what, 8, _MOST_BITS), tuple(header), address_bits)
