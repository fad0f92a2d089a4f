"""Measurements side by side: in processes of their own, from a command line as ``python -m tenon.flows.bench`` is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_MAIN = """
from tenon.flows.bench.fuzzing import fuzz
from tenon.flows.bench.side_by_side import side_by_side

if __name__ == "__main__":
    found = side_by_side(("none", fuzz, range(0)), ("nothing", fuzz, range(0)))
    print([sum(f.statuses.values()) for f in found])
"""


def test_results_come_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("TENON_CACHE", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    package = tmp_path / "bench_main"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(_MAIN)
    done = subprocess.run([sys.executable, "-m", "bench_main"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[0, 0]\n"), done.stderr
    assert len(list((tmp_path / "bench").iterdir())) == 2
