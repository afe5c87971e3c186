"""Names that structure files can hold: printable ASCII, quoted where mmCIF needs it.

Files of strangers hold others: control characters, bytes that are no text. A structure with one is written
all the same, with a name in its place; nothing that a program reads is cut short by a name.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Container, Iterator

import gemmi

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+*'-]*")
"""Words that mean nothing else in any file or script: no quotes are needed in mmCIF."""
_PRINTABLE = re.compile(r"[!-~]+(?: +[!-~]+)*")
_OTHERS = re.compile(r"[^ -~]")


def is_chain_name(name: str) -> bool:
    """Tell whether a file can hold a chain id as it is; ``.`` and ``?`` stand for none in mmCIF."""
    quotes = "'" in name and '"' in name
    return bool(_PRINTABLE.fullmatch(name)) and not quotes and name[0] not in ".?"


def free_name(taken: Container[str]) -> str:
    """The first letter, digit, or pair of letters that is not taken."""
    single = string.ascii_uppercase + string.ascii_lowercase + string.digits
    pairs = (first + second for first, second in itertools.product(string.ascii_uppercase, repeat=2))
    longer = (f"C{count}" for count in itertools.count(1))
    return next(name for name in itertools.chain(single, pairs, longer) if name not in taken)


def decodable(model: gemmi.Model) -> None:
    """Replace names that are no text (bytes that are not UTF-8), which Python could not read."""
    for holder, name, instead in _names(model):
        try:
            getattr(holder, name)
        except UnicodeDecodeError:
            setattr(holder, name, instead)


def clean(model: gemmi.Model) -> list[str]:
    """Replace characters of names, other than chain ids, that no file can hold; notes on insertion codes.

    Insertion codes stay different from others of their number.
    """
    for holder, name, instead in _names(model):
        text = getattr(holder, name)
        if name in ("name", "segment") and not isinstance(holder, gemmi.Chain):
            if _OTHERS.search(text) or (text == "" and name == "name") or ("'" in text and '"' in text):
                setattr(holder, name, _OTHERS.sub("?", text).replace('"', "'").strip() or instead)
        elif name == "altloc" and text != "\0" and not "!" <= text <= "~":
            setattr(holder, name, instead)
    return [note for chain in model for note in _clean_codes(chain)]


def name_plainly(model: gemmi.Model) -> None:
    """Give everything names without quotes, for a reader that knows none and shows no name (3Dmol.js)."""
    taken: set[str] = set()
    for chain in model:
        chain.name = free_name(taken)
        taken.add(chain.name)
    for holder, name, instead in _names(model):
        if not isinstance(holder, gemmi.Chain) and not PLAIN.fullmatch(getattr(holder, name)):
            setattr(holder, name, "\0" if name == "altloc" else instead)
    for chain in model:
        for residue in chain:
            if not residue.seqid.icode.isalnum():
                residue.seqid.icode = " "


def _clean_codes(chain: gemmi.Chain) -> Iterator[str]:
    for residue in chain:
        code = residue.seqid.icode
        if " " <= code <= "~" and code not in ".?":
            continue
        if (number := residue.seqid.num) is None:
            residue.seqid.icode = " "
            continue
        same = [other for other in chain if other.seqid.num == number]
        used = {other.seqid.icode for other in same}
        free = next(letter for letter in string.ascii_uppercase[::-1] if letter not in used)
        for other in same:
            if other.seqid.icode == code:
                other.seqid = gemmi.SeqId(number, free)
        yield f"insertion code {code!r} of residue {number} of chain {chain.name} is written as {free}"


def _names(model: gemmi.Model) -> Iterator[tuple[gemmi.Chain | gemmi.Residue | gemmi.Atom, str, str]]:
    """Every name of a model: its holder, its attribute, and a name that always fits."""
    for chain in model:
        yield chain, "name", "x"
        for residue in chain:
            yield residue, "name", "UNK"
            yield residue, "segment", ""
            for atom in residue:
                yield atom, "name", "X"
                yield atom, "altloc", "x"
