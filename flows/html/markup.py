"""HTML and SVG by elements: text is escaped where it is put in, so nothing that a model names can become markup."""

from __future__ import annotations

from html import escape

__all__ = ["Markup", "count", "element", "join", "percent", "short"]


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """``<tag a="...">children</tag>``; children that are not ``Markup`` are escaped.

    An attribute's ``_`` is written ``-``, and one at its end is left out: ``class_``. None leaves out the attribute.
    """
    written = "".join(f' {name.rstrip("_").replace("_", "-")}="{escape(_printable(_value(value)))}"'
                      for name, value in attributes.items() if value is not None)
    return Markup(f"<{tag}{written}>{join(children)}</{tag}>")


def join(children) -> Markup:
    """All of ``children``, each escaped unless it is markup."""
    return Markup("".join(child if isinstance(child, Markup) else escape(_printable(child), quote=False) for child in children))


def _value(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _printable(text: str) -> str:
    """Without control characters, which HTML has no way to write, and halves of characters, which UTF-8 has none for."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def short(text: str, most: int) -> str:
    """``text``, or both its ends if it has more than ``most`` characters."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 3
    return f"{text[:most - 1 - tail]}…{text[len(text) - tail:]}"
