"""A host that speaks NVMe, written from the specification (NVM Express Base Specification 2.2): it drives the drive's RTL from cocotb.

Everything that it lets the drive touch it says beforehand, byte by byte (``HostMemory.allow``), and takes back when the command has
ended: any other access of the drive's is counted and fails the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cocotb
from cocotb.triggers import Event, FallingEdge, Lock, ReadOnly, SimTimeoutError, Timer, ValueChange, with_timeout

from tenon.hw.storage.covenant import CLOCK_NS
from tenon.hw.storage.nvme.commands import Command as Kind
from tenon.hw.storage.nvme.commands import command
from tenon.hw.storage.nvme.entries import COMPLETION, COMPLETION_BYTES, SUBMISSION, SUBMISSION_BYTES
from tenon.hw.storage.nvme.logs import COUNTERS, Log
from tenon.hw.storage.nvme.registers import CONTROLLER_REGISTERS, DOORBELLS, MSIX_TABLE, MSIX_VECTOR
from tenon.hw.storage.nvme.status import Status
from tenon.hw.storage.prp import PAGE_BYTES
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.memory import MESSAGES, READ, WRITE, HostMemory

__all__ = ["Answer", "Failed", "Host", "Pair", "Pending", "register_offset"]

_PATIENCE = 2_000_000  # cycles that the drive may take to do anything: some programs of flash, one behind the other


class Failed(AssertionError):
    """The drive did not do what it must."""


def register_offset(field: str) -> int:
    """Where a controller register with this field lies: its dword's byte offset."""
    return CONTROLLER_REGISTERS[field].low // 32 * 4


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    status: int  # the bits above the phase
    result: int

    @property
    def code(self) -> tuple[int, int]:
        """Type and code."""
        return self.status >> 8 & 7, self.status & 0xFF

    def check(self, status: Status = Status.SUCCESS) -> Answer:
        """Itself, if it ended so.

        Raises
        ------
        Failed
            If it did not.
        """
        if self.code != (status.type, status.code):
            known = next((s.name for s in Status if (s.type, s.code) == self.code), "no status")
            raise Failed(f"{known} (type {self.code[0]}, code {self.code[1]:#04x}) where {status.name} was due")
        return self


@dataclass
class Pending:
    """A command that the drive has."""

    entry: int  # where it lies in the host's memory
    buffer: Buffer | None
    done: Event = field(default_factory=Event)
    answer: Answer | None = None
    submitted: int = 0  # cycles
    ended: int = 0


@dataclass
class Pair:
    """A submission queue and a completion queue."""

    index: int
    entries: int
    submissions: int  # addresses
    completions: int
    tail: int = 0
    head: int = 0  # of the submission queue, as the drive has told
    read: int = 0  # the next completion
    phase: int = 1
    interrupts: bool = True
    pending: dict[int, Pending] = field(default_factory=dict)
    in_entry: dict[int, Pending] = field(default_factory=dict)  # whose each entry is, by address: it may be another's before the first ends
    next_cid: int = 0

    @property
    def room(self) -> int:
        """Entries that may be submitted."""
        return self.entries - 1 - (self.tail - self.head) % self.entries


