"""The whole drive: front end, processor, accelerator and, between them, the device's memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tenon.hw import emit
from tenon.hw.accelerator import Accelerator
from tenon.hw.axi_lite import AXI_LITE
from tenon.hw.storage.bus import ReadShare, WriteShare, attach, read_bus, write_bus
from tenon.hw.storage.flash.hub import FlashHub, flash_pins
from tenon.hw.storage.front_end import FrontEnd
from tenon.hw.storage.guard import Window, WindowGuard
from tenon.hw.storage.lite_bridge import LiteBridge
from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.processor import Processor
from tenon.hw.storage.processor_registers import Counter

__all__ = ["DRIVE_PREFIX", "Drive", "drive_verilog"]

#: What the names of a drive's modules begin with: the accelerator's modules, which are inside, begin with another.
DRIVE_PREFIX = "tenon_drive"

_STILL = 255  # cycles

#: Constants of the requests on an AXI4 port: one id, INCR bursts of whole words; attributes are the system's to choose.
_CONSTANT = {"id": (1, 0), "burst": (2, 1), "lock": (1, 0), "prot": (3, 0), "cache": (4, 0), "qos": (4, 0)}


def drive_verilog(params: StorageParams, *, fingerprint: int = 0, prefix: str = DRIVE_PREFIX) -> str:
    """Verilog of a drive: top module ``prefix``, with which the names of all others begin but the processor core's.

    ``fingerprint``: first 32 bits of that of the accelerator's covenant.
    """
    title = (f"// Tenon drive, top module {prefix}. Configuration {params.name}: {params.queues} pairs of queues, {params.slots} slots, "
             f"{params.host_bits}-bit bus to the host.\n// This text is generated: change the configuration instead.\n")
    return title + emit.verilog(Drive(params, fingerprint=fingerprint), prefix, prefix=prefix)


def _axi4(prefix: str, address_bits: int, bits: int) -> dict[str, wiring.Member]:
    """The signals of an AXI4 manager, by the standard's names."""
    bus = {**read_bus(address_bits, bits), **write_bus(address_bits, bits)}
    ports = {name.replace("_", ""): member for name, member in bus.items()} | {"bid": In(1), "rid": In(1)}
    ports |= {f"{channel}{name}": Out(width) for channel in ("aw", "ar") for name, (width, _) in (_CONSTANT | {"size": (3, 0)}).items()}
    return {f"{prefix}{name}": member for name, member in ports.items()}


