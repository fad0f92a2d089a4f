"""The AXI4 channels of the drive's parts, and how several parts share a port (AMBA IHI 0022).

Members are named for the manager's side. Every burst is INCR, of whole bus words, and has the one id 0, so that answers come in order.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import axi
from tenon.hw.fifo import Fifo

__all__ = ["ReadShare", "WriteShare", "attach", "flipped", "read_bus", "write_bus"]


def read_bus(address_bits: int, bits: int) -> dict[str, wiring.Member]:
    """Channels AR and R of a manager."""
    return {"ar_valid": Out(1), "ar_ready": In(1), "ar_addr": Out(address_bits), "ar_len": Out(8), **axi.read_data(bits)}


def write_bus(address_bits: int, bits: int) -> dict[str, wiring.Member]:
    """Channels AW, W and B of a manager."""
    return {"aw_valid": Out(1), "aw_ready": In(1), "aw_addr": Out(address_bits), "aw_len": Out(8), **axi.write_data(bits),
            **axi.write_response()}


def flipped(members: dict[str, wiring.Member], prefix: str = "") -> dict[str, wiring.Member]:
    """The subordinate's side of a bus, with ``prefix`` before every name."""
    return {f"{prefix}{name}": member.flip() for name, member in members.items()}


def attach(m: Module, members: dict[str, wiring.Member], manager: tuple[object, str], subordinate: tuple[object, str]) -> None:
    """Connects two ends of a bus, each a part and the prefix of its members."""
    for name, member in members.items():
        towards, back = (getattr(part, prefix + name) for part, prefix in (manager, subordinate))
        m.d.comb += back.eq(towards) if member.flow == wiring.Out else towards.eq(back)


class _Turn:
    """Which of several requests is on offer: the first user that has one; a request on offer stays until it is taken. With ``share``, the
    last user's is taken at the latest when that many less one of the others' have been since it asked."""

    def __init__(self, m: Module, requests: Sequence[Signal], taken, share: int = 0):
        self.valid, self.user = Signal(), Signal(range(len(requests)))
        waits, waiting = Signal(), Signal(range(len(requests)))
        first, last = Signal(range(len(requests))), len(requests) - 1
        for number in reversed(range(len(requests))):
            with m.If(requests[number]):
                m.d.comb += first.eq(number)
        if share:
            passed = Signal(range(share))  # taken of the others while the last one's waited
            with m.If(requests[last] & (passed >= share - 1)):
                m.d.comb += first.eq(last)
            with m.If(~requests[last] | (taken & (self.user == last))):
                m.d.sync += passed.eq(0)
            with m.Elif(taken):
                m.d.sync += passed.eq(passed + 1)
        m.d.comb += [self.valid.eq(Cat(requests).any()), self.user.eq(Mux(waits, waiting, first))]
        m.d.sync += [waits.eq(self.valid & ~taken), waiting.eq(self.user)]


def _selected(m: Module, user, values: Sequence, out) -> None:
    with m.Switch(user):
        for number, value in enumerate(values):
            with m.Case(number):
                m.d.comb += out.eq(value)


class _Share(wiring.Component):
    """A port with the members of ``bus``, and its users' beside it."""

    bus = staticmethod(read_bus)

    def __init__(self, *, users: int, address_bits: int, bits: int, outstanding: int = 64, share: int = 0):
        self.users, self.address_bits, self.bits, self.outstanding, self.share = users, address_bits, bits, outstanding, share
        bus = self.bus(address_bits, bits)
        super().__init__({**bus, **{k: v for u in range(users) for k, v in flipped(bus, f"u{u}_").items()}})

    def _of(self, user: int, name: str) -> Signal:
        return getattr(self, f"u{user}_{name}")


