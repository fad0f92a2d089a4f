"""On-chip byte memories: lines in banks, behind ports of any width with fixed priorities."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.memory import Memory

__all__ = ["Scratchpad"]


class Scratchpad(wiring.Component):
    """``size`` bytes in ``banks`` banks, each with one read and one write per cycle.

    A port is granted in the cycle it asks unless a port named before it uses the same bank. Read data come the
    cycle after the grant and hold for that cycle. A bank is picked by the top bits of an address. Reading what is
    being written gives either value: programs order such accesses by tokens.

    Parameters
    ----------
    role : str
        What it is for: the name of its module.
    size, line : int
        Bytes in all, and in a physical line: at least as wide as every port.
    reads, writes : dict of str to int
        Bytes of each port's word, in order of priority. Addresses count such words.
    bank_ports : int
        2: a bank reads a word and writes one in the same cycle; 1: it writes when nobody reads.

    Raises
    ------
    ValueError
        For a number that is no power of two, a port wider than a line, or less than two lines in a bank.

    Members
    -------
    NAME_en, NAME_addr, NAME_grant, NAME_data : for each read port, In, In, Out, Out(8 * bytes)
    NAME_en, NAME_addr, NAME_grant, NAME_data, NAME_mask : for each write port, In, In, Out, In, In(bytes)
    NAME_free : for each port, Out(banks)
        Banks in which it would be granted, whatever it asks for.
    """

    def __init__(self, *, role: str, size: int, line: int, banks: int, reads: dict[str, int], writes: dict[str, int],
                 bank_ports: int = 2):
        self.bank_ports = bank_ports
        self.role, self.size, self.line, self.banks, self.reads, self.writes = role, size, line, banks, dict(reads), dict(writes)
        widths = {f"width of port {name}": width for name, width in {**reads, **writes}.items()}
        for name, value in {"size": size, "line": line, "banks": banks, **widths}.items():
            if value < 1 or value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value}")
        for name, width in {**reads, **writes}.items():
            if width > line:
                raise ValueError(f"port {name} must be at most a line, {line} bytes, not {width}")
        if size < 2 * line * banks:
            raise ValueError(f"size must be at least 2 lines in each bank, {2 * line * banks} bytes, not {size}")
        members = {}
        for name, width in {**self.reads, **self.writes}.items():
            members |= {f"{name}_en": In(1), f"{name}_addr": In(range(size // width)), f"{name}_grant": Out(1),
                        f"{name}_free": Out(banks)}
        members |= {f"{name}_data": Out(8 * width) for name, width in self.reads.items()}
        members |= {f"{name}_data": In(8 * width) for name, width in self.writes.items()}
        members |= {f"{name}_mask": In(width) for name, width in self.writes.items()}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        lines = self.size // self.line // self.banks
        index_bits = (lines - 1).bit_length()
        memories = [emit.instance(m, f"bank{b}", Memory(width=8 * self.line, depth=lines, lane_bits=8, ports=self.bank_ports))
                    for b in range(self.banks)]

        def place(name, width):
            """Sub-word, line and bank of a port's address."""
            address = getattr(self, f"{name}_addr")
            sub_bits = (self.line // width - 1).bit_length()
            return address[:sub_bits], address[sub_bits:sub_bits + index_bits], address[sub_bits + index_bits:]

        def arbitrate(ports, closed):
            """Grants, and for each bank the ports with whether each wants it; none gets one that is ``closed``."""
            users = [[] for _ in range(self.banks)]
            for name, width in ports.items():
                enable, free = getattr(self, f"{name}_en"), getattr(self, f"{name}_free")
                _, _, bank = place(name, width)
                for b in range(self.banks):
                    wants = Signal(name=f"{name}_wants{b}")
                    taken = Cat(closed[b], *(others for _, _, others in users[b])).any()
                    m.d.comb += [wants.eq(enable & (bank == b)), free[b].eq(~taken)]
                    users[b].append((name, width, wants))
                m.d.comb += getattr(self, f"{name}_grant").eq(free.bit_select(bank, 1) if len(bank) else free)
            return users

        def held(part, name):
            """A part of an address the cycle after; one of no bits is itself, since Verilog has no such signals."""
            if not len(part):
                return part
            then = Signal.like(part, name=name, reset_less=True)
            m.d.sync += then.eq(part)
            return then

        # Reads: the first port that wants a bank gets it; all see the bank's line, each takes its part.
        reads = []
        for b, users in enumerate(arbitrate(self.reads, [Const(0)] * self.banks)):
            address, reading = 0, Signal(name=f"reading{b}")
            for name, width, wants in reversed(users):
                address = Mux(wants, place(name, width)[1], address)
            m.d.comb += [reading.eq(Cat(wants for _, _, wants in users).any()), memories[b].r_en.eq(reading)]
            reads.append((reading, address))
        for name, width in self.reads.items():
            sub, _, bank = place(name, width)
            sub_then, bank_then = held(sub, f"{name}_sub"), held(bank, f"{name}_bank")
            line = memories[0].r_data
            for b in range(1, self.banks):
                line = Mux(bank_then == b, memories[b].r_data, line)
            m.d.comb += getattr(self, f"{name}_data").eq(line.word_select(sub_then, 8 * width) if len(sub) else line)

        # Writes: a word is repeated along the line, and the mask moved to its place. A bank of one port is read first.
        alone = self.bank_ports == 1
        for b, users in enumerate(arbitrate(self.writes, [reading if alone else Const(0) for reading, _ in reads])):
            address, data, mask = 0, 0, 0
            for name, width, wants in reversed(users):
                sub, line_index, _ = place(name, width)
                parts = self.line // width
                enables = Cat(Mux(sub == part, getattr(self, f"{name}_mask"), 0) for part in range(parts))
                address = Mux(wants, line_index, address)
                data = Mux(wants, getattr(self, f"{name}_data").replicate(parts), data)
                mask = Mux(wants, enables, mask)
            reading, read_address = reads[b]
            if alone:
                address = read_address = Mux(reading, read_address, address)
                mask = Mux(reading, 0, mask)
            m.d.comb += [memories[b].r_addr.eq(read_address), memories[b].w_addr.eq(address), memories[b].w_data.eq(data),
                         memories[b].w_en.eq(mask)]
        return m
