"""Sections between marks."""

from __future__ import annotations

import pytest

from marked import between


def test_only_the_section_of_that_name_changes() -> None:
    page = "head\n<!-- a -->\nold\n<!-- /a -->\nmiddle\n<!-- b -->\nkept\n<!-- /b -->\n"
    assert between(page, "a", "new") == page.replace("old", "new")
    assert between(page, "b", "kept") == page


def test_a_file_may_write_its_marks_otherwise() -> None:
    preset = "# head\n# [result]\n# old\n# [/result]\ndata:\n"
    assert between(preset, "result", "# new", "# [{}]") == preset.replace("old", "new")


@pytest.mark.parametrize("page", ["", "<!-- a -->\n", "<!-- /a -->\n"])
def test_a_page_without_the_marks_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="no marks <!-- a --> and <!-- /a -->"):
        between(page, "a", "new")
