"""Submission and completion queue entries (NVM Express Base Specification 2.2)."""

from __future__ import annotations

from tenon.hw.storage.layout import Layout, bits

__all__ = ["ADMIN_ENTRIES", "COMPLETION", "COMPLETION_BYTES", "PRP_ENTRY_BYTES", "SUBMISSION", "SUBMISSION_BYTES"]

SUBMISSION_BYTES = 64
COMPLETION_BYTES = 16
PRP_ENTRY_BYTES = 8
ADMIN_ENTRIES = 4096  # an admin queue's at most, whatever the most of others is
_BASE = "Base 2.2"

#: What every command has; fields of its own are in ``commands``.
SUBMISSION = Layout("submission", SUBMISSION_BYTES, "A command as the host writes it into a submission queue.", (
    bits("opcode", 0, 7, 0, "which command of the queue's kind; bits 1:0 say which way data go", _BASE),
    bits("fuse", 0, 9, 8, "fused operation; not supported: 0", _BASE),
    bits("psdt", 0, 15, 14, "0: data are described by PRPs, else by an SGL, which is not supported", _BASE),
    bits("cid", 0, 31, 16, "the host's name of the command", _BASE),
    bits("nsid", 1, 31, 0, "namespace", _BASE),
    bits("cdw2", 2, 31, 0, "the command's own", _BASE),
    bits("cdw3", 3, 31, 0, "the command's own", _BASE),
    bits("mptr", 4, 63, 0, "metadata; not supported", _BASE),
    bits("prp1", 6, 63, 0, "first page of the data, with an offset", _BASE),
    bits("prp2", 8, 63, 0, "second page, or a list of pages", _BASE),
    *(bits(f"cdw{n}", n, 31, 0, "the command's own", _BASE) for n in range(10, 16)),
))

COMPLETION = Layout("completion", COMPLETION_BYTES, "What the controller writes into a completion queue when a command has ended.", (
    bits("result", 0, 63, 0, "the command's own", _BASE),
    bits("sq_head", 2, 15, 0, "entries before this one may be written anew", _BASE),
    bits("sq_id", 2, 31, 16, "submission queue of the command", _BASE),
    bits("cid", 3, 15, 0, "the host's name of the command", _BASE),
    bits("phase", 3, 16, 16, "1 in the first pass through the queue, inverted with each pass", _BASE),
    bits("sc", 3, 24, 17, "status code", _BASE),
    bits("sct", 3, 27, 25, "status code type", _BASE),
    bits("crd", 3, 29, 28, "command retry delay; 0", _BASE),
    bits("more", 3, 30, 30, "the error log says more", _BASE),
    bits("dnr", 3, 31, 31, "do not retry: the same command would fail again", _BASE),
))
