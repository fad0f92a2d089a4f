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
    """Packages of ours that a module's text imports, anywhere in it; ``tenon`` for the package of them all."""
    modules = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                assert node.level == 1, "an import that climbs out of its folder names the package"
                continue
            modules += [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "tenon" else [node.module]
    ours = [name.split(".") for name in modules if name.split(".")[0] == "tenon"]
    return {name[1] if name[1:] and name[1] in MAY_IMPORT else "tenon" for name in ours}


def test_finds_imports_wherever_they_are():
    assert imported("import tenon.hw.params, json\ndef f():\n    from tenon.flows.cli import main\n") == {"hw", "flows"}
    assert imported("from tenon import acg\nimport tenon") == {"acg", "tenon"}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_imports_only_what_it_may(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        forbidden = imported(path.read_text()) - MAY_IMPORT[package] - {package}
        assert not forbidden, f"{path.relative_to(ROOT)} imports {', '.join(sorted(forbidden))}"


def test_nothing_of_the_accelerator_imports_the_drive():
    """Which is around it."""
    for folder in ("acg", "compiler", "hw"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            inside = path.is_relative_to(ROOT / "hw/storage")
            assert inside or "tenon.hw.storage" not in path.read_text(), f"{path.relative_to(ROOT)} imports the drive"
