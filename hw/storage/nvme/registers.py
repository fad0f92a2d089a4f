"""The controller's registers in the host's address space (NVM Express Base Specification 2.2, section 3.1.4)."""

from __future__ import annotations

from tenon.hw.storage.layout import Field, Layout, bits

__all__ = ["BAR_BYTES", "CONTROLLER_REGISTERS", "DOORBELLS", "MSIX_PENDING", "MSIX_TABLE", "MSIX_VECTOR", "PCI_DEVICE", "PCI_VENDOR",
           "VERSION"]

BAR_BYTES = 0x4000
DOORBELLS = 0x1000  # four bytes each: 2q is submission queue q's tail, 2q + 1 completion queue q's head
MSIX_TABLE = 0x2000  # where PCI's configuration space says that they are
MSIX_PENDING = 0x3000

VERSION = 0x0002_0100  # 2.1.0

PCI_VENDOR = 0x10EE  # of the FPGA endpoint that a drive would most likely stand behind: none is assigned to this project
PCI_DEVICE = 0x544E

_BASE, _PCI = "Base 2.2", "PCI Local Bus 3.0"


def _at(offset: int, name: str, high: int, low: int, doc: str) -> Field:
    return bits(name, offset // 4, high, low, doc, _BASE)


CONTROLLER_REGISTERS = Layout("controller_registers", 0x70, "Registers from the beginning of BAR 0.", (
    _at(0x00, "cap_mqes", 15, 0, "entries of a queue at most, less one"), _at(0x00, "cap_cqr", 16, 16, "1: queues are contiguous"),
    _at(0x00, "cap_to", 31, 24, "how long RDY may take, in 500 ms"), _at(0x04, "cap_dstrd", 3, 0, "doorbells are 4 << this apart"),
    _at(0x04, "cap_css", 12, 5, "command sets: bit 0 NVM, bit 6 whatever Identify says"),
    _at(0x04, "cap_mpsmin", 19, 16, "smallest page: 4 KiB << this"), _at(0x04, "cap_mpsmax", 23, 20, "largest page, likewise"),
    _at(0x08, "vs", 31, 0, "version"),
    _at(0x0C, "intms", 31, 0, "masks interrupts; not with MSI-X: 0"), _at(0x10, "intmc", 31, 0, "likewise"),
    _at(0x14, "cc_en", 0, 0, "enable"), _at(0x14, "cc_css", 6, 4, "command sets: 0 NVM, 6 all, 7 administration alone"),
    _at(0x14, "cc_mps", 10, 7, "page: 4 KiB << this"), _at(0x14, "cc_ams", 13, 11, "arbitration: 0 round robin"),
    _at(0x14, "cc_shn", 15, 14, "shutdown: 1 normal, 2 abrupt"), _at(0x14, "cc_iosqes", 19, 16, "log2 of a submission entry's bytes"),
    _at(0x14, "cc_iocqes", 23, 20, "log2 of a completion entry's bytes"),
    _at(0x1C, "csts_rdy", 0, 0, "ready"), _at(0x1C, "csts_cfs", 1, 1, "the controller has failed"),
    _at(0x1C, "csts_shst", 3, 2, "shutdown: 0 none, 1 in progress, 2 complete"),
    _at(0x24, "aqa_asqs", 11, 0, "entries of the admin submission queue, less one"),
    _at(0x24, "aqa_acqs", 27, 16, "entries of the admin completion queue, less one"),
    _at(0x28, "asq", 63, 0, "where the admin submission queue begins: at a page"),
    _at(0x30, "acq", 63, 0, "where the admin completion queue begins: at a page"),
))

MSIX_VECTOR = Layout("msix_vector", 16, "An entry of the MSI-X table.", (
    bits("address", 0, 63, 0, "where the message goes", _PCI), bits("data", 2, 31, 0, "the message", _PCI),
    bits("masked", 3, 0, 0, "1: it is not sent", _PCI)))
