"""Who may import whom: the compiler knows hardware through the covenant alone, and nothing looks upward."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "acg": set(),
    "hw": {"acg"},
    "compiler": {"acg"},
    "tb": {"acg", "hw", "compiler"},
    "flows": {"acg", "hw", "compiler", "tb"},
}


def imported(source: str) -> set[str]:
    """Top-level packages that a module's text imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_finds_imports_wherever_they_are():
    assert imported("import hw.params\ndef f():\n    from flows.cli import main\n") == {"hw", "flows"}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_imports_only_what_it_may(package):
    ours = {*MAY_IMPORT, "tests"}
    for path in sorted((ROOT / package).rglob("*.py")):
        forbidden = imported(path.read_text()) & ours - MAY_IMPORT[package] - {package}
        assert not forbidden, f"{path.relative_to(ROOT)} imports {', '.join(sorted(forbidden))}"
