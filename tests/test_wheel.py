"""The wheel: what is installed is all that is needed, with no tree beside it."""

import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_every_folder_of_modules_is_a_package_of_the_wheel():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent for name in ("acg", "compiler", "flows", "hw", "tb") for path in (ROOT / name).rglob("*.py")}
    assert sorted(listed) == sorted(["tenon", *("tenon." + ".".join(f.relative_to(ROOT).parts) for f in folders)])


@pytest.mark.rtl
def test_the_wheel_alone_runs_a_network_in_rtl(tmp_path):
    tree = tmp_path / "tree"  # building leaves files behind
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", tmp_path, tree], check=True)
    shutil.rmtree(tree)
    venv.create(tmp_path / "alone", with_pip=False)
    (python,) = (tmp_path / "alone" / "bin").glob("python")
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([*pip, "--python", python, "install", wheel], check=True)
    (empty := tmp_path / "empty").mkdir()
    command = [python.with_name("tenon"), "run", "zoo:digits", "--config", "tiny", "--runs", "2", "--energy-table"]
    done = subprocess.run(command, cwd=empty, capture_output=True, text=True)
    assert done.returncode == 0 and "all equal" in done.stdout and "45 nm table" in done.stdout, done.stdout + done.stderr
    (top,) = {path.relative_to(tmp_path / "alone").parts[3] for path in (tmp_path / "alone").rglob("hw/params.py")}
    assert top == "tenon"
