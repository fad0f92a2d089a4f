"""What NVMe's specifications demand, clause by clause, each with what a host does to see it."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cocotb.triggers import Timer

from tenon.hw.storage.nvme.commands import COPY_SOURCE_BLOCKS, Namespace, command
from tenon.hw.storage.nvme.entries import COMPLETION, COMPLETION_BYTES
from tenon.hw.storage.nvme.identify import CNS, CONTROLLER, INDEPENDENT_NAMESPACE, NVM_NAMESPACE, DescriptorType
from tenon.hw.storage.nvme.logs import EFFECTS_BYTES, ERROR_ENTRY, EventType, Feature, Log
from tenon.hw.storage.nvme.registers import CONTROLLER_REGISTERS, DOORBELLS, MSIX_PENDING, MSIX_TABLE, MSIX_VECTOR, VERSION
from tenon.hw.storage.nvme.status import Status
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES, StorageParams
from tenon.hw.storage.presets import drive
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Failed, Host, register_offset
from tenon.tb.drive.memory import READ

__all__ = ["CLAUSES", "Clause", "run_clauses"]

_CC = register_offset("cc_en")


@dataclass(frozen=True)
class Clause:
    """A demand: where it is made (of the Base Specification 2.2 if nothing else is said), in our words, and its test."""

    where: str
    says: str
    test: Callable[[Host, StorageParams], Awaitable[None]]

    @property
    def name(self) -> str:
        return self.test.__name__.strip("_")


CLAUSES: list[Clause] = []


def _clause(where: str, says: str):
    def added(test):
        CLAUSES.append(Clause(where, says, test))
        return test
    return added


async def run_clauses(host: Host, *, config: str, fast: bool) -> dict:
    """Every clause from a reset on, with reads by hardware or all by firmware: the traceback of each that does not hold, by name."""
    params, broken = drive(config), {}
    host.settings[Feature.FAST_READS] = int(fast)
    await host.vectors(params.vectors)
    for clause in CLAUSES:
        await host.enable(entries=16)
        try:
            await clause.test(host, params)
        except Exception:  # the next ones are tried all the same
            broken[clause.name] = traceback.format_exc(limit=-3)
    return {"broken": broken, "tried": [clause.name for clause in CLAUSES]}


def _check(condition: object, what: str) -> None:
    if not condition:
        raise Failed(what)


async def _read_block(host, pair, block, count=1):
    buffer = Buffer(host.memory, count * UNIT_BYTES)
    (await host.io(pair, "read", buffer, nsid=1, slba=block, nlb=count - 1)).check()
    data = buffer.data()
    buffer.release()
    return data


async def _write_block(host, pair, block, data, **fields):
    buffer = Buffer(host.memory, len(data)).fill(data)
    (await host.io(pair, "write", buffer, nsid=1, slba=block, nlb=len(data) // UNIT_BYTES - 1, **fields)).check()
    buffer.release()


async def _identify(host, **fields):
    page = Buffer(host.memory, UNIT_BYTES)
    (await host.admin("identify", page, **fields)).check()
    data = page.data()
    page.release()
    return data


_LONG, _TIMES = TRANSFER_PAGES, 8  # blocks of a copy's source; how many sources


def _long_copy(host):
    """The data and fields of a Memory Copy of the first blocks, again and again."""
    source = COPY_SOURCE_BLOCKS.pack(snsid=Namespace.BLOCKS, slba=0, nlb=_LONG - 1)
    return Buffer(host.memory, _TIMES * len(source)).fill(_TIMES * source), {
        "nsid": Namespace.MEMORY, "sdaddr": 0, "length": _TIMES * _LONG * UNIT_BYTES, "format": 2, "nr": _TIMES - 1}


@_clause("3.1.4.1", "CAP says the queues' size, that they are contiguous, how long RDY may take, 4 KiB pages, command sets by Identify")
async def _capabilities(host, params):
    words = [await host.read32(4 * k) for k in range(CONTROLLER_REGISTERS.size // 4)]
    found = CONTROLLER_REGISTERS.unpack(b"".join(word.to_bytes(4, "little") for word in words))
    due = {"cap_mqes": params.queue_entries - 1, "cap_cqr": 1, "cap_dstrd": 0, "cap_css": 0b1000001, "cap_mpsmin": 0, "cap_mpsmax": 0}
    _check(all(found[name] == value for name, value in due.items()) and found["cap_to"] >= 1, f"CAP is {found}")


@_clause("3.1.4.2", "VS says the version")
async def _version(host, params):
    _check(await host.read32(register_offset("vs")) == VERSION, "VS")


@_clause("3.1.4.5, 3.5.1", "CSTS.RDY follows CC.EN, up and down")
async def _ready(host, params):
    await host.ready(1)
    await host.write32(_CC, 0)
    await host.ready(0)


@_clause("3.5.3", "A reset forgets queues and commands; AQA, ASQ and ACQ stay")
async def _reset_forgets(host, params):
    await host.create_pair(1, 8)
    queues = [await host.read32(register_offset("aqa_asqs")), await host.read64(register_offset("asq"))]
    waiting = await host.submit(host.pairs[0], command("async_event_request"))
    await host.write32(_CC, 0)
    await host.ready(0)
    _check(queues == [await host.read32(register_offset("aqa_asqs")), await host.read64(register_offset("asq"))], "AQA and ASQ stay")
    await host.enable()
    _check(waiting.answer is None, "a command from before is not completed")
    await host.create_pair(1, 8)  # there is none of this number


@_clause("3.5.3", "A reset while commands are under way: no access to memory after RDY is 0")
async def _reset_under_way(host, params):
    pair = await host.create_pair(1, 16)
    await _write_block(host, pair, 0, host.memory.random.randbytes(_LONG * UNIT_BYTES))
    buffers = [Buffer(host.memory, 4 * UNIT_BYTES) for _ in range(6)]
    for number, buffer in enumerate(buffers):
        await host.submit(pair, command("read"), buffer, nsid=1, slba=4 * number, nlb=3, ring=False)
    copy, fields = _long_copy(host)
    await host.submit(pair, command("memory_copy"), copy, ring=False, **fields)
    buffers.append(copy)
    await host.ring(pair)
    await Timer(3, "us")
    await host.write32(_CC, 0)
    await host.ready(0)
    for buffer in buffers:
        buffer.release()
    for p in host.pairs.values():
        host.memory.allow(p.completions, p.entries * COMPLETION_BYTES, 0)
    await Timer(100, "us")
    _check(int(host.dut.broken.value) == 0, "memory was accessed after the reset")


@_clause("3.1.4.5", "A page size that is not offered: the controller does not become ready")
async def _page_size(host, params):
    await host.write32(_CC, 0)
    await host.ready(0)
    await host.write32(_CC, 1 | 1 << 7 | 6 << 16 | 4 << 20)
    await Timer(60, "us")
    _check(await host.read32(register_offset("csts_rdy")) & 1 == 0, "RDY is 1")


@_clause("3.6.1", "CC.SHN: CSTS.SHST says that the shutdown is complete")
async def _shutdown(host, params):
    await host.write32(_CC, await host.read32(_CC) | 1 << CONTROLLER_REGISTERS["cc_shn"].low % 32)
    for _ in range(50):
        if await host.read32(register_offset("csts_shst")) >> 2 & 3 == 2:
            return
        await Timer(2, "us")
    raise Failed("SHST does not become 2")


@_clause("3.3.1.2.1", "The phase is inverted at each pass of a completion queue; entries come in order")
async def _phase(host, params):
    pair = await host.create_pair(1, 3)
    for _ in range(8):
        (await host.io(pair, "flush", nsid=1)).check()


@_clause("3.3.1.2", "A completion waits while its queue is full, and comes when there is room")
async def _full_queue(host, params):
    pair = await host.create_pair(1, 4)
    host.pairs.pop(1)  # nobody reads it
    waiting = []
    for _ in range(6):
        pair.head = pair.tail  # since it has been fetched
        waiting.append(await host.submit(pair, command("flush"), nsid=1))
        await Timer(3, "us")
    await Timer(60, "us")
    written = [COMPLETION.unpack(host.memory.read(pair.completions + k * COMPLETION_BYTES, COMPLETION_BYTES))["phase"] for k in range(4)]
    _check(written == [1, 1, 1, 0], f"phases of a full queue are {written}")
    host.pairs[1] = pair
    await host.look()
    for pending in waiting:
        (await host.wait(pending)).check()


@_clause("3.3.1.2", "SQHD tells which entries may be written anew")
async def _submission_head(host, params):
    pair = await host.create_pair(1, 8)
    for _ in range(3):
        (await host.io(pair, "flush", nsid=1)).check()
    _check(pair.head == 3, f"SQHD is {pair.head} after three commands")


@_clause("3.3.1.1", "Doorbells of no queue and values beyond it become events, and change nothing")
async def _doorbells(host, params):
    pair = await host.create_pair(1, 8)
    for index, value, info in ((2 * params.pairs, 0, 0), (2 * pair.index, 8, 1), (2 * pair.index + 1, 3, 1)):
        request = await host.submit(host.pairs[0], command("async_event_request"))
        await host.write32(DOORBELLS + 4 * index, value)
        _check((await host.wait(request)).check().result == EventType.ERROR | info << 8 | Log.ERROR << 16, "the event")
        page = Buffer(host.memory, ERROR_ENTRY.size)
        (await host.admin("get_log_page", page, lid=Log.ERROR, numdl=ERROR_ENTRY.size // 4 - 1)).check()
        page.release()
    (await host.io(pair, "flush", nsid=1)).check()


@_clause("5.1.2", "Event requests beyond the limit are refused; an event is told once until its log has been read")
async def _events(host, params):
    requests = [await host.submit(host.pairs[0], command("async_event_request")) for _ in range(4)]
    (await host.admin("async_event_request")).check(Status.ASYNC_EVENT_LIMIT_EXCEEDED)
    for _ in range(2):
        await host.write32(DOORBELLS + 4 * (2 * params.pairs), 0)
        await Timer(20, "us")
    _check(sum(r.answer is not None for r in requests) == 1, "one event before its log is read")
    page = Buffer(host.memory, ERROR_ENTRY.size)
    (await host.admin("get_log_page", page, lid=Log.ERROR, numdl=ERROR_ENTRY.size // 4 - 1, rae=1)).check()
    await Timer(20, "us")
    _check(sum(r.answer is not None for r in requests) == 1, "RAE keeps the event")
    (await host.admin("get_log_page", page, lid=Log.ERROR, numdl=ERROR_ENTRY.size // 4 - 1)).check()
    await Timer(20, "us")
    _check(sum(r.answer is not None for r in requests) == 2, "the other one after its log was read")


@_clause("5.1.1", "Abort ends an event request; of a command that it does not find it says so")
async def _abort(host, params):
    request = await host.submit(host.pairs[0], command("async_event_request"), cid=77)
    _check((await host.admin("abort", sqid=0, abort_cid=77)).check().result & 1 == 0, "it was aborted")
    (await host.wait(request)).check(Status.ABORT_REQUESTED)
    _check((await host.admin("abort", sqid=0, abort_cid=78)).check().result & 1 == 1, "there was nothing to abort")


@_clause("5.2.1, 5.2.2", "Queues are created with sizes and numbers that are there, contiguous, on pages; a submission queue with a "
         "completion queue")
async def _create(host, params):
    page = host.memory.page()
    base = {"prp1": page, "qid": 1, "qsize": 3, "pc": 1}
    for wrong, status in (({"qid": 0}, Status.INVALID_QUEUE_IDENTIFIER), ({"qid": params.queues + 1}, Status.INVALID_QUEUE_IDENTIFIER),
                          ({"qsize": 0}, Status.INVALID_QUEUE_SIZE), ({"qsize": params.queue_entries}, Status.INVALID_QUEUE_SIZE),
                          ({"pc": 0}, Status.INVALID_FIELD), ({"prp1": page + 64}, Status.PRP_OFFSET_INVALID),
                          ({"iv": params.vectors}, Status.INVALID_INTERRUPT_VECTOR)):
        (await host.admin("create_cq", **{**base, "iv": 0, **wrong})).check(status)
    (await host.admin("create_sq", **base, cqid=1)).check(Status.COMPLETION_QUEUE_INVALID)
    await host.create_pair(1, 4)
    (await host.admin("create_cq", **base)).check(Status.INVALID_QUEUE_IDENTIFIER)
    (await host.admin("create_sq", **base, cqid=1)).check(Status.INVALID_QUEUE_IDENTIFIER)


@_clause("5.2.3, 5.2.4", "A completion queue that a submission queue uses is not deleted; deleting one ends its commands first")
async def _delete(host, params):
    pair = await host.create_pair(1, 16)
    (await host.admin("delete_cq", qid=1)).check(Status.INVALID_QUEUE_DELETION)
    buffers = [Buffer(host.memory, 4 * UNIT_BYTES) for _ in range(5)]
    commands = [await host.submit(pair, command("read"), buffer, nsid=1, slba=0, nlb=3, ring=False) for buffer in buffers]
    await host.ring(pair)
    (await host.admin("delete_sq", qid=1)).check()
    ended = [c.answer for c in commands if c.answer is not None]
    await Timer(60, "us")
    _check([c.answer for c in commands if c.answer is not None] == ended, "nothing is completed behind the deletion")
    _check(all(a.code in ((0, 0), (0, 8)) for a in ended), "they succeed or are aborted")
    (await host.admin("delete_sq", qid=1)).check(Status.INVALID_QUEUE_IDENTIFIER)
    (await host.admin("delete_cq", qid=1)).check()
    for buffer in buffers:
        buffer.release()


@_clause("5.1.13.2.1", "Identify Controller says what other clauses rely on")
async def _controller(host, params):
    found = CONTROLLER.unpack(await _identify(host, cns=CNS.CONTROLLER))
    _check((found["sqes"], found["cqes"]) == (0x66, 0x44), "entry sizes")
    _check(1 << found["mdts"] == TRANSFER_PAGES and found["nn"] >= 2 and found["ver"] == VERSION and found["cntrltype"] == 1, f"{found}")
    text = found["subnqn"].to_bytes(256, "little")
    _check(text.startswith(b"nqn."), "the subsystem's name")


@_clause("5.1.13.2.2", "Active namespaces are those above the given number, in order")
async def _active(host, params):
    for above in (0, 1, 2):
        text = await _identify(host, cns=CNS.ACTIVE_NAMESPACES, nsid=above)
        found = [int.from_bytes(text[4 * k:4 * k + 4], "little") for k in range(5)]
        due = [nsid for nsid in (1, 2, 3) if nsid > above]
        _check(found == due + [0] * (5 - len(due)), f"above {above}: {found}")


@_clause("5.1.13.2.3", "A namespace's descriptors say its command set")
async def _descriptors(host, params):
    for nsid, csi in ((1, 0), (2, 3), (3, 4)):
        text, at, found = await _identify(host, cns=CNS.DESCRIPTORS, nsid=nsid), 0, {}
        while text[at]:
            found[text[at]] = text[at + 4:at + 4 + text[at + 1]]
            at += 4 + text[at + 1]
        _check(found[DescriptorType.COMMAND_SET] == bytes([csi]) and any(found[DescriptorType.NGUID]), f"namespace {nsid}")


@_clause("5.1.13.2.8", "Every namespace says that it is ready, whatever its command set")
async def _independent(host, params):
    for nsid in (1, 2, 3):
        found = INDEPENDENT_NAMESPACE.unpack(await _identify(host, cns=CNS.INDEPENDENT_NAMESPACE, nsid=nsid))
        _check(found["nstat"] & 1, f"namespace {nsid}")


@_clause("NVM 4.1.5.1", "Identify Namespace says blocks and their size")
async def _namespace(host, params):
    found = NVM_NAMESPACE.unpack(await _identify(host, cns=CNS.NVM_NAMESPACE, nsid=1))
    _check(found["nsze"] == found["ncap"] == params.units and 1 << (found["lbaf0"] >> 16 & 0xFF) == UNIT_BYTES, "size")


@_clause("5.1.13", "A structure that is not known is refused, not waited for")
async def _unknown_structure(host, params):
    for cns in (0x09, 0x0A, 0x10, 0x13, 0x1D, 0xFF):
        (await host.admin("identify", cns=cns, nsid=1)).check(Status.INVALID_FIELD)


@_clause("5.1.12", "Get Log Page gives so many dwords from an offset on; unknown logs are refused")
async def _logs(host, params):
    page = Buffer(host.memory, EFFECTS_BYTES)
    (await host.admin("get_log_page", page, lid=Log.EFFECTS, numdl=EFFECTS_BYTES // 4 - 1)).check()
    whole = page.data()
    read = int.from_bytes(whole[1024 + 4 * command("read").opcode:][:4], "little")
    _check(read & 1 and not int.from_bytes(whole[4 * 0x7F:][:4], "little"), "commands that are supported")
    part = Buffer(host.memory, 64)
    (await host.admin("get_log_page", part, lid=Log.EFFECTS, numdl=15, offset=1024)).check()
    _check(part.data() == whole[1024:1088], "a part of it")
    (await host.admin("get_log_page", part, lid=0x7F, numdl=15)).check(Status.INVALID_LOG_PAGE)
    for log, size in ((Log.SMART, 512), (Log.FIRMWARE, 512), (Log.ERROR, 64), (Log.SUPPORTED, 1024)):
        buffer = Buffer(host.memory, size)
        (await host.admin("get_log_page", buffer, lid=log, numdl=size // 4 - 1)).check()


@_clause("5.1.25", "Features keep what was set until a reset; what cannot be changed or kept is refused")
async def _features(host, params):
    default = (await host.admin("get_features", fid=Feature.TEMPERATURE_THRESHOLD)).check().result
    (await host.admin("set_features", fid=Feature.TEMPERATURE_THRESHOLD, value=0x140)).check()
    _check((await host.admin("get_features", fid=Feature.TEMPERATURE_THRESHOLD)).check().result == 0x140, "what was set")
    _check((await host.admin("get_features", fid=Feature.TEMPERATURE_THRESHOLD, sel=1)).check().result == default, "the default")
    (await host.admin("set_features", fid=Feature.TEMPERATURE_THRESHOLD, value=0x140, sv=1)).check(Status.FEATURE_NOT_SAVEABLE)
    (await host.admin("set_features", fid=0x7B)).check(Status.INVALID_FIELD)
    await host.enable()
    _check((await host.admin("get_features", fid=Feature.TEMPERATURE_THRESHOLD)).check().result == default, "after a reset")


@_clause("5.1.25.1.6", "The number of queues is told, and cannot be asked for once there are some")
async def _number_of_queues(host, params):
    due = params.queues - 1
    _check((await host.admin("set_features", fid=Feature.NUMBER_OF_QUEUES, value=0x00FF00FF)).check().result == due << 16 | due, "offered")
    await host.create_pair(1, 4)
    (await host.admin("set_features", fid=Feature.NUMBER_OF_QUEUES, value=0)).check(Status.COMMAND_SEQUENCE_ERROR)


@_clause("3.3.3.2, 4.3", "Commands with a fused part or with an SGL are refused: neither is supported")
async def _fused(host, params):
    pair = await host.create_pair(1, 4)
    (await host.io(pair, "flush", nsid=1, fuse=1)).check(Status.INVALID_FIELD)
    (await host.io(pair, "flush", nsid=1, psdt=1)).check(Status.INVALID_FIELD)


@_clause("4.3.1", "Data are where PRP entries say: offsets, lists anywhere in a page, lists of lists; other entries are refused")
async def _prp(host, params):
    pair = await host.create_pair(1, 4)
    for count in (1, 2, 3, TRANSFER_PAGES):
        for offset in (0, 4, UNIT_BYTES - 4):
            data = host.memory.random.randbytes(count * UNIT_BYTES)
            buffer = Buffer(host.memory, len(data), offset=offset).fill(data)
            (await host.io(pair, "write", buffer, nsid=1, slba=0, nlb=count - 1)).check()
            buffer.release()
            _check(await _read_block(host, pair, 0, count) == data, f"{count} blocks at offset {offset}")
    buffer = Buffer(host.memory, UNIT_BYTES, offset=0)
    (await host.io(pair, "read", buffer, nsid=1, prp1=buffer.prp1 + 2)).check(Status.PRP_OFFSET_INVALID)


@_clause("4.3.1", "Memory that does not answer: Data Transfer Error, and the queue goes on")
async def _transfer_error(host, params):
    pair = await host.create_pair(1, 4)
    (await host.io(pair, "read", None, nsid=1, prp1=0x6666_0000_0000)).check(Status.DATA_TRANSFER_ERROR)
    (await host.io(pair, "write", None, nsid=1, prp1=0x6666_0000_0000)).check(Status.DATA_TRANSFER_ERROR)
    (await host.io(pair, "flush", nsid=1)).check()


@_clause("NVM 3.3.2, 3.3.4", "Blocks read as they were written last, up to the last one; those beyond are refused")
async def _blocks(host, params):
    pair = await host.create_pair(1, 4)
    last, data = params.units - 1, host.memory.random.randbytes(UNIT_BYTES)
    await _write_block(host, pair, last, data)
    _check(await _read_block(host, pair, last) == data, "the last block")
    for first, count in ((params.units, 1), (last, 2), (2**64 - 1, 1)):
        (await host.io(pair, "read", None, nsid=1, slba=first, nlb=count - 1)).check(Status.LBA_OUT_OF_RANGE)


@_clause("NVM 3.3.2; MDTS", "More than MDTS is refused")
async def _too_much(host, params):
    pair = await host.create_pair(1, 4)
    (await host.io(pair, "read", None, nsid=1, slba=0, nlb=TRANSFER_PAGES)).check(Status.INVALID_FIELD)


@_clause("NVM 3.3.3", "Dataset Management: deallocated blocks read as zeros, as DLFEAT says; a range beyond the namespace is refused")
async def _deallocate(host, params):
    from tenon.hw.storage.nvme.commands import DATASET_RANGE

    pair = await host.create_pair(1, 4)
    await _write_block(host, pair, 3, b"\xA5" * (3 * UNIT_BYTES))
    for ranges, status in (([(4, 1)], Status.SUCCESS), ([(params.units, 1)], Status.LBA_OUT_OF_RANGE)):
        text = b"".join(DATASET_RANGE.pack(slba=first, nlb=count) for first, count in ranges)
        buffer = Buffer(host.memory, len(text)).fill(text)
        (await host.io(pair, "dataset_management", buffer, nsid=1, nr=len(ranges) - 1, ad=1)).check(status)
        buffer.release()
    found = await _read_block(host, pair, 3, 3)
    _check(found == b"\xA5" * UNIT_BYTES + bytes(UNIT_BYTES) + b"\xA5" * UNIT_BYTES, "the middle one is zero, its neighbours are not")


@_clause("NVM 3.3.6", "Write Zeroes makes blocks zero, without data")
async def _zeroes(host, params):
    pair = await host.create_pair(1, 4)
    await _write_block(host, pair, 10, b"\x5A" * (2 * UNIT_BYTES))
    (await host.io(pair, "write_zeroes", nsid=1, slba=10, nlb=0)).check()
    _check(await _read_block(host, pair, 10, 2) == bytes(UNIT_BYTES) + b"\x5A" * UNIT_BYTES, "one block")


@_clause("3.2.1", "Namespaces that are not there are refused")
async def _no_namespace(host, params):
    pair = await host.create_pair(1, 4)
    for nsid in (0, 4, 0xFFFFFFFE):
        (await host.io(pair, "read", None, nsid=nsid)).check(Status.INVALID_NAMESPACE_OR_FORMAT)


@_clause("3.1.3", "Opcodes that are not there are refused, in both kinds of queue")
async def _no_opcode(host, params):
    pair = await host.create_pair(1, 4)
    (await host.wait(await host.submit(pair, None, opcode=0x7E, nsid=1))).check(Status.INVALID_OPCODE)
    (await host.wait(await host.submit(host.pairs[0], None, opcode=0x7E))).check(Status.INVALID_OPCODE)


@_clause("PCI 3.0, 6.8.2", "A masked vector is remembered in the pending array, and sent when it is not masked any more")
async def _masked(host, params):
    pair = await host.create_pair(1, 8)
    control = MSIX_TABLE + MSIX_VECTOR.size * 1 + 12
    await host.write32(control, 1)
    pending = await host.submit(pair, command("flush"), nsid=1)
    await Timer(30, "us")
    _check(pending.answer is None and await host.read32(MSIX_PENDING) == 1 << 1, "it waits")
    await host.write32(control, 0)
    (await host.wait(pending)).check()
    await Timer(1, "us")
    found = await host.read32(MSIX_PENDING)
    _check(found == 0, f"vectors {found:#x} wait")


@_clause("3.3.3.2", "A completion queue without interrupts: entries are written all the same")
async def _polled(host, params):
    pair = await host.create_pair(1, 4, interrupts=False)
    before = int(host.dut.messages.value)
    pending = await host.submit(pair, command("flush"), nsid=1)
    await Timer(30, "us")
    _check(int(host.dut.messages.value) == before and pending.answer is None, "no interrupt")
    await host.look()
    (await host.wait(pending)).check()


@_clause("3.3.1", "Two submission queues may share a completion queue")
async def _shared_completions(host, params):
    pair = await host.create_pair(1, 8)
    other = host._pair(2, 4)
    (await host.admin("create_sq", prp1=other.submissions, qid=2, qsize=3, pc=1, cqid=1)).check()
    host.memory.allow(other.submissions, 4 * 64, READ)
    for queue in (pair, other, pair, other):
        (await host.io(queue, "flush", nsid=1)).check()


@_clause("SLM: Memory Copy", "A copy has several sources, one behind the other, and may be as long as the namespace")
async def _long_copies(host, params):
    pair = await host.create_pair(1, 16)
    data = host.memory.random.randbytes(_LONG * UNIT_BYTES)
    await _write_block(host, pair, 0, data)
    copy, fields = _long_copy(host)
    (await host.io(pair, "memory_copy", copy, **fields)).check()
    copy.release()
    for number in range(_TIMES):
        buffer = Buffer(host.memory, len(data))
        (await host.io(pair, "memory_read", buffer, nsid=Namespace.MEMORY, sb=number * len(data), length=len(data))).check()
        _check(buffer.data() == data, f"source {number} of a copy is not where it should be")
        buffer.release()
