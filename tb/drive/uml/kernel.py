"""The kernel: Debian's own source, unchanged, built as User-Mode Linux, once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tenon.compiler.cache import cache_folder

__all__ = ["PACKAGES", "KernelError", "kernel", "missing", "present", "shim"]

_HERE = Path(__file__).resolve().parent
_SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")

#: Debian's packages that a guest needs, by a file of each.
PACKAGES = {
    "linux-source-6.1": str(_SOURCE), "flex": "/usr/bin/flex", "bison": "/usr/bin/bison", "bc": "/usr/bin/bc",
    "libelf-dev": "/usr/include/libelf.h", "gcc": "/usr/bin/gcc", "make": "/usr/bin/make", "busybox-static": "/bin/busybox",
    "nvme-cli": "/usr/sbin/nvme", "fio": "/usr/bin/fio", "e2fsprogs": "/sbin/mkfs.ext4",
}


class KernelError(RuntimeError):
    """The kernel cannot be built; the message says what is missing, or the compiler's last lines."""


def missing() -> list[str]:
    """Packages that are not installed."""
    return [name for name, path in PACKAGES.items() if not Path(path).exists()]


def kernel(progress: Callable[[str], None] = lambda _: None) -> Path:
    """The kernel's program, from the cache or built: some minutes of two processors.

    Raises
    ------
    KernelError
        If a package is missing, or the build fails.
    """
    if missing():
        raise KernelError(f"Linux needs Debian's {', '.join(missing())}: apt-get install them")
    fragment, found = (_HERE / "fragment").read_bytes(), _place()
    if found.is_file():
        return found
    found.parent.mkdir(parents=True, exist_ok=True)
    with (found.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.is_file():
            work = found.parent / "work"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            try:
                _build(work, fragment, progress)
                (work / "build" / "linux").rename(found)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return found


def present() -> bool:
    """Whether the kernel is there, and all that a guest needs."""
    return not missing() and _place().is_file()


def _place() -> Path:
    recipe = (_HERE / "fragment").read_bytes() + f"{_SOURCE.stat().st_size} {_version()}".encode()
    return cache_folder() / "linux" / hashlib.sha256(recipe).hexdigest()[:16] / "linux"


def _version() -> str:
    told = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "linux-source-6.1"], capture_output=True, text=True, check=False)
    return told.stdout


def _build(work: Path, fragment: bytes, progress: Callable[[str], None]) -> None:
    progress("unpacking the kernel's source")
    _run(["tar", "xf", str(_SOURCE), "-C", str(work), "--strip-components=1"], work)
    (work / "fragment").write_bytes(fragment)
    make = ["make", "-s", "ARCH=um", "O=build"]
    progress("building the kernel")
    _run([*make, "allnoconfig", f"KCONFIG_ALLCONFIG={work / 'fragment'}"], work)
    _run([*make, f"-j{os.cpu_count() or 1}", "linux"], work)


def shim() -> Path:
    """A library that lets the guest run where processors have more registers than it knows."""
    source = _HERE / "ptrace_shim.c"
    found = cache_folder() / "linux" / f"shim-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}.so"
    if not found.is_file():
        found.parent.mkdir(parents=True, exist_ok=True)
        partial = found.with_suffix(f".{os.getpid()}")
        _run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(partial), str(source), "-ldl"], found.parent)
        partial.rename(found)
    return found


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"{' '.join(command[:3])} failed:\n" + "\n".join((done.stdout + done.stderr).splitlines()[-15:]))