class Drive(wiring.Component):
    """An NVMe drive up to where a PCIe endpoint and a DRAM controller begin.

    Members
    -------
    s_axil_* :
        AXI4-Lite subordinate: BAR 0.
    host_axi_* :
        AXI4 manager of the host's memory: 64 address bits, ``host_bits`` of data.
    memory_axi_* :
        AXI4 manager of the device's memory: ``address_bits`` address bits, ``memory_bits`` of data.
    msix_enable, msix_mask : In(1)
        MSI-X enable and function mask of PCI's configuration space.
    time_ns : In(64)
        Nanoseconds since power-on, from whatever counts them.
    idle : Out(1)
        Nothing has happened for a while, and nothing will until the host does something: whoever simulates may let time jump.
    flash_ce, flash_cle, flash_ale, flash_we, flash_re, flash_o, flash_i, flash_ready :
        Flash buses side by side, the first lowest: ``hw.storage.flash.channel``.
    trace_valid, trace : Out(1), Out(32)
        Words that firmware shows to whoever watches.
    """

    def __init__(self, params: StorageParams, *, fingerprint: int = 0):
        self.params, self.fingerprint = params, fingerprint
        super().__init__({
            **AXI_LITE, **_axi4("host_axi_", 64, params.host_bits), **_axi4("memory_axi_", params.address_bits, params.memory_bits),
            **{f"flash_{name}": wiring.Member(member.flow, len(Const(0, member.shape)) * params.channels)
               for name, member in flash_pins(params).items()},
            "msix_enable": In(1), "msix_mask": In(1), "time_ns": In(64), "idle": Out(1),
            "trace_valid": Out(1), "trace": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        p = self.params
        front = emit.instance(m, "front", FrontEnd(p))
        processor = emit.instance(m, "processor", Processor(p))
        accelerator = emit.instance(m, "accelerator", Accelerator(p.accelerator, fingerprint=self.fingerprint))
        hub = emit.instance(m, "flash", FlashHub(p))
        bridge = emit.instance(m, "bridge", LiteBridge())
        guard = emit.instance(m, "guard", WindowGuard(address_bits=p.accelerator.address_bits, bits=p.memory_bits))
        for name, member in AXI_LITE.items():
            ours, theirs = getattr(self, name), getattr(front, name)
            m.d.comb += theirs.eq(ours) if member.flow == wiring.In else ours.eq(theirs)
        m.d.comb += [
            processor.irq.eq(front.irq), front.x_irq.eq(accelerator.irq), accelerator.scan_enable.eq(0),
            bridge.access.eq(processor.x_access), bridge.strobes.eq(processor.x_strobes), processor.x_ack.eq(bridge.ack),
            processor.x_answer.eq(bridge.answer),
            *(getattr(bridge, name).eq(getattr(processor, f"p_{name}")) for name in ("write", "word", "value")),
            *(getattr(front, name).eq(getattr(processor, name)) for name in ("p_access", "p_write", "p_word", "p_value")),
            *(getattr(processor, name).eq(getattr(front, name)) for name in ("p_ack", "p_answer")),
            *(getattr(front, name).eq(getattr(self, name)) for name in ("msix_enable", "msix_mask", "time_ns")),
            *(getattr(hub, f"i_{name}").eq(getattr(front, f"l_{name}")) for name in
              ("valid", "channel", "die", "op", "row", "unit", "more", "addr", "lba", "sequence", "tag")),
            front.l_ready.eq(hub.i_ready), hub.o_ready.eq(front.n_ready),
            *(getattr(front, f"n_{name}").eq(getattr(hub, f"o_{name}"))
              for name in ("valid", "tag", "status", "errors", "lba", "sequence")),
            *(getattr(front, f"q_{name}").eq(getattr(hub, f"q_{name}")) for name in ("valid", "tag", "status")),
            hub.q_ready.eq(front.q_ready), self.trace_valid.eq(front.trace_valid), self.trace.eq(front.trace),
        ]
        for name, member in AXI_LITE.items():
            ours, theirs = getattr(bridge, name), getattr(accelerator, name)
            m.d.comb += theirs.eq(ours) if member.flow == wiring.In else ours.eq(theirs)
        for window in Window:
            m.d.comb += [guard.base[window].eq(front.g_base[window]), guard.bytes[window].eq(front.g_bytes[window])]
        for name, member in {**read_bus(32, p.memory_bits), **write_bus(32, p.memory_bits)}.items():
            ours, theirs = getattr(accelerator, f"m_axi_{name.replace('_', '')}"), getattr(guard, f"i_{name}")
            m.d.comb += theirs.eq(ours) if member.flow == wiring.Out else ours.eq(theirs)

        for name, member in flash_pins(p).items():
            ours, theirs = getattr(self, f"flash_{name}"), Cat(getattr(hub, f"f{c}_{name}") for c in range(p.channels))
            m.d.comb += ours.eq(theirs) if member.flow == wiring.Out else theirs.eq(ours)

        # The core sleeps when it asks for nothing: no loop of firmware's stays in its caches for so long.
        still, counted = Signal(range(_STILL + 1)), Signal(32)
        m.d.sync += counted.eq(accelerator.perf_counters[:32])
        asked = self.s_axil_awvalid | self.s_axil_arvalid
        with m.If(front.busy | hub.busy | processor.active | (counted != accelerator.perf_counters[:32]) | asked):
            m.d.sync += still.eq(0)
        with m.Elif(~self.idle):
            m.d.sync += still.eq(still + 1)
        m.d.comb += self.idle.eq(still == _STILL)

        # The device's memory: the processor waits for every word, so it goes first; the accelerator goes last, and has its share.
        memory = {"address_bits": p.address_bits, "bits": p.memory_bits}
        reads = emit.instance(m, "memory_reads", ReadShare(users=4, share=p.share, **memory))
        writes = emit.instance(m, "memory_writes", WriteShare(users=4, share=p.share, **memory))
        for bus, share in ((read_bus(**memory), reads), (write_bus(**memory), writes)):
            attach(m, bus, (processor, ""), (share, "u0_"))
            attach(m, bus, (front, "m_"), (share, "u1_"))
            attach(m, bus, (hub, ""), (share, "u2_"))
            attach(m, bus, (guard, ""), (share, "u3_"))
        users = (Counter.PROCESSOR_BURSTS, Counter.TRANSFER_BURSTS, Counter.TRANSFER_BURSTS, Counter.ACCELERATOR_BURSTS)
        for counter in set(users):
            m.d.comb += front.bursts[counter].eq(sum(
                getattr(share, f"u{u}_{channel}_valid") & getattr(share, f"u{u}_{channel}_ready")
                for u, whose in enumerate(users) if whose is counter for share, channel in ((reads, "ar"), (writes, "aw"))))
        self._port(m, "memory_axi_", {**read_bus(**memory)}, (reads, ""), p.memory_bits)
        self._port(m, "memory_axi_", {**write_bus(**memory)}, (writes, ""), p.memory_bits)
        host = {"address_bits": 64, "bits": p.host_bits}
        self._port(m, "host_axi_", {**read_bus(**host), **write_bus(**host)}, (front, "h_"), p.host_bits)
        return m

    def _port(self, m: Module, prefix: str, bus: dict, manager: tuple[object, str], bits: int) -> None:
        """Leads a bus out, with what is constant beside it."""
        part, inside = manager
        for name, member in bus.items():
            ours, theirs = getattr(self, prefix + name.replace("_", "")), getattr(part, inside + name)
            m.d.comb += ours.eq(theirs) if member.flow == wiring.Out else theirs.eq(ours)
        constants = _CONSTANT | {"size": (3, (bits // 8 - 1).bit_length())}
        for channel in {name[:2] for name in bus} & {"ar", "aw"}:
            m.d.comb += [getattr(self, f"{prefix}{channel}{name}").eq(value) for name, (_, value) in constants.items()]
