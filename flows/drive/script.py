"""A plan as a shell script: what a user of Linux types, with nothing but nvme-cli and dd."""

from __future__ import annotations

from pathlib import Path

from tenon.compiler.drive.plan import Plan
from tenon.hw.storage.nvme.commands import COPY_SOURCE_BLOCKS, MEMORY_RANGE, command
from tenon.hw.storage.params import TRANSFER_PAGES, UNIT_BYTES
from tenon.hw.storage.prp import PAGE_BYTES

__all__ = ["OUTPUTS_BEGIN", "OUTPUTS_END", "plan_script"]

OUTPUTS_BEGIN, OUTPUTS_END = "outputs, in base64:", "end of outputs"
_PART = TRANSFER_PAGES * PAGE_BYTES
_PROGRAM_TYPE, _FORMAT_BLOCKS = 0xC0, 2
_BLOCKS, _MEMORY, _COMPUTE = 1, 2, 3  # namespaces


def plan_script(plan: Plan, image: bytes, inputs: bytes, folder: Path, first_block: int = 0) -> str:
    """The script; what its commands send lies in ``folder``, which is to be seen from Linux under the same name."""

    def data(name: str, text: bytes) -> Path:
        path = folder / name
        path.write_bytes(text)
        return path

    def call(where: str, name: str, nsid: int, words: dict[str, int], source: Path | None = None, target: str = "", size: int = 0) -> str:
        """One command by ``nvme``: on a device's file, with its own dwords, and data to the drive or from it."""
        text = command(name).layout.pack(words)
        dwords = {k: int.from_bytes(text[4 * k:4 * k + 4], "little") for k in (2, 3, *range(10, 16))}
        kind = "admin-passthru" if where == "/dev/nvme0" else "io-passthru"
        line = f"nvme {kind} {where} --opcode={command(name).opcode:#x} --namespace-id={nsid}"
        line += "".join(f" --cdw{k}={value:#x}" for k, value in dwords.items() if value)
        if source is not None:
            line += f" --data-len={size or source.stat().st_size} --write --input-file={source}"
        elif target:
            line += f" --data-len={size} --read --raw-binary > {target} 2> /run/said"
        return line

    lines = ["set -e", f"dd if={data('inputs', inputs + bytes(-len(inputs) % UNIT_BYTES))} of=/dev/nvme0n{_BLOCKS} bs={UNIT_BYTES} "
             f"seek={first_block} oflag=direct 2> /run/said"]
    for at in range(0, len(image), _PART):
        part = image[at:at + _PART]
        words = {"ptype": _PROGRAM_TYPE, "psize": len(image), "numb": len(part), "loff": at}
        lines.append(call("/dev/nvme0", "load_program", _COMPUTE, words, data(f"program{at // _PART}", part)))
    lines.append(call("/dev/nvme0", "program_activation", _COMPUTE, {"sel": 1}))
    for number, ranges in enumerate(plan.sets):
        text = b"".join(MEMORY_RANGE.pack(mnsid=_MEMORY, sb=base, len=size) for base, size in (ranges.inputs, ranges.outputs, ranges.arena))
        made = call("/dev/nvme0", "memory_range_set", _COMPUTE, {"numr": 3}, data(f"ranges{number}", text))
        lines.append(f"set{number}=$({made} 2>&1 | sed 's/.*result: *//')")
    lines.append(": > /run/outputs")
    for number, step in enumerate(plan.steps):
        if step.kind == "copy":
            source = data(f"source{number}", COPY_SOURCE_BLOCKS.pack(snsid=_BLOCKS, slba=step.first, nlb=step.count - 1))
            lines.append(call(f"/dev/ng0n{_MEMORY}", "memory_copy", _MEMORY,
                              {"length": step.count * UNIT_BYTES, "sdaddr": step.place, "format": _FORMAT_BLOCKS}, source))
        elif step.kind == "execute":
            line = call(f"/dev/ng0n{_COMPUTE}", "execute_program", _COMPUTE, {"cparam1": step.count})
            lines.append(f"{line} --cdw2=$((set{step.place} << 16))")
        else:
            lines.append(call(f"/dev/ng0n{_MEMORY}", "memory_read", _MEMORY, {"sb": step.place, "length": step.count}, target="/run/part",
                              size=step.count))
            lines.append("cat /run/part >> /run/outputs")
    return "\n".join([*lines, f"echo '{OUTPUTS_BEGIN}'", "base64 /run/outputs", f"echo '{OUTPUTS_END}'", ""])
