"""What a user can mend ends with a message and exit status 2; everything else is a bug of ours, and shows its traceback."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import click

__all__ = ["UserError", "user_errors"]


class UserError(Exception):
    """A mistake on the command line or in a file given there; one line: what, where, what to do."""


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Prints an error that the user can mend on stderr and exits with status 2."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, BrokenPipeError):  # who reads our output may stop: click ends quietly
        raise
    except Exception as error:
        if not isinstance(error, _mendable()):
            raise
        click.echo(f"tenon: {_message(error)}", err=True)
        sys.exit(2)


def _mendable() -> tuple[type[Exception], ...]:
    # Imported only when something failed: the command line is to start quickly.
    from tenon.acg.errors import CovenantError
    from tenon.compiler.errors import CompileError
    from tenon.hw.params import ParameterError
    from tenon.tb.functional import ProgramError
    from tenon.tb.model import Deadlock
    from tenon.tb.runner import BuildError, SimulationError
    from tenon.tb.toolchain import ToolError

    return (UserError, ParameterError, CompileError, CovenantError, ProgramError, Deadlock, BuildError, SimulationError,
            ToolError, OSError)


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror}"
    from tenon.compiler.errors import CompileError

    # Names in a damaged model may hold anything; the message stays one line.
    return "".join(c if c.isprintable() else "?" for c in str(error)) if isinstance(error, CompileError) else str(error)