class ReadShare(_Share):
    """Several managers' reads on one port. Of requests at the same time, the first user's goes first; data come back in order.

    Parameters
    ----------
    users : int
        Managers; ``u0_`` is served first.
    outstanding : int
        Bursts in flight at most: a power of two.
    share : int
        One of so many bursts is the last user's, if it asks; 0: none is promised to it.

    Members
    -------
    ar_*, r_* :
        The port.
    u0_ar_*, u0_r_*, ... :
        The users'.
    """

    bus = staticmethod(read_bus)

    def elaborate(self, platform):
        m = Module()
        m.submodules.whose = whose = Fifo(width=max(1, (self.users - 1).bit_length()), depth=self.outstanding)
        turn = _Turn(m, [self._of(u, "ar_valid") for u in range(self.users)], self.ar_valid & self.ar_ready, self.share)
        m.d.comb += [
            self.ar_valid.eq(turn.valid & whose.i_ready), whose.i_valid.eq(self.ar_valid & self.ar_ready), whose.i.eq(turn.user),
            whose.o_ready.eq(self.r_valid & self.r_ready & self.r_last),
        ]
        for name in ("ar_addr", "ar_len"):
            _selected(m, turn.user, [self._of(u, name) for u in range(self.users)], getattr(self, name))
        ready = Signal()
        _selected(m, whose.o, [self._of(u, "r_ready") for u in range(self.users)], ready)
        m.d.comb += self.r_ready.eq(whose.o_valid & ready)
        for u in range(self.users):
            m.d.comb += [
                self._of(u, "ar_ready").eq(self.ar_ready & whose.i_ready & turn.valid & (turn.user == u)),
                self._of(u, "r_valid").eq(self.r_valid & whose.o_valid & (whose.o == u)),
                *(self._of(u, name).eq(getattr(self, name)) for name in ("r_data", "r_resp", "r_last")),
            ]
        return m


class WriteShare(_Share):
    """Several managers' writes on one port. Of requests at the same time, the first user's goes first; data go in the requests' order.

    Parameters
    ----------
    users : int
        Managers; ``u0_`` is served first.
    outstanding : int
        Bursts in flight at most: a power of two.
    share : int
        One of so many bursts is the last user's, if it asks; 0: none is promised to it.

    Members
    -------
    aw_*, w_*, b_* :
        The port.
    u0_aw_*, u0_w_*, u0_b_*, ... :
        The users'.
    """

    bus = staticmethod(write_bus)

    def elaborate(self, platform):
        m = Module()
        width = max(1, (self.users - 1).bit_length())
        m.submodules.data = data = Fifo(width=width, depth=self.outstanding)  # whose data come next, and whose answer
        m.submodules.answers = answers = Fifo(width=width, depth=self.outstanding)
        turn = _Turn(m, [self._of(u, "aw_valid") for u in range(self.users)], self.aw_valid & self.aw_ready, self.share)
        room = Signal()
        m.d.comb += [
            room.eq(data.i_ready & answers.i_ready), self.aw_valid.eq(turn.valid & room),
            *(fifo.i_valid.eq(self.aw_valid & self.aw_ready) for fifo in (data, answers)),
            *(fifo.i.eq(turn.user) for fifo in (data, answers)),
            data.o_ready.eq(self.w_valid & self.w_ready & self.w_last), answers.o_ready.eq(self.b_valid & self.b_ready),
        ]
        for name in ("aw_addr", "aw_len"):
            _selected(m, turn.user, [self._of(u, name) for u in range(self.users)], getattr(self, name))
        for name in ("w_data", "w_strb", "w_last"):
            _selected(m, data.o, [self._of(u, name) for u in range(self.users)], getattr(self, name))
        valid, ready = Signal(), Signal()
        _selected(m, data.o, [self._of(u, "w_valid") for u in range(self.users)], valid)
        _selected(m, answers.o, [self._of(u, "b_ready") for u in range(self.users)], ready)
        m.d.comb += [self.w_valid.eq(data.o_valid & valid), self.b_ready.eq(answers.o_valid & ready)]
        for u in range(self.users):
            m.d.comb += [
                self._of(u, "aw_ready").eq(self.aw_ready & room & turn.valid & (turn.user == u)),
                self._of(u, "w_ready").eq(self.w_ready & data.o_valid & (data.o == u)),
                self._of(u, "b_valid").eq(self.b_valid & answers.o_valid & (answers.o == u)),
                self._of(u, "b_resp").eq(self.b_resp),
            ]
        return m
