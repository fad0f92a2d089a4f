"""Which statuses a command may end with, from the specification and what the drive says of itself: a second opinion beside firmware's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tenon.hw.storage.nvme.commands import COMMANDS, CommandSet
from tenon.hw.storage.nvme.identify import CNS
from tenon.hw.storage.nvme.logs import Feature, Log
from tenon.hw.storage.nvme.status import Status
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES, StorageParams

__all__ = ["Shape", "statuses"]

_NAMESPACES = {1: CommandSet.NVM, 2: CommandSet.MEMORY, 3: CommandSet.COMPUTE}
_PROGRAM_TYPE, _MOST_RANGES = 0xC0, 3
_ALL = 0xFFFFFFFF
_LOGS = {Log.SUPPORTED, Log.ERROR, Log.SMART, Log.FIRMWARE, Log.EFFECTS, Log.COUNTERS}
_FEATURES = {Feature.ARBITRATION: 0xFFFFFF07, Feature.POWER_MANAGEMENT: 0, Feature.TEMPERATURE_THRESHOLD: 0xFFFF,
             Feature.NUMBER_OF_QUEUES: None, Feature.INTERRUPT_COALESCING: 0xFFFF, Feature.INTERRUPT_VECTOR: 0x1FFFF,
             Feature.WRITE_ATOMICITY: 1, Feature.ASYNC_EVENTS: 0xFFFFFFFF, Feature.COMMAND_SET_PROFILE: None, Feature.FAST_READS: 1}


@dataclass(frozen=True)
class Shape:
    """What a command's statuses depend on beside its fields."""

    queues: Mapping[int, int] = field(default_factory=dict)  # I/O pairs that there are, with their completion queues
    entries: str = ""  # what is wrong with its PRP entries: "offset", "bus" or nothing
    sources: tuple[Mapping[str, int], ...] = ()  # ranges in its data


def statuses(params: StorageParams, admin: bool, fields: Mapping[str, int], shape: Shape) -> set[Status]:
    """Every status that the command may end with: SUCCESS alone, or any of the reasons against it.

    ``fields`` are those of every entry and the command's own; what is missing is zero.
    """

    def get(name: str) -> int:
        return fields.get(name, 0)

    found: set[Status] = set()
    if get("fuse") or get("psdt"):
        found.add(Status.INVALID_FIELD)
    nsid = get("nsid")
    if admin:
        group = CommandSet.ADMIN
    elif nsid in _NAMESPACES:
        group = _NAMESPACES[nsid]
    else:
        return found | {Status.INVALID_NAMESPACE_OR_FORMAT}
    kind = next((c for c in COMMANDS if c.set is group and c.opcode == get("opcode")), None)
    if kind is None and group is not CommandSet.ADMIN and get("opcode") == 0:
        return found or {Status.SUCCESS}  # Flush, of every set
    if kind is None:
        return found | {Status.INVALID_OPCODE}
    rule = _RULES.get(kind.name)
    moves = False
    if rule is not None:
        reasons, moves = rule(params, get, shape)
        found |= reasons
    if moves and shape.entries:
        found.add(Status.PRP_OFFSET_INVALID if shape.entries == "offset" else Status.DATA_TRANSFER_ERROR)
    return found or {Status.SUCCESS}


def _blocks(params, first: int, count: int) -> set[Status]:
    return set() if first + count <= params.units else {Status.LBA_OUT_OF_RANGE}


def _transfer(params, get, shape):
    count = get("nlb") + 1
    return _blocks(params, get("slba"), count) | ({Status.INVALID_FIELD} if count > TRANSFER_PAGES else set()), True


def _write_zeroes(params, get, shape):
    return _blocks(params, get("slba"), get("nlb") + 1), False


def _dataset(params, get, shape):
    if not get("ad"):
        return set(), True
    return set().union(*(_blocks(params, s["slba"], s["nlb"]) for s in shape.sources if s["nlb"])), True


def _bytes(params, get, shape, most=TRANSFER_PAGES * UNIT_BYTES):
    first, size = get("sb"), get("length")
    wrong = first % 4 or size % 4 or first + size > params.slm_bytes or size > most
    return ({Status.INVALID_FIELD} if wrong else set()), size > 0 and not wrong


def _fill(params, get, shape):
    return _bytes(params, get, shape, most=params.slm_bytes)[0], False


