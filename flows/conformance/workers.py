"""Judges cases in a process of its own, so that one that dies or never ends becomes a verdict like any other."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

from tenon.flows.conformance.cases import Case, load_cases
from tenon.flows.conformance.trial import judge
from tenon.flows.conformance.verdict import Result, Verdict
from tenon.hw.params import SystolicParams

__all__ = ["verdicts"]

_SECONDS = 900  # for one case


def verdicts(cases: Sequence[Case], params: SystolicParams, seconds: float = _SECONDS) -> Iterator[Verdict]:
    """The verdict on each case, in order. ``seconds``: after which a case is given up."""
    context = multiprocessing.get_context("spawn")  # a fork would inherit threads of numpy
    done = 0
    while done < len(cases):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(theirs, [(c.kind, c.name) for c in cases[done:]], params), daemon=True)
        process.start()
        theirs.close()
        end = None
        while done < len(cases) and end is None:
            if not ours.poll(seconds):
                end = f"no end within {seconds:g} seconds"
                process.kill()
                break
            try:
                yield ours.recv()
                done += 1
            except EOFError:
                process.join()
                end = f"the process died: exit code {process.exitcode}"
        if end is not None:
            case = cases[done]
            yield Verdict(case.name, case.kind, case.operator, Result.CRASHED, end)
            done += 1
        process.join()


def _work(pipe: Connection, names: Sequence[tuple[str, str]], params: SystolicParams) -> None:
    logging.disable(logging.WARNING)  # the quantiser advises
    # ONNX Runtime's C++ warns on file descriptor 2 of what the verdicts say.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    found = {(c.kind, c.name): c for c in load_cases(tuple({kind for kind, _ in names}))}
    for name in names:
        pipe.send(judge(found[name], params))
    pipe.close()
