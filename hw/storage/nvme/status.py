"""How a command ended: status code types and codes (NVM Express Base Specification 2.2, figures 100 to 107)."""

from __future__ import annotations

import enum

__all__ = ["Status", "StatusType"]


class StatusType(enum.IntEnum):
    """Status code types."""

    GENERIC = 0
    COMMAND = 1
    MEDIA = 2
    PATH = 3
    VENDOR = 7


class Status(enum.Enum):
    """(type, code) by the specification's names."""

    SUCCESS = (StatusType.GENERIC, 0x00)
    INVALID_OPCODE = (StatusType.GENERIC, 0x01)
    INVALID_FIELD = (StatusType.GENERIC, 0x02)
    CID_CONFLICT = (StatusType.GENERIC, 0x03)
    DATA_TRANSFER_ERROR = (StatusType.GENERIC, 0x04)
    ABORTED_POWER_LOSS = (StatusType.GENERIC, 0x05)
    INTERNAL_ERROR = (StatusType.GENERIC, 0x06)
    ABORT_REQUESTED = (StatusType.GENERIC, 0x07)
    ABORTED_SQ_DELETED = (StatusType.GENERIC, 0x08)
    INVALID_NAMESPACE_OR_FORMAT = (StatusType.GENERIC, 0x0B)
    COMMAND_SEQUENCE_ERROR = (StatusType.GENERIC, 0x0C)
    PRP_OFFSET_INVALID = (StatusType.GENERIC, 0x13)
    LBA_OUT_OF_RANGE = (StatusType.GENERIC, 0x80)
    CAPACITY_EXCEEDED = (StatusType.GENERIC, 0x81)
    NAMESPACE_NOT_READY = (StatusType.GENERIC, 0x82)
    COMPLETION_QUEUE_INVALID = (StatusType.COMMAND, 0x00)
    INVALID_QUEUE_IDENTIFIER = (StatusType.COMMAND, 0x01)
    INVALID_QUEUE_SIZE = (StatusType.COMMAND, 0x02)
    ABORT_LIMIT_EXCEEDED = (StatusType.COMMAND, 0x03)
    ASYNC_EVENT_LIMIT_EXCEEDED = (StatusType.COMMAND, 0x05)
    INVALID_INTERRUPT_VECTOR = (StatusType.COMMAND, 0x08)
    INVALID_LOG_PAGE = (StatusType.COMMAND, 0x09)
    INVALID_QUEUE_DELETION = (StatusType.COMMAND, 0x0C)
    FEATURE_NOT_SAVEABLE = (StatusType.COMMAND, 0x0D)
    FEATURE_NOT_CHANGEABLE = (StatusType.COMMAND, 0x0E)
    FEATURE_NOT_NAMESPACE_SPECIFIC = (StatusType.COMMAND, 0x0F)
    COMMAND_SIZE_LIMIT_EXCEEDED = (StatusType.COMMAND, 0x83)
    INCOMPATIBLE_NAMESPACE = (StatusType.COMMAND, 0x85)
    FAST_COPY_NOT_POSSIBLE = (StatusType.COMMAND, 0x86)
    OVERLAPPING_RANGE = (StatusType.COMMAND, 0x87)
    NAMESPACE_NOT_REACHABLE = (StatusType.COMMAND, 0x88)
    INSUFFICIENT_RESOURCES = (StatusType.COMMAND, 0x89)
    INSUFFICIENT_PROGRAM_RESOURCES = (StatusType.COMMAND, 0x8A)
    INVALID_MEMORY_NAMESPACE = (StatusType.COMMAND, 0x8B)
    INVALID_MEMORY_RANGE_SET = (StatusType.COMMAND, 0x8C)
    INVALID_MEMORY_RANGE_SET_IDENTIFIER = (StatusType.COMMAND, 0x8D)
    INVALID_PROGRAM_DATA = (StatusType.COMMAND, 0x8E)
    INVALID_PROGRAM_INDEX = (StatusType.COMMAND, 0x8F)
    INVALID_PROGRAM_TYPE = (StatusType.COMMAND, 0x90)
    MAXIMUM_MEMORY_RANGES_EXCEEDED = (StatusType.COMMAND, 0x91)
    MAXIMUM_MEMORY_RANGE_SETS_EXCEEDED = (StatusType.COMMAND, 0x92)
    MAXIMUM_PROGRAMS_ACTIVATED = (StatusType.COMMAND, 0x93)
    MAXIMUM_PROGRAM_BYTES_EXCEEDED = (StatusType.COMMAND, 0x94)
    MEMORY_RANGE_SET_IN_USE = (StatusType.COMMAND, 0x95)
    NO_PROGRAM = (StatusType.COMMAND, 0x96)
    OVERLAPPING_MEMORY_RANGES = (StatusType.COMMAND, 0x97)
    PROGRAM_NOT_ACTIVATED = (StatusType.COMMAND, 0x98)
    PROGRAM_IN_USE = (StatusType.COMMAND, 0x99)
    PROGRAM_INDEX_NOT_DOWNLOADABLE = (StatusType.COMMAND, 0x9A)
    PROGRAM_TOO_BIG = (StatusType.COMMAND, 0x9B)
    WRITE_FAULT = (StatusType.MEDIA, 0x80)
    UNRECOVERED_READ_ERROR = (StatusType.MEDIA, 0x81)
    COMPARE_FAILURE = (StatusType.MEDIA, 0x85)

    @property
    def type(self) -> StatusType:
        return self.value[0]

    @property
    def code(self) -> int:
        return self.value[1]

    def word(self, *, retry: bool = False) -> int:
        """The completion's bits above its phase; unless ``retry``, the same command would end so again."""
        failed = self is not Status.SUCCESS
        return self.code | self.type << 8 | (failed and not retry) << 14
