"""What pages are made of: a document that needs nothing else, its sections, and cards of figures."""

from __future__ import annotations

from collections.abc import Iterable

from tenon.flows.html.markup import Markup, element, join
from tenon.flows.html.style import STYLE

__all__ = ["card", "document", "section"]


def document(title: str, sections: Iterable[Markup]) -> str:
    """The whole file."""
    head = element("head", Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
                                  '<meta name="color-scheme" content="light dark">'),
                   element("title", title), Markup(f"<style>{STYLE}</style>"))
    main = element("main", *(join(["\n", each]) for each in sections))
    return f'<!doctype html>\n<html lang="en">{head}{element("body", main)}</html>\n'


def section(title: str, says: str, content: Markup) -> Markup:
    return element("section", element("h2", title), element("p", says), content)


def card(name: str, value: str, note: str, mood: str = "") -> Markup:
    """``mood``: "good" or "bad", or neither."""
    return element("div", element("span", name), element("strong", value, class_=mood or None), element("small", note), class_="card")
