"""The walk through the Python API, executed: what it shows is what it prints."""

import doctest
import re
from pathlib import Path

import pytest

import tenon
from tenon.flows.generate import file_names

_WALK = Path(tenon.__file__).parent / "docs" / "python.md"


def blocks(text: str) -> list[tuple[int, str]]:
    """Python blocks of a page, with the lines where they begin."""
    return [(text.count("\n", 0, found.start(1)), found[1]) for found in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S)]


@pytest.mark.rtl
def test_the_walk_prints_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    found = blocks(_WALK.read_text(encoding="utf-8"))
    assert len(found) > 8
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.FAIL_FAST)
    for line, block in found:
        said = []
        test = parser.get_doctest(block, names, "docs/python.md", "docs/python.md", line)
        result = runner.run(test, out=said.append, clear_globs=False)
        names = test.globs
        assert not result.failed, "".join(said)
    for shown in ("quantized", "config", "hardware", "program", "in_rtl"):
        assert names[shown]._repr_html_().startswith("<")
    assert sorted(p.name for p in (tmp_path / "mine").iterdir()) == sorted(file_names())


def test_a_walk_that_shows_something_else_fails():
    test = doctest.DocTestParser().get_doctest(blocks("# a\n```python\n>>> 1 + 1\n3\n\n```\n")[0][1], {}, "a", "a", 0)
    assert doctest.DocTestRunner().run(test, out=lambda _: None).failed