class Host:
    """One host. ``await start()`` first, then ``enable()``."""

    def __init__(self, dut, memory: HostMemory):
        self.dut, self.memory = dut, memory
        self.pairs: dict[int, Pair] = {}
        self.ended = 0  # commands
        self.settings: dict[int, int] = {}  # features that are set whenever the controller is enabled
        self._bar = Lock()
        self._noticed = Event()
        self._strays: list[str] = []

    async def start(self) -> None:
        """Resets the drive."""
        dut = self.dut
        for name in ("request", "write", "address", "value", "msix_mask"):
            getattr(dut, name).value = 0
        dut.msix_enable.value = 1
        dut.deadline.value = 2**64 - 1
        await self.power()
        cocotb.start_soon(self._watch())

    async def power(self) -> None:
        """Power goes, with everything that the drive does not keep, and comes back."""
        for pair in self.pairs.values():
            self.memory.allow(pair.completions, pair.entries * COMPLETION_BYTES, 0)
        self.pairs.clear()
        self.dut.reset.value = 1
        for _ in range(4):
            await FallingEdge(self.dut.clk)
        self.dut.reset.value = 0
        self.memory.allow(MESSAGES, PAGE_BYTES, WRITE)

    # BAR 0.

    async def read32(self, offset: int) -> int:
        return await self._access(offset, None)

    async def write32(self, offset: int, value: int) -> None:
        await self._access(offset, value)

    async def read64(self, offset: int) -> int:
        return await self.read32(offset) | await self.read32(offset + 4) << 32

    async def write64(self, offset: int, value: int) -> None:
        await self.write32(offset, value & 0xFFFFFFFF)
        await self.write32(offset + 4, value >> 32)

    async def _access(self, offset: int, value: int | None) -> int:
        dut = self.dut
        async with self._bar:
            await FallingEdge(dut.clk)
            dut.address.value, dut.write.value, dut.value.value = offset, value is not None, value or 0
            wanted = 1 - int(dut.request.value)
            dut.request.value = wanted
            while int(dut.done.value) != wanted:
                await ValueChange(dut.done)
                await ReadOnly()
            found = int(dut.answer.value)
            await FallingEdge(dut.clk)
        return found

    @property
    def cycle(self) -> int:
        return int(self.dut.cycle.value)

    async def until(self, condition, what: str, cycles: int = _PATIENCE) -> None:
        """Waits until ``condition()`` holds, which only what the drive does can bring about.

        Raises
        ------
        Failed
            If it does not for so many cycles.
        """
        limit = self.cycle + cycles
        while not condition():
            if self.cycle > limit:
                raise Failed(f"{what}: not within {cycles} cycles")
            await Timer(200, "ns")

    # The controller.

    async def enable(self, *, entries: int = 16, sets: int = 6) -> None:
        """Makes the admin queues and enables the controller, vectors included."""
        cc_at = register_offset("cc_en")
        await self.write32(cc_at, 0)
        await self.ready(0)
        self.pairs.clear()
        admin = self._pair(0, entries)
        await self.write32(register_offset("aqa_asqs"), (entries - 1) << 16 | entries - 1)
        await self.write64(register_offset("asq"), admin.submissions)
        await self.write64(register_offset("acq"), admin.completions)
        cc = CONTROLLER_REGISTERS.pack(cc_css=sets, cc_iosqes=6, cc_iocqes=4, cc_en=1)[cc_at:cc_at + 4]
        await self.write32(cc_at, int.from_bytes(cc, "little"))
        await self.ready(1)
        for feature, value in self.settings.items():
            (await self.admin("set_features", fid=feature, value=value)).check()

    async def vectors(self, count: int) -> None:
        """Says where interrupts go."""
        for vector in range(count):
            text = MSIX_VECTOR.pack(address=MESSAGES + 4 * vector, data=vector + 1)
            for k in range(0, len(text), 4):
                await self.write32(MSIX_TABLE + MSIX_VECTOR.size * vector + k, int.from_bytes(text[k:k + 4], "little"))

    async def ready(self, wanted: int, patience: int = 10_000) -> None:
        """Waits until CSTS.RDY is so: at power on, the drive looks at all its flash."""
        for _ in range(patience):
            status = await self.read32(register_offset("csts_rdy"))
            if status & 1 == wanted and not (wanted == 0 and status & 2):
                return
            if wanted and status & 2:
                raise Failed("the controller says that it has failed (CSTS.CFS)")
            await Timer(2, "us")
        raise Failed(f"CSTS.RDY does not become {wanted}")

    def _pair(self, index: int, entries: int, interrupts: bool = True) -> Pair:
        pages = -(-entries * SUBMISSION_BYTES // PAGE_BYTES), -(-entries * COMPLETION_BYTES // PAGE_BYTES)
        pair = Pair(index, entries, *(self.memory.pages(count) for count in pages), interrupts=interrupts)
        self.memory.write(pair.completions, bytes(entries * COMPLETION_BYTES))
        # The entry before the one that is read next stays free.
        self.memory.allow(pair.completions, (entries - 1) * COMPLETION_BYTES, WRITE)
        self.pairs[index] = pair
        return pair

    async def create_pair(self, index: int, entries: int, *, vector: int | None = None, interrupts: bool = True) -> Pair:
        """I/O queues of one number."""
        pair = self._pair(index, entries, interrupts)
        size = entries - 1
        (await self.admin("create_cq", prp1=pair.completions, qid=index, qsize=size, pc=1, ien=int(interrupts),
                          iv=index if vector is None else vector)).check()
        (await self.admin("create_sq", prp1=pair.submissions, qid=index, qsize=size, pc=1, cqid=index)).check()
        return pair

    async def delete_pair(self, index: int) -> None:
        (await self.admin("delete_sq", qid=index)).check()
        (await self.admin("delete_cq", qid=index)).check()
        pair = self.pairs.pop(index)
        self.memory.allow(pair.completions, pair.entries * COMPLETION_BYTES, 0)

    # Commands.

    async def submit(self, pair: Pair, kind: Kind | None, buffer: Buffer | None = None, *, rights: int | None = None, ring: bool = True,
                     **fields: int) -> Pending:
        """Gives a command to the drive; ``fields`` are of its layout or of every entry's. Waits for room in the queue.

        Parameters
        ----------
        kind : Command, optional
            None: ``fields`` say all.
        rights : int, optional
            What the drive may do with the buffer; by the opcode's direction if not given.
        ring : bool
            Whether the doorbell is written now.
        """
        await self.until(lambda: pair.room, "room in a submission queue")
        common = {name: value for name, value in fields.items() if any(f.name == name for f in SUBMISSION.fields)}
        own = {name: value for name, value in fields.items() if name not in common}
        if kind is not None:
            common.setdefault("opcode", kind.opcode)
        if buffer is not None:
            common.setdefault("prp1", buffer.prp1)
            common.setdefault("prp2", buffer.prp2)
        while pair.next_cid in pair.pending:
            pair.next_cid = (pair.next_cid + 1) & 0xFFFF
        cid = common.setdefault("cid", pair.next_cid)
        pair.next_cid = (pair.next_cid + 1) & 0xFFFF
        text = int.from_bytes(SUBMISSION.pack(common), "little")
        if own:
            text |= int.from_bytes(kind.layout.pack(own), "little")
        entry = pair.submissions + pair.tail * SUBMISSION_BYTES
        self.memory.write(entry, text.to_bytes(SUBMISSION_BYTES, "little"))
        self.memory.allow(entry, SUBMISSION_BYTES, READ)
        if buffer is not None:
            direction = common["opcode"] & 3
            buffer.allow(((READ if direction & 1 else 0) | (WRITE if direction & 2 else 0)) if rights is None else rights, READ)
        pending = pair.pending[cid] = pair.in_entry[entry] = Pending(entry, buffer, submitted=self.cycle)
        pair.tail = (pair.tail + 1) % pair.entries
        if ring:
            await self.ring(pair)
        return pending

    async def ring(self, pair: Pair) -> None:
        """Tells the drive of what was submitted."""
        await self.write32(DOORBELLS + 8 * pair.index, pair.tail)

    async def wait(self, pending: Pending, what: str = "a command's completion", cycles: int = _PATIENCE) -> Answer:
        if pending.answer is None:
            try:
                await with_timeout(pending.done.wait(), cycles * CLOCK_NS, "ns")
            except SimTimeoutError:
                raise Failed(f"{what}: not within {cycles} cycles") from None
        return pending.answer

    async def admin(self, name: str, buffer: Buffer | None = None, **fields: int) -> Answer:
        """An admin command, from its submission to its end."""
        return await self.wait(await self.submit(self.pairs[0], command(name), buffer, **fields), name)

    async def io(self, pair: Pair, name: str, buffer: Buffer | None = None, *, cycles: int = _PATIENCE, **fields: int) -> Answer:
        """An I/O command, likewise; it may take so many cycles."""
        return await self.wait(await self.submit(pair, command(name), buffer, **fields), name, cycles)

    async def counters(self) -> dict[str, int]:
        """What the drive has counted since power on."""
        page = Buffer(self.memory, COUNTERS.size)
        (await self.admin("get_log_page", page, lid=Log.COUNTERS, numdl=COUNTERS.size // 4 - 1)).check()
        found = COUNTERS.unpack(page.data())
        page.release()
        return found

    # Completions.

    async def _watch(self) -> None:
        while True:
            await ValueChange(self.dut.events)
            await ReadOnly()
            await FallingEdge(self.dut.clk)
            await self.look()

    async def look(self) -> None:
        """Takes what completion queues have."""
        for pair in list(self.pairs.values()):
            began = pair.read
            while self._take(pair):
                pass
            if pair.read != began and pair.index in self.pairs:
                for k in range(began - 1, began - 1 + (pair.read - began) % pair.entries):  # they may be written again
                    self.memory.allow(pair.completions + k % pair.entries * COMPLETION_BYTES, COMPLETION_BYTES, WRITE)
                await self.write32(DOORBELLS + 8 * pair.index + 4, pair.read)

    def _take(self, pair: Pair) -> bool:
        at = pair.completions + pair.read * COMPLETION_BYTES
        entry = COMPLETION.unpack(self.memory.read(at, COMPLETION_BYTES))
        if entry["phase"] != pair.phase:
            return False
        self.memory.allow(at, COMPLETION_BYTES, 0)
        pair.read = (pair.read + 1) % pair.entries
        pair.phase ^= pair.read == 0
        owner = self.pairs.get(entry["sq_id"])
        pending = owner.pending.pop(entry["cid"], None) if owner else None
        if pending is None:
            self._strays.append(f"queue {pair.index} completed command {entry['cid']:#x} of queue {entry['sq_id']}, which has none")
            return True
        owner.head = entry["sq_head"]
        if owner.in_entry.get(pending.entry) is pending:
            self.memory.allow(pending.entry, SUBMISSION_BYTES, 0)
        if pending.buffer is not None:
            pending.buffer.allow(0, 0)
        status = entry["sc"] | entry["sct"] << 8 | entry["crd"] << 11 | entry["more"] << 13 | entry["dnr"] << 14
        pending.answer, pending.ended = Answer(status, entry["result"]), self.cycle
        pending.done.set()
        self.ended += 1
        return True

    def finish(self) -> None:
        """To be called at the end.

        Raises
        ------
        Failed
            If the drive ever touched what was not its to touch, broke a rule of a bus, or completed what it had not been given.
        """
        broken, violations = int(self.dut.broken.value), int(self.dut.violations.value)
        if broken or violations or self._strays:
            raise Failed("; ".join([*self._strays, *([f"{broken} accesses to what no command describes"] * bool(broken)),
                                    *([f"{violations} broken rules of AXI4"] * bool(violations))]))
