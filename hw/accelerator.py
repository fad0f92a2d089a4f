"""The accelerator: engines, memories and sequencer behind an AXI4 and an AXI4-Lite port."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import axi, emit
from tenon.hw.accumulators import Accumulators
from tenon.hw.axi_lite import AXI_LITE
from tenon.hw.buffers import activation_buffer, memory_bytes, parameter_buffer, vector_buffer, weight_buffer
from tenon.hw.bus_guard import BusGuard
from tenon.hw.clockgate import ClockGate
from tenon.hw.control import Control
from tenon.hw.counters import Counters
from tenon.hw.dispatch import Dispatch
from tenon.hw.encoding import ENCODING
from tenon.hw.engine_queue import EngineQueue
from tenon.hw.fetch import Fetch
from tenon.hw.load import LoadEngine
from tenon.hw.load_grant import LOAD_TARGETS, LoadGrant
from tenon.hw.matrix import MatrixEngine
from tenon.hw.params import SystolicParams
from tenon.hw.read_port import ReadPort
from tenon.hw.registers import COUNTERS, ENGINES, ErrorCode
from tenon.hw.store import StoreEngine
from tenon.hw.tokens import TokenCounters
from tenon.hw.vector import VectorEngine
from tenon.hw.window import WindowEngine

__all__ = ["Accelerator", "engine_classes", "verilog"]

_LINGER = 3  # cycles that an engine's clock goes on after its last work, so that its pulses end


def engine_classes(params: SystolicParams) -> dict[str, type]:
    """The component of each engine that there is, in the order of ``hw.registers.ENGINES``."""
    classes = dict(zip(ENGINES, (LoadEngine, MatrixEngine, VectorEngine, StoreEngine, WindowEngine), strict=True))
    if not params.window_taps:
        del classes["WINDOW"]
    return classes


def verilog(params: SystolicParams, *, fingerprint: int = 0, prefix: str = emit.PREFIX) -> str:
    """Verilog of the whole accelerator: top module ``prefix``, with which the names of all others begin."""
    title = (f"// Tenon accelerator, top module {prefix}. Configuration {params.name}: {params.rows} x {params.cols} array, "
             f"{params.lanes} lanes, {params.bus_bits}-bit bus.\n"
             f"// Covenant {fingerprint:08x}. This text is generated: change the configuration instead.\n")
    return title + emit.verilog(Accelerator(params, fingerprint=fingerprint), prefix, prefix=prefix)


class Accelerator(wiring.Component):
    """One DNN accelerator of the systolic family.

    Members
    -------
    m_axi_* :
        AXI4 manager: ``address_bits`` address bits, ``bus_bits`` data, one id, INCR bursts; attributes are constants.
    s_axil_* :
        AXI4-Lite subordinate with the registers of ``hw.registers``.
    irq : Out(1)
        High from the end of a program until it is cleared.
    scan_enable : In(1)
        High while scan chains shift: all gated clocks run. Low otherwise.
    perf_counters, mark_valid, mark_index : Out(32 * counters), Out(1), Out(12)
        For a bench: the counters, packed in order, and each time stamp as it is written.
    """

    def __init__(self, params: SystolicParams, *, fingerprint: int = 0):
        self.params, self.fingerprint = params, fingerprint
        ports = {name.replace("_", ""): member for name, member in axi.channels(params).items()} | {"bid": In(1), "rid": In(1)}
        ports |= {f"{channel}{name}": Out(width) for channel in ("aw", "ar") for name, width in
                  (("id", 1), ("size", 3), ("burst", 2), ("lock", 1), ("prot", 3), ("cache", 4), ("qos", 4))}
        super().__init__({
            **{f"m_axi_{name}": member for name, member in ports.items()}, **AXI_LITE, "irq": Out(1), "scan_enable": In(1),
            "perf_counters": Out(32 * len(COUNTERS)), "mark_valid": Out(1), "mark_index": Out(12),
        })

    def elaborate(self, platform):
        m = Module()
        p = self.params
        classes = engine_classes(p)
        control = emit.instance(m, "control", Control(p, self.fingerprint))
        for name in self.signature.members:
            if name.startswith("s_axil_"):
                ours, theirs = getattr(self, name), getattr(control, name)
                m.d.comb += theirs.eq(ours) if self.signature.members[name].flow == wiring.In else ours.eq(theirs)

        # Sequencer: fetch, dispatch, a queue per engine, tokens. What a run has filled is reset at its end.
        reset = ResetSignal() | control.reset
        dispatch = emit.instance(m, "dispatch", Dispatch([c.mnemonic(p) for c in classes.values()], memory_bytes(p)), reset=reset)
        counters = emit.instance(m, "counters", Counters(len(classes)), reset=reset)
        run_reset = Signal()
        m.d.comb += run_reset.eq(ResetSignal() | dispatch.cut)
        fetch = emit.instance(m, "fetch", Fetch(p, max(ENCODING.used(kind.mnemonic(p)) for kind in classes.values())), reset=run_reset)
        tokens = emit.instance(m, "tokens", TokenCounters(len(classes), p.tokens), reset=run_reset)
        queues = [emit.instance(m, f"queue_{name.lower()}", EngineQueue(p, ENCODING.used(kind.mnemonic(p))), reset=run_reset)
                  for name, kind in classes.items()]
        engines = {name: self._engine(m, name, kind(p), queue, run_reset)
                   for (name, kind), queue in zip(classes.items(), queues, strict=True)}
        m.d.comb += [
            fetch.start.eq(control.start), fetch.base.eq(control.base), fetch.length.eq(control.length),
            fetch.stop.eq(dispatch.fetch_stop), dispatch.i_valid.eq(fetch.o_valid), dispatch.i_instr.eq(fetch.o_instr),
            fetch.o_ready.eq(dispatch.i_ready), dispatch.exhausted.eq(fetch.exhausted),
            dispatch.fetch_quiet.eq(fetch.quiet), dispatch.start.eq(control.start),
            dispatch.queues_idle.eq(Cat(q.idle for q in queues).all()),
            dispatch.engines_busy.eq(Cat([q.active for q in queues], [getattr(e, "o_settles", 0) for e in engines.values()]).any()),
            dispatch.token_error.eq(tokens.overflow), dispatch.stop.eq(control.stop),
            control.finish.eq(dispatch.finish), control.error.eq(dispatch.error), control.index.eq(dispatch.index),
            self.irq.eq(control.irq),
        ]
        for e, (queue, engine) in enumerate(zip(queues, engines.values(), strict=True)):
            m.d.comb += [
                queue.push.eq(dispatch.push[e]), queue.w_instr.eq(fetch.o_instr), dispatch.push_ready[e].eq(queue.push_ready),
                tokens.want_valid[e].eq(queue.want_valid), tokens.want[e].eq(queue.want), queue.grant.eq(tokens.grant[e]),
                tokens.released[e].eq(queue.released), tokens.done[e].eq(queue.done),
                counters.busy[e].eq(engine.o_busy), counters.bank[e].eq(engine.o_stall_bank),
                counters.bus[e].eq(getattr(engine, "o_stall_bus", 0)), counters.head[e].eq(queue.head),
                counters.granted[e].eq(queue.i_valid),
                control.waiting[e].eq(Cat(tokens.lacking[e], queue.head, engine.o_busy, engine.o_stall_bank,
                                          getattr(engine, "o_stall_bus", 0))),
            ]

        # Time stamps: instructions of different engines may be done at once; the first in order is kept, which
        # costs nothing, since a layer's mark is on one engine.
        for queue in reversed(queues):
            with m.If(queue.mark_valid):
                m.d.comb += [self.mark_valid.eq(1), self.mark_index.eq(queue.mark)]
        m.d.comb += [
            control.mark_valid.eq(self.mark_valid), control.mark.eq(self.mark_index), control.cycle.eq(counters.value[0]),
            counters.clear.eq(control.start), counters.run.eq(dispatch.running | control.start),
            counters.read_beat.eq(self.m_axi_rvalid & self.m_axi_rready),
            counters.write_beat.eq(self.m_axi_wvalid & self.m_axi_wready), self.perf_counters.eq(Cat(counters.value)),
            *(control.counter[i].eq(value) for i, value in enumerate(counters.value)),
        ]
        load, store = engines["LOAD"], engines["STORE"]
        m.d.comb += [load.base.eq(Cat(control.segment)), store.base.eq(Cat(control.segment))]
        self._bus(m, control, dispatch, fetch, load, store, run_reset)
        self._memories(m, **{name.lower(): engine for name, engine in engines.items()})
        return m

    def _engine(self, m, name, component, queue, reset):
        """An engine behind its clock gate, wired to its queue."""
        gate = emit.instance(m, f"gate_{name.lower()}", ClockGate(gated=bool(self.params.clock_gating)))
        engine = emit.instance(m, name.lower(), component, clock=gate.gated, reset=reset)
        linger = Signal(_LINGER, name=f"linger_{name.lower()}")
        works = Signal(name=f"works_{name.lower()}")
        m.d.comb += [
            works.eq(queue.i_valid | engine.o_busy | getattr(engine, "o_settles", 0) | getattr(engine, "tab_en", 0)),
            gate.enable.eq(works | linger.any() | reset), gate.test_enable.eq(self.scan_enable),
            engine.i_valid.eq(queue.i_valid), engine.i_instr.eq(queue.i_instr), queue.i_ready.eq(engine.i_ready),
            queue.e_release.eq(engine.o_release), queue.e_done.eq(engine.o_done),
        ]
        m.d.sync += linger.eq(Cat(works, linger[:-1]))
        return engine

    def _bus(self, m, control, dispatch, fetch, load, store, reset):
        """The AXI4 port, behind its guard: reads shared by fetch and LOAD, writes of STORE."""
        port = emit.instance(m, "read_port", ReadPort(self.params), reset=reset)
        guard = emit.instance(m, "bus_guard", BusGuard(self.params))
        m.d.comb += [
            port.fetch_ar_valid.eq(fetch.ar_valid), fetch.ar_ready.eq(port.fetch_ar_ready),
            port.fetch_ar_addr.eq(fetch.ar_addr), fetch.r_valid.eq(port.fetch_r_valid),
            fetch.r_data.eq(port.fetch_r_data), fetch.r_error.eq(port.fetch_r_error),
            guard.base.eq(Cat(control.segment)), guard.bytes.eq(Cat(control.bytes)), guard.i_ar_fetch.eq(port.ar_fetch),
            guard.cut.eq(dispatch.cut), dispatch.bus_quiet.eq(guard.quiet),
        ]

        def connect(names, engine, bus):
            """Channels between two parts, each given as a part and a prefix of its members: names towards the bus, and back."""
            towards, back = ([(getattr(engine[0], engine[1] + n), getattr(bus[0], bus[1] + n)) for n in side] for side in names)
            m.d.comb += [*(b.eq(e) for e, b in towards), *(e.eq(b) for e, b in back)]

        reads = ("ar_valid", "ar_addr", "ar_len", "ar_seg", "r_ready"), ("ar_ready", "r_valid", "r_data", "r_resp", "r_last")
        writes = ("aw_valid", "aw_addr", "aw_len", "aw_seg", "w_valid", "w_data", "w_strb"), ("aw_ready", "w_ready", "b_valid", "b_resp")
        connect(reads, (load, ""), (port, "load_"))
        connect(reads, (port, ""), (guard, "i_"))
        connect(writes, (store, ""), (guard, "i_"))
        constants = {"size": (self.params.bus_bytes - 1).bit_length(), "burst": 1, "prot": self.params.axi_prot,
                     "cache": self.params.axi_cache, "qos": self.params.axi_qos}
        for name, member in axi.channels(self.params).items():
            ours, theirs = getattr(self, f"m_axi_{name.replace('_', '')}"), getattr(guard, name)
            m.d.comb += ours.eq(theirs) if member.flow == wiring.Out else theirs.eq(ours)
        for channel in ("ar", "aw"):
            m.d.comb += [getattr(self, f"m_axi_{channel}{name}").eq(value) for name, value in constants.items()]
        for pulse, code in ((store.o_error, ErrorCode.STORE_BUS), (load.o_error, ErrorCode.LOAD_BUS),
                            (fetch.o_error, ErrorCode.FETCH_BUS), (guard.o_error, ErrorCode.SEGMENT)):
            with m.If(pulse):
                m.d.comb += dispatch.bus_error.eq(code.value)

    def _memories(self, m, load, matrix, vector, store, window=None):
        """On-chip memories and who is connected to them."""
        p = self.params
        act = emit.instance(m, "activations", activation_buffer(p))
        wgt = emit.instance(m, "weights", weight_buffer(p))
        vec = {s: emit.instance(m, f"vectors_{s}", vector_buffer(p, stream=s)) for s in "xy"}
        par = {r: emit.instance(m, f"parameters_{r}", parameter_buffer(p, reader=r)) for r in "bzsx"}
        acc = emit.instance(m, "accumulators", Accumulators(p))
        m.d.comb += [
            act.matrix_en.eq(matrix.act_en), act.matrix_addr.eq(matrix.act_addr), matrix.act_data.eq(act.matrix_data),
            wgt.matrix_en.eq(matrix.wgt_en), wgt.matrix_addr.eq(matrix.wgt_addr), matrix.wgt_data.eq(wgt.matrix_data),
            acc.m_en.eq(matrix.accr_en), acc.m_addr.eq(matrix.accr_addr), matrix.accr_data.eq(acc.m_data),
            acc.w_en.eq(matrix.accw_en), acc.w_addr.eq(matrix.accw_addr), acc.w_data.eq(matrix.accw_data),
            acc.v_en.eq(vector.acc_en), acc.v_addr.eq(vector.acc_addr), vector.acc_grant.eq(acc.v_grant),
            vector.acc_data.eq(acc.v_data),
            act.vector_en.eq(vector.act_en), act.vector_addr.eq(vector.act_addr), act.vector_data.eq(vector.act_data),
            act.vector_mask.eq(vector.act_mask), vector.act_grant.eq(act.vector_grant),
            vec["x"].x_en.eq(vector.x_en), vec["x"].x_addr.eq(vector.x_addr), vector.x_grant.eq(vec["x"].x_grant),
            vector.x_data.eq(vec["x"].x_data),
            vec["y"].y_en.eq(vector.y_en), vec["y"].y_addr.eq(vector.y_addr), vector.y_grant.eq(vec["y"].y_grant),
            vector.y_data.eq(vec["y"].y_data), vector.v_grant.eq(vec["x"].vector_grant),
            vec["y"].store_en.eq(store.r_en), vec["y"].store_addr.eq(store.r_addr[(p.bus_bytes - 1).bit_length():]),
            store.r_grant.eq(vec["y"].store_grant), store.r_data.eq(vec["y"].store_data),
        ]
        if window is not None:
            for port, memory, name in (("act", act, "window"), ("wgt", wgt, "window"), ("par", par["z"], "window"), ("accr", acc, "x")):
                m.d.comb += [getattr(memory, f"{name}_{what}").eq(getattr(window, f"{port}_{what}")) for what in ("en", "addr")]
                answers = ("free", "data") if port == "act" else ("grant", "data")
                m.d.comb += [getattr(window, f"{port}_{what}").eq(getattr(memory, f"{name}_{what}")) for what in answers]
            m.d.comb += [acc.xw_en.eq(window.accw_en), acc.xw_addr.eq(window.accw_addr), acc.xw_data.eq(window.accw_data),
                         window.accw_grant.eq(acc.xw_grant)]
        for copy in vec.values():
            m.d.comb += [copy.vector_en.eq(vector.v_en), copy.vector_addr.eq(vector.v_addr),
                         copy.vector_data.eq(vector.v_data), copy.vector_mask.eq(vector.v_mask)]
        for reader, engine, port in (("b", matrix, "b"), ("z", matrix, "z"), ("s", vector, "s"), ("x", vector, "n")):
            m.d.comb += [par[reader].word_en.eq(getattr(engine, f"{port}_en")),
                         par[reader].word_addr.eq(getattr(engine, f"{port}_addr")),
                         getattr(engine, f"{port}_data").eq(par[reader].word_data)]
        for copy in par.values():
            m.d.comb += [getattr(copy, f"vector_{what}").eq(getattr(vector, f"p_{what}")) for what in ("en", "addr", "data", "mask")]
        m.d.comb += vector.p_grant.eq(par["s"].vector_grant)

        # LOAD writes whichever memory its instruction names; every copy of it.
        chunk = load.w_addr[(p.bus_bytes - 1).bit_length():]
        users = {"ACT": [act], "WGT": [wgt], "VEC": list(vec.values()), "PAR": list(par.values())}
        grant = emit.instance(m, "load_grant", LoadGrant(p))
        m.d.comb += [
            grant.load_mem.eq(load.next_mem), grant.load_addr.eq(load.next_addr), grant.act.eq(vector.act_next),
            grant.vec.eq(vector.v_next), grant.par.eq(vector.p_next), grant.act_addr.eq(vector.next_addr),
            grant.vec_addr.eq(vector.next_addr),
            load.w_grant.eq(grant.grant & (wgt.load_grant | (load.w_mem != LOAD_TARGETS.index("WGT")))),
        ]
        with m.Switch(load.w_mem):
            for index, memory in enumerate(LOAD_TARGETS):
                with m.Case(index):
                    for user in users.get(memory, []):
                        m.d.comb += user.load_en.eq(load.w_en)
                    if memory == "TAB":
                        m.d.comb += vector.tab_en.eq(load.w_en)
        for memory in users.values():
            for user in memory:
                m.d.comb += [user.load_addr.eq(chunk), user.load_data.eq(load.w_data), user.load_mask.eq(load.w_mask)]
        parts = p.line_bytes // p.bus_bytes
        part = chunk[:(parts - 1).bit_length()]
        m.d.comb += [
            vector.tab_addr.eq(chunk[(parts - 1).bit_length():]), vector.tab_data.eq(load.w_data.replicate(parts)),
            vector.tab_mask.eq(load.w_mask << (part * p.bus_bytes) if parts > 1 else load.w_mask),
        ]
