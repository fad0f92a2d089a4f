"""Where points are computed: in this process, or by the workers of a Dask scheduler, here or elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from tenon.flows.errors import UserError

__all__ = ["Engine", "Here", "Job", "WorkerDied", "as_finished", "dask_engine"]

_CONNECT_SECONDS = 20
_TRIES = 3  # workers that may die of one computation


class WorkerDied(Exception):
    """A computation ended its workers, as too little memory does."""


class Job(Protocol):
    """A computation that was asked for."""

    def result(self) -> object: ...


class Engine(Protocol):
    """Computes pure functions. ``workers``: how many at once."""

    workers: int

    def submit(self, function: Callable, *arguments: object) -> Job: ...

    def finished(self, jobs: Collection[Job], seconds: float) -> set[Job]:
        """Those of ``jobs`` that are done, after at most ``seconds`` of waiting for the first of them."""

    def result(self, job: Job) -> object:
        """What a finished job returned; raises what it raised, or WorkerDied."""


def as_finished(engine: Engine, calls: Sequence[tuple], tick: Callable[[int], None], seconds: float = 2.0) -> Iterator[tuple[int, Job]]:
    """Each of ``calls`` (a function and its arguments) by its number as soon as it is done, some for each worker at once; ``tick`` is told
    how many are, after at most so many ``seconds``."""
    waiting, jobs = list(enumerate(calls)), {}
    while waiting or jobs:
        tick(len(calls) - len(waiting) - len(jobs))
        while waiting and len(jobs) < engine.workers:
            number, call = waiting.pop(0)
            jobs[engine.submit(*call)] = number
        for job in engine.finished(jobs, seconds):
            yield jobs.pop(job), job


class _Done:
    def __init__(self, result: object):
        self._result = result

    def result(self) -> object:
        return self._result


class Here:
    """One after the other, in this process, as soon as they are asked for."""

    workers = 1

    def submit(self, function: Callable, *arguments: object) -> Job:
        return _Done(function(*arguments))

    def finished(self, jobs: Collection[Job], seconds: float) -> set[Job]:
        return set(jobs)

    def result(self, job: Job) -> object:
        return job.result()


class _Dask:
    """A client of a scheduler; a job whose worker dies is computed by another one."""

    def __init__(self, client):
        self._client = client

    @property
    def workers(self) -> int:
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, function: Callable, *arguments: object) -> Job:
        return self._client.submit(function, *arguments, pure=False)

    def finished(self, jobs: Collection[Job], seconds: float) -> set[Job]:
        from distributed import wait

        with contextlib.suppress(TimeoutError):
            wait(list(jobs), timeout=seconds, return_when="FIRST_COMPLETED")
        return {job for job in jobs if job.done()}

    def result(self, job: Job) -> object:
        from distributed.scheduler import KilledWorker

        try:
            return job.result()
        except KilledWorker:
            raise WorkerDied(f"{_TRIES} workers died of it") from None


@contextlib.contextmanager
def dask_engine(workers: int, address: str | None = None) -> Iterator[Engine]:
    """Workers of the scheduler at ``address``, or as many processes of this machine's own as ``workers`` says.

    Raises
    ------
    UserError
        If Dask is missing, or no scheduler answers.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise UserError("several workers need Dask: pip install 'tenon-hw[explore]', or give --workers 1") from None
    dask.config.set({"distributed.scheduler.allowed-failures": _TRIES - 1, "distributed.logging.distributed": "critical"})
    with contextlib.ExitStack() as stack:
        if address is None:
            cluster = stack.enter_context(LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None,
                                                       silence_logs=50))
            address = cluster.scheduler_address
        try:
            client = stack.enter_context(Client(address, timeout=_CONNECT_SECONDS))
        except (OSError, ValueError) as error:
            raise UserError(f"{address}: no Dask scheduler answers there: {error}") from None
        yield _Dask(client)