def _copy(params, get, shape):
    found, format_, total = set(), get("format"), 0
    if format_ not in (2, 3, 4):
        return {Status.INVALID_FIELD}, True
    target = (get("sdaddr"), get("sdaddr") + get("length"))
    for s in shape.sources:
        if s["snsid"] not in _NAMESPACES:
            found.add(Status.INVALID_NAMESPACE_OR_FORMAT)
        elif _NAMESPACES[s["snsid"]] is not (CommandSet.MEMORY if format_ == 4 else CommandSet.NVM):
            found.add(Status.INCOMPATIBLE_NAMESPACE)
        if format_ == 4:
            total += s["nbyte"]
            if s["saddr"] % 4 or s["nbyte"] % 4 or s["saddr"] + s["nbyte"] > params.slm_bytes:
                found.add(Status.INVALID_FIELD)
            if s["saddr"] < target[1] and target[0] < s["saddr"] + s["nbyte"]:
                found.add(Status.OVERLAPPING_RANGE)
        else:
            total += (s["nlb"] + 1) * UNIT_BYTES
            found |= _blocks(params, s["slba"], s["nlb"] + 1)
    if total != get("length") or get("sdaddr") % 4 or target[1] > params.slm_bytes:
        found.add(Status.INVALID_FIELD)
    return found, True


def _identify(params, get, shape):
    cns, nsid, csi = get("cns"), get("nsid"), get("csi")
    known = nsid in _NAMESPACES
    supported = csi in {s.value for s in _NAMESPACES.values()}
    no_namespace = {Status.INVALID_NAMESPACE_OR_FORMAT}
    wrong: set[Status] = {Status.INVALID_FIELD}
    if cns in (CNS.CONTROLLER, CNS.COMMAND_SETS):
        wrong = set()
    elif cns == CNS.NVM_NAMESPACE:
        wrong = set() if nsid in (1, _ALL) else no_namespace
    elif cns == CNS.ACTIVE_NAMESPACES:
        wrong = no_namespace if nsid >= _ALL - 1 else set()
    elif cns == CNS.ACTIVE_NAMESPACES_OF_SET:
        wrong = (no_namespace if nsid >= _ALL - 1 else set()) | (set() if supported else {Status.INVALID_FIELD})
    elif cns in (CNS.DESCRIPTORS, CNS.INDEPENDENT_NAMESPACE):
        wrong = set() if known else no_namespace
    elif cns == CNS.NAMESPACE_OF_SET:
        wrong = set() if known and _NAMESPACES[nsid] == csi else no_namespace
    elif cns == CNS.CONTROLLER_OF_SET:
        wrong = set() if supported else {Status.INVALID_FIELD}
    return wrong, not wrong


def _get_log(params, get, shape):
    dwords = (get("numdl") | get("numdu") << 16) + 1
    wrong = set()
    if get("lid") not in _LOGS or (get("lid") == Log.EFFECTS and get("csi") not in {s.value for s in _NAMESPACES.values()}):
        wrong.add(Status.INVALID_LOG_PAGE)
    if dwords > UNIT_BYTES // 4 or get("offset") % 4 or get("offset") >= UNIT_BYTES or get("ot"):
        wrong.add(Status.INVALID_FIELD)
    return wrong, not wrong


def _set_features(params, get, shape):
    fid, value = get("fid"), get("value")
    if fid not in list(_FEATURES):
        return {Status.INVALID_FIELD}, False
    wrong = {Status.FEATURE_NOT_SAVEABLE} if get("sv") else set()
    if fid == Feature.COMMAND_SET_PROFILE:
        wrong.add(Status.FEATURE_NOT_CHANGEABLE)
    elif fid == Feature.NUMBER_OF_QUEUES:
        if shape.queues:
            wrong.add(Status.COMMAND_SEQUENCE_ERROR)
        if 0xFFFF in (value & 0xFFFF, value >> 16):
            wrong.add(Status.INVALID_FIELD)
    elif value & ~_FEATURES[Feature(fid)]:
        wrong.add(Status.INVALID_FIELD)
    return wrong, False


def _get_features(params, get, shape):
    return ({Status.INVALID_FIELD} if get("fid") not in list(_FEATURES) or get("sel") > 3 else set()), False


def _create(params, get, shape, exists: bool) -> set[Status]:
    wrong = set()
    if not 1 <= get("qid") <= params.queues or exists:
        wrong.add(Status.INVALID_QUEUE_IDENTIFIER)
    if not 1 <= get("qsize") < params.queue_entries:
        wrong.add(Status.INVALID_QUEUE_SIZE)
    if not get("pc"):
        wrong.add(Status.INVALID_FIELD)
    if get("prp1") % UNIT_BYTES:
        wrong.add(Status.PRP_OFFSET_INVALID)
    return wrong


