"""Measurements in which nothing is timed, two at a time."""

from __future__ import annotations

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor

import click

from tenon.flows.bench.kept import kept

__all__ = ["quiet", "say", "side_by_side"]


def say(text: str) -> None:
    """What is going on, on stderr."""
    click.echo(f"bench: {text}", err=True)


def quiet() -> None:
    """Deriving a covenant constructs components without elaborating them, which Amaranth takes for a slip."""
    warnings.filterwarnings("ignore", message=r"<.*> created but never used")


def side_by_side(*tasks: tuple) -> list:
    """Results of functions with their arguments, each told ``say`` as its ``progress``. A task is a name, under which the
    result is kept, the function, and its arguments."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"), initializer=quiet) as pool:
        futures = [pool.submit(kept, name, function, *arguments, progress=say) for name, function, *arguments in tasks]
        return [future.result() for future in futures]
