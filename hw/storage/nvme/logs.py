"""Logs, and the settings that features are."""

from __future__ import annotations

import enum

from tenon.hw.storage.layout import Field, Layout, bits, octets

__all__ = ["COUNTERS", "EFFECT", "EFFECTS_BYTES", "ERROR_ENTRY", "PROGRAM_DESCRIPTOR", "SMART", "Event", "EventType", "Feature", "Log"]

EFFECTS_BYTES = 4096
_LINUX, _ONE = "Linux 6.1, libnvme", "SPDK fork"


class Log(enum.IntEnum):
    """Log page identifiers (NVM Express Base Specification 2.2)."""

    SUPPORTED = 0x00
    ERROR = 0x01
    SMART = 0x02
    FIRMWARE = 0x03
    EFFECTS = 0x05
    FEATURES = 0x12
    PROGRAMS = 0x82
    PROGRAM_TYPES = 0x83
    MEMORY_RANGE_SETS = 0x84
    COUNTERS = 0xC0  # ours


class Feature(enum.IntEnum):
    """Feature identifiers (NVM Express Base Specification 2.2)."""

    ARBITRATION = 0x01
    POWER_MANAGEMENT = 0x02
    TEMPERATURE_THRESHOLD = 0x04
    VOLATILE_WRITE_CACHE = 0x06
    NUMBER_OF_QUEUES = 0x07
    INTERRUPT_COALESCING = 0x08
    INTERRUPT_VECTOR = 0x09
    WRITE_ATOMICITY = 0x0A
    ASYNC_EVENTS = 0x0B
    COMMAND_SET_PROFILE = 0x19
    FAST_READS = 0xC0  # ours: 0 sends every command to firmware


class EventType(enum.IntEnum):
    """Types of asynchronous events."""

    ERROR = 0
    HEALTH = 1
    NOTICE = 2


class Event(enum.IntEnum):
    """Error events by their information."""

    INVALID_DOORBELL_REGISTER = 0
    INVALID_DOORBELL_VALUE = 1


EFFECT = Layout("command_effect", 4, "What a command does: entry n of the admin half, or of the other, is of opcode n.", (
    bits("csupp", 0, 0, 0, "supported", _LINUX), bits("lbcc", 0, 1, 1, "changes blocks", _LINUX),
    bits("ncc", 0, 2, 2, "changes what a namespace can do", _LINUX), bits("nic", 0, 3, 3, "changes which namespaces there are", _LINUX),
    bits("ccc", 0, 4, 4, "changes what the controller can do", _LINUX), bits("cse", 0, 18, 16, "who must wait meanwhile", _LINUX)))


def _entry(name: str, first: int, size: int, doc: str) -> Field:
    return octets(name, first, size, doc, _LINUX)


ERROR_ENTRY = Layout("error_entry", 64, "A command that failed.", (
    _entry("count", 0, 8, "errors until then, this one included; 0: no entry"), _entry("sqid", 8, 2, "its submission queue"),
    _entry("cid", 10, 2, "its name"), _entry("status", 12, 2, "completion's status, phase included"),
    _entry("location", 14, 2, "byte 7:0 and bit 10:8 of the field that is wrong"), _entry("lba", 16, 8, "first block"),
    _entry("nsid", 24, 4, "namespace"), _entry("information", 32, 8, "the command's own")))

SMART = Layout("smart", 512, "Health.", (
    _entry("critical_warning", 0, 1, "what is wrong"), _entry("temperature", 1, 2, "K"), _entry("available_spare", 3, 1, "percent"),
    _entry("spare_threshold", 4, 1, "percent"), _entry("percentage_used", 5, 1, "of the life that was estimated"),
    _entry("data_units_read", 32, 16, "thousands of 512 bytes"), _entry("data_units_written", 48, 16, "likewise"),
    _entry("host_reads", 64, 16, "commands"), _entry("host_writes", 80, 16, "commands"), _entry("busy_minutes", 96, 16, "minutes"),
    _entry("power_cycles", 112, 16, "times"), _entry("power_on_hours", 128, 16, "hours"), _entry("unsafe_shutdowns", 144, 16, "times"),
    _entry("media_errors", 160, 16, "unrecovered"), _entry("error_entries", 176, 16, "of the error log, ever")))

_OURS = "this drive"
COUNTERS = Layout("counters", 32, "What the drive has counted since power on, bits 31:0 of each.", (
    octets("fast_reads", 0, 8, "reads that hardware carried out", _OURS).ours(),
    octets("processor_bursts", 8, 8, "in the device's memory, of the processor", _OURS).ours(),
    octets("transfer_bursts", 16, 8, "of data to and from the host and flash, and of the map", _OURS).ours(),
    octets("accelerator_bursts", 24, 8, "of the accelerator", _OURS).ours()))

PROGRAM_DESCRIPTOR = Layout("program_descriptor", 64, "An entry of the program list.", (
    bits("peocc", 0, 1, 0, "occupied", _ONE).ours(), bits("act", 0, 2, 2, "activated", _ONE).ours(),
    bits("pit", 0, 5, 3, "kind of identifier", _ONE).ours(),
    octets("ptype", 1, 1, "what kind of program", _ONE).ours(), octets("pid", 8, 8, "identifier", _ONE).ours()))