def _create_cq(params, get, shape):
    wrong = _create(params, get, shape, get("qid") in set(shape.queues.values()))
    return wrong | ({Status.INVALID_INTERRUPT_VECTOR} if get("iv") >= params.vectors else set()), False


def _create_sq(params, get, shape):
    wrong = _create(params, get, shape, get("qid") in shape.queues)
    if not 1 <= get("cqid") <= params.queues:
        wrong.add(Status.INVALID_QUEUE_IDENTIFIER)
    elif get("cqid") not in set(shape.queues.values()):
        wrong.add(Status.COMPLETION_QUEUE_INVALID)
    return wrong, False


def _delete_cq(params, get, shape):
    qid = get("qid")
    if qid not in set(shape.queues.values()):
        return {Status.INVALID_QUEUE_IDENTIFIER}, False
    return {Status.INVALID_QUEUE_DELETION}, False  # its submission queue is there


def _delete_sq(params, get, shape):
    return (set() if get("qid") in shape.queues else {Status.INVALID_QUEUE_IDENTIFIER}), False


def _in_compute(get) -> set[Status]:
    return set() if _NAMESPACES.get(get("nsid")) is CommandSet.COMPUTE else {Status.INVALID_NAMESPACE_OR_FORMAT}


def _load(params, get, shape):
    """Programs are of random bytes: none is ever active."""
    wrong, size, part, at = _in_compute(get), get("psize"), get("numb"), get("loff")
    if get("pind") >= params.program_slots:
        wrong.add(Status.INVALID_PROGRAM_INDEX)
    if get("sel"):
        return wrong | {Status.NO_PROGRAM, Status.SUCCESS}, False  # as was loaded before
    if get("ptype") != _PROGRAM_TYPE:
        wrong.add(Status.INVALID_PROGRAM_TYPE)
    if size > params.program_bytes:
        wrong.add(Status.PROGRAM_TOO_BIG)
    if not part or part % 4 or at % 4 or at + part > size or part > TRANSFER_PAGES * UNIT_BYTES:
        wrong.add(Status.INVALID_FIELD)
    if at:
        wrong |= {Status.INVALID_PROGRAM_DATA, Status.SUCCESS}
    return wrong, not wrong or Status.SUCCESS in wrong


def _activate(params, get, shape):
    wrong = _in_compute(get) | ({Status.INVALID_FIELD} if get("sel") > 1 else set())
    if get("pind") >= params.program_slots:
        wrong.add(Status.INVALID_PROGRAM_INDEX)
    return wrong | ({Status.NO_PROGRAM, Status.INVALID_PROGRAM_DATA} if get("sel") == 1 else {Status.PROGRAM_NOT_ACTIVATED}), False


def _range_set(params, get, shape):
    """Ranges are random, and none of the memory namespace."""
    wrong, select, ranges = _in_compute(get), get("sel"), get("numr")
    if select == 1:
        return wrong | {Status.INVALID_MEMORY_RANGE_SET_IDENTIFIER}, False
    if select > 1:
        return wrong | {Status.INVALID_FIELD}, False
    if not 2 <= ranges <= _MOST_RANGES:
        return wrong | {Status.INVALID_MEMORY_RANGE_SET if ranges < 2 else Status.MAXIMUM_MEMORY_RANGES_EXCEEDED}, False
    return wrong | {Status.INVALID_MEMORY_NAMESPACE}, True


def _execute(params, get, shape):
    """There is no range set."""
    wrong = {Status.INVALID_MEMORY_RANGE_SET_IDENTIFIER}
    if get("pind") >= params.program_slots:
        wrong.add(Status.INVALID_PROGRAM_INDEX)
    if get("numr") or get("dlen"):
        wrong.add(Status.INVALID_FIELD)
    return wrong, False


_RULES = {
    "load_program": _load, "program_activation": _activate, "memory_range_set": _range_set, "execute_program": _execute,
    "read": _transfer, "write": _transfer, "write_zeroes": _write_zeroes, "dataset_management": _dataset,
    "memory_read": _bytes, "memory_write": _bytes, "memory_fill": _fill, "memory_copy": _copy,
    "identify": _identify, "get_log_page": _get_log, "set_features": _set_features, "get_features": _get_features,
    "create_cq": _create_cq, "create_sq": _create_sq, "delete_cq": _delete_cq, "delete_sq": _delete_sq,
}
