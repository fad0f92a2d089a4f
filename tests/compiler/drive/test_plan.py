"""Plans of batches: every item is copied, computed and read once, and no buffer is written before it was read."""

from dataclasses import replace

import pytest

from tenon.compiler.drive.plan import Batch, Device, Plan, plan
from tenon.compiler.errors import CompileError

DEVICE = Device(block_bytes=4096, memory_bytes=1 << 20, granule=64, most_copy_blocks=16, most_read_bytes=8192, bytes_per_cycle=4,
                command_cycles=2000)


@pytest.mark.parametrize("batch", [Batch(64, 490, 12, 5000, 60_000), Batch(1, 3072, 10, 0, 200_000), Batch(70, 64, 10, 64, 100),
                                   Batch(300, 8192, 5000, 100_000, 10)])
def test_each_item_once_and_buffers_in_turn(batch):
    found = plan(batch, DEVICE, first_block=9)
    assert Plan.from_json(found.to_json()) == found
    blocks, items, read, filled = [], [], [], {}
    for number, step in enumerate(found.steps):
        assert all(earlier < number for earlier in step.after)
        if step.kind == "copy":
            blocks += range(step.first, step.first + step.count)
            buffer = next(k for k, s in enumerate(found.sets) if s.inputs[0] <= step.place < sum(s.inputs))
            assert filled.get(buffer) is None or filled[buffer] in step.after, "the items that lay there were computed"
        elif step.kind == "execute":
            items += range(step.first, step.first + step.count)
            filled[step.place] = number
            assert {found.steps[k].kind for k in step.after} >= {"copy"}
        else:
            read += range(step.first, step.first + step.count)
            assert [found.steps[k].kind for k in step.after] == ["execute"]
    whole = -(-batch.items * found.input_stride // 4096)
    assert blocks == list(range(9, 9 + whole)) and items == list(range(batch.items))
    assert read == list(range(batch.items * found.output_stride))
    ends = sorted(r for s in found.sets for r in (s.inputs, s.outputs, s.arena))
    assert all(sum(a) <= b[0] for a, b in zip(ends, ends[1:])) and sum(ends[-1]) <= DEVICE.memory_bytes


def test_what_does_not_fit_is_refused():
    with pytest.raises(CompileError, match=r"^8 items need [\d,]+ bytes of the device's memory, 2 times; it has 8,192$"):
        plan(Batch(8, 490, 12, 5000, 60_000), replace(DEVICE, memory_bytes=8192))
