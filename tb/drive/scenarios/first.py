"""The first things that a host does: enable, identify, queues, a block written and read."""

from __future__ import annotations

from tenon.hw.storage.nvme.identify import CNS, CONTROLLER, IDENTIFY_BYTES, NVM_NAMESPACE
from tenon.hw.storage.params import UNIT_BYTES
from tenon.tb.drive.data import Buffer
from tenon.tb.drive.host import Host

__all__ = ["first_block"]


async def first_block(host: Host) -> dict:
    """Writes a block and reads it."""
    marks = [host.cycle]
    await host.vectors(3)
    await host.enable()
    marks.append(host.cycle)
    page = Buffer(host.memory, IDENTIFY_BYTES, offset=0)
    (await host.admin("identify", page, cns=CNS.CONTROLLER)).check()
    controller = CONTROLLER.unpack(page.data())
    marks.append(host.cycle)
    (await host.admin("identify", page, cns=CNS.NVM_NAMESPACE, nsid=1)).check()
    blocks = NVM_NAMESPACE.unpack(page.data())["nsze"]
    marks.append(host.cycle)
    pair = await host.create_pair(1, 16)
    marks.append(host.cycle)
    data = host.memory.random.randbytes(UNIT_BYTES)
    (await host.io(pair, "write", Buffer(host.memory, UNIT_BYTES).fill(data), nsid=1, slba=blocks - 1)).check()
    marks.append(host.cycle)
    back = Buffer(host.memory, UNIT_BYTES)
    (await host.io(pair, "read", back, nsid=1, slba=blocks - 1)).check()
    marks.append(host.cycle)
    assert back.data() == data
    return {"blocks": blocks, "model": controller["mn"].to_bytes(40, "little").decode(), "marks": marks}
