"""The instruction set as text: disassembly of programs, and the page of the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from tenon.acg.encoding import Header
from tenon.acg.graph import Graph
from tenon.acg.mnemonic import Mnemonic
from tenon.acg.sequencer import QueueSequencer
from tenon.acg.text import effect_text

__all__ = ["disassemble", "instruction_text", "isa_page"]


def _tokens(mask: int) -> str:
    return ",".join(str(i) for i in range(mask.bit_length()) if mask >> i & 1)


def instruction_text(mnemonic: Mnemonic | None, fields, header: Header) -> str:
    """One instruction in a line: what it waits for, its fields that differ from their defaults, what it signals."""
    if mnemonic is None:
        return "END"
    parts = []
    defaults = mnemonic.complete({})
    for f in mnemonic.fields:
        value = fields[f.name]
        if value != defaults[f.name] or (f.kind == "f32" and str(value) != str(defaults[f.name])):
            shown = f.choices[value] if f.choices else f"{value:.8g}" if f.kind == "f32" else str(value)
            parts.append(f"{f.name}={shown}")
    waits = f"[{_tokens(header.waits)}]" if header.waits else ""
    signals = [f"{word}[{_tokens(mask)}]" for word, mask in (("release", header.release), ("done", header.done)) if mask]
    mark = [f"mark={header.mark}"] if header.mark else []
    return " ".join([f"{mnemonic.name:<7}{waits:<8}", *parts, *(["->"] if signals or mark else []), *signals, *mark]).rstrip()


def disassemble(image: bytes, graph: Graph) -> Iterator[str]:
    """A line for each instruction of a program image, END included. EncodingError for what is no instruction."""
    encoding = graph.sequencer.encoding
    for index in range(len(image) // encoding.bytes):
        place = index * encoding.bytes
        mnemonic, fields, header = encoding.decode(image[place:place + encoding.bytes], graph.mnemonics)
        yield f"{index:6d}  {instruction_text(mnemonic, fields, header)}"
        if mnemonic is None:
            return


def isa_page(graph: Graph) -> str:
    """The instruction set of a covenant in Markdown: encoding, effect, rules and cost of every instruction."""
    lines = [f"# Instructions of {graph.name}", "", " ".join([
        *(_of_queues if isinstance(graph.sequencer, QueueSequencer) else _of_packets)(graph),
        "In effects, brackets hold byte addresses; `choose` picks by a field, `sum` and `largest` are over the loops that they begin with,",
        "`lookup` reads one of 256 elements, `at` is an index form as a number. Integers are int32, numbers with a point binary32,",
        "rounded to nearest even, subnormals flushed."]), ""]
    for m in graph.mnemonics:
        lines += [f"## {m.name}", "", f"Opcode {m.opcode}, unit {m.unit}.", "", "```", effect_text(m.effect), "```", "",
                  "| bits | field | values |", "|---|---|---|"]
        for f, offset, width, _ in graph.encoding(m).places(m):
            values = "binary32" if f.kind == "f32" else ", ".join(f"{i} {c}" for i, c in enumerate(f.choices)) or \
                f"{f.low}..{f.high}" + (f", less {f.low}" if f.low > 0 else "") + (" from a stream" if f.kind == "address" else "")
            lines.append(f"| {offset + width - 1}:{offset} | `{f.name}` | {values} |")
        lines.append("")
        lines += [f"Rule: `{rule}`\n" for rule in m.rules]
        lines += [f"- {what}: `{text}` cycles" for what, text in m.timing.terms()]
        lines.append("")
    return "\n".join(lines)


def _of_queues(graph: Graph) -> list[str]:
    encoding = graph.sequencer.encoding
    head = ", ".join(f"`{name}` {offset + width - 1}:{offset}" for name, offset, width in encoding.header)
    return [f"An instruction has {encoding.bits} bits, little endian; the header comes first: {head}.",
            "`waits`, `release` and `done` are masks of tokens: consumed before the instruction is issued, signalled when its operands",
            "have been read, signalled when its results are visible. Opcode 0 ends the program."]


def _of_packets(graph: Graph) -> list[str]:
    s = graph.sequencer
    slots = ", ".join(f"`{slot.name}` {slot.offset + slot.encoding.bits - 1}:{slot.offset} ({', '.join(slot.units)})" for slot in s.slots)
    return [f"A packet has {s.packet_bits} bits, little endian: {slots}, the sequencer's own from bit {s.control} on (`acg/packet.py`).",
            "One packet is issued a cycle, and nothing is interlocked: a result is seen by packets that come `visible` later.",
            f"{', '.join(b.unit for b in s.background)} go on beside packets;",
            "their instructions are data of the packets behind the one that starts them."]
