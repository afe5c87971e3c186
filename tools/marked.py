"""Sections of a Markdown page that programs write, between marks that readers do not see."""

from __future__ import annotations


def between(text: str, name: str, content: str) -> str:
    """The text with ``content`` between its marks ``<!-- name -->`` and ``<!-- /name -->``."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{content}\n{end}{after}"
