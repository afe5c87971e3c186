"""Sections between marks."""

from __future__ import annotations

from marked import between


def test_only_the_section_of_that_name_changes() -> None:
    page = "head\n<!-- a -->\nold\n<!-- /a -->\nmiddle\n<!-- b -->\nkept\n<!-- /b -->\n"
    assert between(page, "a", "new") == page.replace("old", "new")
    assert between(page, "b", "kept") == page
