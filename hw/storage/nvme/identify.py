"""What Identify answers: the controller, its namespaces, and how they are found."""

from __future__ import annotations

import enum

from tenon.hw.storage.layout import Field, Layout, octets

__all__ = ["CNS", "COMPUTE_NAMESPACE", "CONTROLLER", "DESCRIPTOR_HEAD", "IDENTIFY_BYTES", "INDEPENDENT_NAMESPACE", "MEMORY_NAMESPACE",
           "NVM_NAMESPACE", "DescriptorType"]

IDENTIFY_BYTES = 4096
_LINUX = "Linux 6.1"  # whose structures are laid out as the specification's figures
_ONE = "SPDK fork"
_FORMATS = 64


class CNS(enum.IntEnum):
    """Which structure Identify asks for (NVM Express Base Specification 2.2, and libnvme)."""

    NVM_NAMESPACE = 0x00
    CONTROLLER = 0x01
    ACTIVE_NAMESPACES = 0x02
    DESCRIPTORS = 0x03
    NAMESPACE_OF_SET = 0x05
    CONTROLLER_OF_SET = 0x06
    ACTIVE_NAMESPACES_OF_SET = 0x07
    INDEPENDENT_NAMESPACE = 0x08
    COMMAND_SETS = 0x1C


class DescriptorType(enum.IntEnum):
    """Entries of the namespace's descriptors."""

    EUI64 = 1
    NGUID = 2
    UUID = 3
    COMMAND_SET = 4


def _fields(*rows: tuple[str, int, int, str]) -> tuple[Field, ...]:
    return tuple(octets(*row, _LINUX) for row in rows)


CONTROLLER = Layout("identify_controller", IDENTIFY_BYTES, "The controller.", _fields(
    ("vid", 0, 2, "PCI vendor"), ("ssvid", 2, 2, "PCI subsystem vendor"), ("sn", 4, 20, "serial number, ASCII, filled with spaces"),
    ("mn", 24, 40, "model, likewise"), ("fr", 64, 8, "firmware revision, likewise"), ("rab", 72, 1, "recommended arbitration burst"),
    ("ieee", 73, 3, "vendor's OUI"), ("cmic", 76, 1, "several paths: none"),
    ("mdts", 77, 1, "most data of a command: 2 to this power of the smallest pages"), ("cntlid", 78, 2, "controller"),
    ("ver", 80, 4, "version, as register VS"), ("rtd3r", 84, 4, "resume latency"), ("rtd3e", 88, 4, "entry latency"),
    ("oaes", 92, 4, "events that can be asked for"), ("ctratt", 96, 4, "attributes"), ("cntrltype", 111, 1, "1: an I/O controller"),
    ("oacs", 256, 2, "optional admin commands"), ("acl", 258, 1, "Aborts at a time, less one"),
    ("aerl", 259, 1, "event requests at a time, less one"), ("frmw", 260, 1, "firmware slots"),
    ("lpa", 261, 1, "logs; bit 1: commands and effects"), ("elpe", 262, 1, "error log entries, less one"),
    ("npss", 263, 1, "power states, less one"), ("apsta", 265, 1, "power states by itself"), ("wctemp", 266, 2, "warning temperature, K"),
    ("cctemp", 268, 2, "critical temperature, K"), ("sqes", 512, 1, "submission entries: 2 to these powers of bytes, least and most"),
    ("cqes", 513, 1, "completion entries, likewise"), ("maxcmd", 514, 2, "commands at a time"), ("nn", 516, 4, "highest namespace"),
    ("oncs", 520, 2, "optional NVM commands"), ("fuses", 522, 2, "fused operations"), ("fna", 524, 1, "Format"),
    ("vwc", 525, 1, "bit 0: a volatile write cache; bits 2:1: Flush of all namespaces"),
    ("awun", 526, 2, "blocks written as one, less one"), ("awupf", 528, 2, "blocks written as one at a power failure, less one"),
    ("acwu", 532, 2, "blocks compared and written as one"), ("sgls", 536, 4, "SGLs"), ("mnan", 540, 4, "namespaces at most"),
    ("subnqn", 768, 256, "name of the subsystem, UTF-8, ended by 0"), ("psd0", 2048, 32, "power state 0")))

NVM_NAMESPACE = Layout("identify_nvm_namespace", IDENTIFY_BYTES, "A namespace of the NVM command set.", _fields(
    ("nsze", 0, 8, "blocks"), ("ncap", 8, 8, "blocks that can be in use"), ("nuse", 16, 8, "blocks in use"), ("nsfeat", 24, 1, "features"),
    ("nlbaf", 25, 1, "formats, less one"), ("flbas", 26, 1, "the format that it has"), ("mc", 27, 1, "metadata"),
    ("dpc", 28, 1, "protection"), ("dps", 29, 1, "protection, as it is"), ("nmic", 30, 1, "several paths"),
    ("fpi", 32, 1, "Format's progress"),
    ("dlfeat", 33, 1, "deallocated blocks; bits 2:0 = 1: read as zero"), ("nawun", 34, 2, "as awun"), ("nawupf", 36, 2, "as awupf"),
    ("noiob", 46, 2, "best I/O boundary, in blocks"), ("npwg", 64, 2, "best write granularity, less one"),
    ("npwa", 66, 2, "best write alignment, less one"), ("npdg", 68, 2, "best deallocate granularity, less one"),
    ("npda", 70, 2, "best deallocate alignment, less one"), ("nows", 72, 2, "best write size, less one"), ("nguid", 104, 16, "its name"),
    ("eui64", 120, 8, "its name, of 64 bits"),
    *((f"lbaf{n}", 128 + 4 * n, 4, "format: metadata 15:0, log2 of bytes 23:16, performance 25:24") for n in range(_FORMATS))))

INDEPENDENT_NAMESPACE = Layout("identify_independent_namespace", IDENTIFY_BYTES, "What every namespace says, of any command set.", _fields(
    ("nsfeat", 0, 1, "features"), ("nmic", 1, 1, "several paths"), ("rescap", 2, 1, "reservations"), ("fpi", 3, 1, "Format's progress"),
    ("anagrpid", 4, 4, "group"), ("nsattr", 8, 1, "attributes"), ("nvmsetid", 10, 2, "NVM set"), ("endgid", 12, 2, "endurance group"),
    ("nstat", 14, 1, "bit 0: ready")))

#: Its size is where an NVM namespace has it: no specification was at hand.
MEMORY_NAMESPACE = Layout("identify_memory_namespace", IDENTIFY_BYTES, "A namespace of the Subsystem Local Memory command set.", (
    octets("size", 0, 8, "bytes", "none").ours(),))

COMPUTE_NAMESPACE = Layout("identify_compute_namespace", IDENTIFY_BYTES, "A namespace of the Computational Programs command set.", tuple(
    octets(*row, _ONE).ours() for row in (
        ("maxact", 0, 2, "programs activated at a time"), ("maxmemrs", 2, 2, "memory range sets"),
        ("mrsg", 4, 2, "granularity of memory ranges"), ("maxmemr", 6, 1, "ranges in a set"), ("maxpb", 8, 8, "bytes of programs"),
        ("lpg", 16, 1, "granularity of Load Program"))))

DESCRIPTOR_HEAD = Layout("namespace_descriptor", 4, "Before each of a namespace's names; one of no type ends them.", _fields(
    ("nidt", 0, 1, "what kind of name"), ("nidl", 1, 1, "its bytes")))
