"""Batches from files, and what a drive cannot run: one line each."""

from dataclasses import replace

import numpy as np
import pytest

from tenon.flows.drive.run import batch_feeds, prepare_drive
from tenon.flows.errors import UserError
from tenon.flows.run import prepare
from tenon.hw.storage.presets import drive

TINY = drive("tiny")


@pytest.fixture(scope="module")
def job():
    return prepare("zoo:digits", TINY.accelerator, runs=3)


def test_items_along_the_first_axis(job, tmp_path):
    (name,) = job.feeds[0]
    path = tmp_path / "batch.npz"
    np.savez(path, **{name: np.concatenate([feed[name] for feed in job.feeds])})
    found = batch_feeds(path, job)
    assert len(found) == 3 and all(np.array_equal(a[name], b[name]) for a, b in zip(found, job.feeds))
    np.savez(path, **{name: job.feeds[0][name][:, :, :4]})
    with pytest.raises(UserError, match=r"has shape \[1, 1, 4, 8\]; a batch of items has \['N', 1, 8, 8\]"):
        batch_feeds(path, job)
    np.savez(path, other=job.feeds[0][name])
    with pytest.raises(UserError, match="has no array"):
        batch_feeds(path, job)


def test_what_a_drive_cannot_hold(job):
    with pytest.raises(UserError, match="its program has [0-9,]+ bytes, more than the 65,536 of tiny"):
        big = replace(job, compiled=replace(job.compiled, program=replace(job.compiled.program, constants=bytes(1 << 17))))
        prepare_drive(big, replace(TINY, program_bytes=1 << 16))
    with pytest.raises(UserError, match="3 items of zoo:digits need 192 bytes"):
        prepare_drive(job, TINY, first_block=TINY.units)
