"""A logo is well-formed SVG whose letters are as tall as their bits."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from bioblobs.interpretation.logo import GROUPS, logo_svg
from bioblobs.interpretation.motif import REACH, WIDTH
from bioblobs.proteins.alphabet import SYMBOLS

SVG = "{http://www.w3.org/2000/svg}"


def letters(picture: str) -> list[tuple[str, float, float]]:
    """(letter, height, base) as drawn."""
    found = []
    for text in ElementTree.fromstring(picture).iter(f"{SVG}text"):
        if "textLength" in text.attrib:
            base, scale = re.findall(r" ([\d.]+)\)", text.attrib["transform"])
            found.append((str(text.text), float(scale), float(base)))
    return found


def test_every_letter_has_a_colour() -> None:
    assert sorted("".join(group for group, _ in GROUPS.values())) == sorted(SYMBOLS[:20])


def test_letters_stand_on_one_another_and_are_as_tall_as_their_share_of_the_bits() -> None:
    shares, bits = np.full((WIDTH, 20), 1 / 20), np.zeros(WIDTH)
    shares[REACH] = 0
    shares[REACH, SYMBOLS.index("W")], shares[REACH, SYMBOLS.index("G")] = 0.75, 0.25
    bits[REACH] = 2.0
    (low, small, floor), (high, tall, above) = letters(logo_svg(shares, bits, "t"))
    assert (low, high) == ("G", "W")
    assert tall == pytest.approx(3 * small, rel=1e-3)
    assert floor - above == pytest.approx(small * 72, abs=0.1)  # a capital is 0.72 of the font size of 100


def test_nothing_to_see_is_an_empty_logo() -> None:
    assert letters(logo_svg(np.full((WIDTH, 20), 1 / 20), np.zeros(WIDTH), "t")) == []
