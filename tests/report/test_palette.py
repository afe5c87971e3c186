"""Colours of blobs and contributions: one list, seen on the page's dark ground too; and a two-ended scale."""

from __future__ import annotations

import re

import pytest

from bioblobs.report.palette import AGAINST, COLOURS, FOR, NEITHER, REST, colour, signed_colour, style
from conftest import ROOT

PAGE = ROOT / "src" / "bioblobs" / "report" / "page"


def luminance(value: str) -> float:
    """Relative luminance (WCAG 2)."""
    parts = [int(value[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_every_colour_stands_out_from_the_dark_ground() -> None:
    dark = re.findall(r"--canvas: (#\w{6});", (PAGE / "style.css").read_text())[-1]
    assert all((luminance(each) + 0.05) / (luminance(dark) + 0.05) >= 3 for each in COLOURS)


def test_the_page_and_scripts_colour_a_number_alike() -> None:
    found = dict(re.findall(r"--blob-(\d+): (#\w{6});", style()))
    assert [found[str(number - 1)].upper() for number in range(1, len(COLOURS) + 1)] == list(COLOURS)
    assert colour(len(COLOURS) + 1) == COLOURS[0]
    assert "--blob-" not in (PAGE / "style.css").read_text().split("*/", 1)[1]


def test_contributions_are_coloured_on_a_scale_with_two_ends() -> None:
    assert signed_colour(2.0, 2.0) == FOR
    assert signed_colour(-2.0, 2.0) == AGAINST
    assert signed_colour(0.0, 2.0) == NEITHER
    assert signed_colour(5.0, 2.0) == FOR  # beyond the end
    assert signed_colour(0.0, 0.0) == NEITHER  # nothing contributes
    assert signed_colour(1.0, 2.0) == "#80ABCC"  # half of the way in sRGB
    assert signed_colour(-1.0, 2.0) == "#D49A82"


@pytest.mark.parametrize("sign", [1, -1])
def test_a_larger_contribution_is_darker(sign: int) -> None:
    found = [luminance(signed_colour(sign * value / 20, 1.0)) for value in range(21)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


def test_residues_in_no_blob_are_told_from_a_contribution_near_zero() -> None:
    near = luminance(signed_colour(0.05, 1.0))
    assert (near + 0.05) / (luminance(REST) + 0.05) >= 2
