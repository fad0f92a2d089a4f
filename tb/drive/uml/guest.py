"""Runs a script in the guest, with the drive's RTL as its disk."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tenon.hw.storage.params import StorageParams
from tenon.hw.storage.processor import FIRMWARE_FILE
from tenon.tb import runner
from tenon.tb.drive.firmware import firmware_words
from tenon.tb.drive.system import build_drive
from tenon.tb.drive.uml.kernel import kernel, shim
from tenon.tb.rtl import Dram

__all__ = ["GuestError", "Transcript", "run_linux"]

_STATUS = "tenon: the script ended with status "
_DEVICE = 1234  # as the kernel's configuration has it

_INIT = f"""\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run LANG=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
exec 2>&1
cat > /run/script <<'TENON_END_OF_SCRIPT'
{{script}}
TENON_END_OF_SCRIPT
cd /run
sh /run/script
echo "{_STATUS}$?"
busybox poweroff -f
"""


class GuestError(RuntimeError):
    """The guest did not come to the script's end; the message has its last lines."""


@dataclass(frozen=True)
class Transcript:
    """What the guest wrote, and what it took: of the drive's clock, of simulated time, of seconds here."""

    text: str
    status: int  # the script's
    cycles: int
    simulated_ns: int
    wall_seconds: float


def run_linux(params: StorageParams, script: str, *, memory: str = "256M", dram: Dram | None = None, host_latency: int = 100,
              timeout_seconds: float = 1200) -> Transcript:
    """Boots Linux beside the drive, runs ``script`` with ``sh``, and powers off. The file system is this machine's, read only; /run and
    /mnt are the guest's own.

    Raises
    ------
    GuestError
        If the guest does not come to an end.
    KernelError
        If there is no kernel.
    SimulationError
        If the drive breaks a rule.
    """
    program, library, built = kernel(), shim(), build_drive(params, link=True)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenon-linux-")))
        (folder / FIRMWARE_FILE).write_text("".join(f"{word:08x}\n" for word in firmware_words(params)))
        init = folder / "init"
        init.write_text(_INIT.replace("{script}", script))
        init.chmod(0o755)
        guest = _Guest(program, library, folder, memory)
        stack.callback(guest.stop)
        guest.start()
        job = folder / "job.json"
        job.write_text(json.dumps({"result": str(folder / "result.json")}))
        plusargs = [f"+link_folder={folder}", f"+host_latency={host_latency}", *(dram or Dram()).plusargs()]
        try:
            log = runner.simulate(built, "tenon.tb.drive.uml.bench", plusargs=plusargs, folder=folder, env={"TENON_DRIVE_JOB": str(job)},
                                  timeout_seconds=timeout_seconds)
        except runner.SimulationError as error:
            raise GuestError(f"{error}\n{guest.tail()}") from None
        guest.wait()
        text = guest.text()
        if _STATUS not in text:
            raise GuestError(f"the guest ended before its script:\n{guest.tail()}")
        broken = [line for line in log.splitlines() if " axi: " in line]
        if broken:
            raise runner.SimulationError("\n".join(broken[:10]))
        said, _, rest = text.partition(_STATUS)
        found = json.loads((folder / "result.json").read_text())
        return Transcript(said, int(rest.split()[0]), found["cycles"], found["time_ns"], time.monotonic() - began)


class _Guest:
    """The kernel's process, which is started as soon as the simulation listens."""

    def __init__(self, program: Path, library: Path, folder: Path, memory: str):
        self._folder, self._output = folder, folder / "guest.log"
        self._command = [
            str(program), f"mem={memory}", "root=none", "rootfstype=hostfs", "rootflags=/", "ro", f"init={folder / 'init'}",
            f"virtio_uml.device={folder / 'device'}:{_DEVICE}", f"time-travel=ext:{folder / 'calendar'}", "con=null", "con0=null,fd:1",
            "panic=-1", "random.trust_cpu=off"]
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": "/dev/shm", "LD_PRELOAD": str(library)}
        self._process: subprocess.Popen | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not (self._folder / "calendar").exists():
            if self._stopped.wait(0.02):
                return
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                             env=self._environment, start_new_session=True)

    def wait(self) -> None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)

    def stop(self) -> None:
        """Ends it with all its processes."""
        self._stopped.set()
        self._thread.join()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def text(self) -> str:
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def tail(self) -> str:
        return "\n".join(self.text().splitlines()[-25:])
