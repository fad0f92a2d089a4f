"""Files and folders that appear whole or not at all, and never in place of something that is not ours."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from tenon.flows.errors import UserError

__all__ = ["check_file", "check_folder", "new_file", "new_folder"]


def check_file(path: Path) -> None:
    """Refuses ``path`` if no file can be written there: before the work that it is to hold.

    Raises
    ------
    UserError
        One line that says what is in the way.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file")
    folder = next(f for f in path.absolute().parents if f.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"{path}: cannot be written, since {folder} is no folder that can be; name another file")


def check_folder(path: Path, names: Collection[str]) -> None:
    """Refuses ``path`` if it holds anything but files called ``names``, which we would write again.

    Raises
    ------
    UserError
        One line that names what is in the way.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UserError(f"{path}: exists and is not a folder; give another with -o")
    if not path.exists():
        return
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in names)
    if foreign:
        raise UserError(f"{path}: holds {foreign[0]!r}, which tenon did not write there; give another folder with -o")


@contextlib.contextmanager
def new_folder(path: Path, names: Collection[str]) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place once everything is written.

    ``names`` are the files that will be in it. A folder that is there already stays, and gets them one after the other: it
    may be somebody's working directory, or a mount point.

    Raises
    ------
    UserError
        If ``path`` is something else.
    """
    check_folder(path, names)
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent if not path.exists() or os.access(path.parent, os.W_OK) else None
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=beside))
    try:
        work.chmod(0o777 & ~_umask())
        yield work
        if path.exists():
            for name in names:
                if (work / name).exists():
                    shutil.move(work / name, path / name)
                else:
                    (path / name).unlink(missing_ok=True)
        else:
            work.rename(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place once it is written."""
    check_file(path)
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    work = Path(name)
    try:
        work.chmod(0o666 & ~_umask())
        yield work
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
