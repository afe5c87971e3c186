"""Columns of PDB files: a line whose fields do not lie in theirs gives no coordinates, but a reason."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from bioblobs.structures.content import printable

FAR = b"99999999"
"""Written for a coordinate that is no number; beyond what a protein may have."""
SHORTEST = 55
"""Shortest ATOM line that gemmi reads; shorter ones are filled up with blanks."""
CHAIN_COLUMN = 21
"""Place of the chain id in a line, from 0 on."""
ATOM_LINE = rb"^(?:ATOM  |ATOM (?=\d)|HETATM)"
_TAIL = rb"[ \d-]{3}\.\d\d[ \d-]{3}\.\d\d"
_REST = rb"[^\n]{0,40}$"  # two records in one line are longer
_COORDINATES = rb"   (?:[ +\-\d]{3}\d\.\d{3}){3}"
_NUMBER = rb"(?:   \d|  [-\d]\d| [-\d]\d\d|[-\d]\d{3})[ A-Za-z]"
_PERFECT = rb"[ \d]{5} [\x20-\x7e]{10}" + _NUMBER + _COORDINATES
_SUSPECT, _SUSPECT_WITHOUT_TAIL = (
    re.compile(
        rb"^(?:(?:ATOM|HETA)(?!(?:  |TM)"
        + _PERFECT
        + tail
        + _REST
        + rb")|[ \t]+(?:ATOM|HETATM)[ \t])[^\n]*\n?",
        re.MULTILINE,
    )
    for tail in (_TAIL, rb"")
)
_USUAL_TAIL = re.compile(
    rb"^(?:ATOM  |HETATM)[^\n]{48} *-?\d{1,3}\.\d\d *-?\d{1,3}\.\d\d(?!\d)", re.MULTILINE
)
"""Occupancy and B-factor of two decimals, in their columns or moved."""
_ANOTHER = re.compile(rb"(?:ATOM  |HETATM)[ \d]{4}\d ")
_WRAPPED = re.compile(
    ATOM_LINE[:-1] + rb")[^\n]{15}([^\n])9999[^\n]*\n(?:TER[^\n]*\n)?((?:ATOM  |HETATM)[^\n]{15}\1)2710",
    re.MULTILINE,
)
_FIXED = re.compile(rb" *[-+]?(?:\d+\.\d*|\.\d+) *")
_DECIMAL = re.compile(rb"[-+]?\d*\.\d{1,3}")
_COMMAS = re.compile(rb"(?: *[-+]?\d+,\d{3}){3}")
_NOT_FINITE = re.compile(rb" *[-+]?(?:nan|inf(?:inity)?|\d\.#[a-z]+)(?:\([a-z]*\)?)? *", re.IGNORECASE)
_RESIDUE_NUMBER = re.compile(rb" *-?\d+ *|[A-Z][0-9A-Z]{3}|[a-z][0-9a-z]{3}")
_HEXADECIMAL = re.compile(rb" *[0-9A-Fa-f]+ *")
_IS_HEXADECIMAL = re.compile(ATOM_LINE + rb"[^\n]{16}(?=[0-9A-Fa-f]{4})\d\d*[A-Fa-f]", re.MULTILINE)
LOWER_CASE = b"\x01"
"""Insertion code that marks a number of hybrid-36 in lower case; gemmi reads it as the one in upper case."""
LOWER_CASE_FROM = 26 * 36**3
"""What is to be added to such a number."""
_POINTS = (34, 42, 50)


@dataclass(frozen=True)
class Flaw:
    """Line that cannot be read.

    Attributes:
        line: its number in the file, from 1 on.
        cause: in words.
        chain: id of the chain that it belongs to, as far as it can be told.
        residue: name of its residue, likewise.
        free: True where no field lies in its columns.
    """

    line: int
    cause: str
    chain: str
    residue: str
    free: bool = False

    def __str__(self) -> str:
        return f"line {self.line}: {self.cause}"


@dataclass
class Checked:
    """Text of which every ATOM line can be read by columns, and the lines taken out of it."""

    text: bytes
    flaws: list[Flaw] = field(default_factory=list)


def check_columns(text: bytes) -> Checked:
    """Take lines out whose columns have moved, and sentences that begin like a record."""
    usual = _USUAL_TAIL.search(text) is not None
    hexadecimal = _IS_HEXADECIMAL.search(text) is not None
    pieces, flaws = [], []
    done, line, counted = 0, 1, 0
    for found in (_SUSPECT if usual else _SUSPECT_WITHOUT_TAIL).finditer(text):
        start = found.start()
        line += text.count(b"\n", counted, start)
        counted = start
        judged = _judge(found.group().rstrip(b"\n"), line, usual, hexadecimal)
        if isinstance(judged, Flaw):
            if not judged.chain and len(found.group()) <= CHAIN_COLUMN:
                before = text[text.rfind(b"\n", 0, max(start - 1, 0)) + 1 : start]
                owner = before[CHAIN_COLUMN : CHAIN_COLUMN + 1] if re.match(ATOM_LINE, before) else b""
                judged = replace(judged, chain=printable(owner.decode("latin-1")).strip())
            flaws.append(judged)
            judged = b""
        pieces += [text[done:start], judged]
        done = found.end()
    checked = b"".join([*pieces, text[done:]])
    if not flaws and (jump := _WRAPPED.search(checked)):
        number = checked.count(b"\n", 0, jump.start(2)) + 1
        chain = printable(jump.group(1).decode("latin-1")).strip()
        cause = "residue number 2710 after 9999: hexadecimal numbers are not read; save the file as mmCIF"
        flaws.append(Flaw(number, cause, chain, ""))
    return Checked(checked, flaws)


def _judge(line: bytes, number: int, usual: bool, hexadecimal: bool) -> bytes | Flaw:
    """Return the line as it is to be read, b"" for a sentence, or what is wrong with it.

    Args:
        usual: occupancy and B-factor of this file have two decimals, so that their columns are known.
        hexadecimal: its residue numbers are, from some residue on.
    """
    if indent := len(line) - len(line.lstrip()):
        inner = line[indent:]
        if len(_DECIMAL.findall(inner)) < 3:
            return line + b"\n"
        return _flaw(
            number,
            f"indented by {indent} column{'s' if indent > 1 else ''}",
            inner[21:22].strip(),
            inner[17:20].strip(),
        )
    if line[4:6].startswith(b"\t") or line[4:7] == b"TM\t":
        return _moved(line, number, list(_DECIMAL.finditer(line, 12)))
    if not re.match(ATOM_LINE, line):
        return b""
    decimals = list(_DECIMAL.finditer(line, 12))
    second = line[6:].split()[:1] if line[5:6] in (b" ", b"M") else [line[5:11]]
    if not decimals and second and not re.match(rb"[\d*]|[A-Za-z][\dA-Za-z]{4}$", second[0]):
        return b""
    fields = [line[begin : begin + 8] for begin in (30, 38, 46)]
    blank = [not each.strip() or _NOT_FINITE.fullmatch(each) is not None for each in fields]
    fixed = [bool(_FIXED.fullmatch(each)) and each.find(b".") == 4 and len(each) > 5 for each in fields]
    chain, residue = line[21:22].strip(), line[17:20].strip()
    if any(each.strip() and not each.strip(b" *") for each in fields):
        return _flaw(number, "**** in place of a coordinate (too large for its columns)", chain, residue)
    if len(line) < 54 and len(decimals) < 3:
        return _flaw(number, f"cut off after {len(line)} characters", chain, residue)
    if _ANOTHER.search(line, 54):
        return _flaw(number, "several records in one line (the ends of lines are lost)", chain, residue)
    if _COMMAS.match(line, 30):
        return _flaw(number, "decimal commas in place of points", chain, residue)
    if not all(a or b for a, b in zip(fixed, blank, strict=True)):
        return _moved(line, number, decimals)
    if usual and not (_tail(line, 54) and _tail(line, 60)):
        cause = "columns are shifted (occupancy or B-factor is not in its columns); save the file as mmCIF"
        return _flaw(number, cause, chain, residue)
    if b"\t" in line[:54] or not line[:54].isascii() or any(each < 32 for each in line[:54]):
        return _flaw(number, "a character that is not plain ASCII", chain, residue)
    written, code = line[22:26], line[26:27]
    if code.isdigit():
        if not re.fullmatch(rb"[1-9]\d{3}", written):
            whole = printable((written + code).decode("latin-1")).strip()
            cause = f"columns are shifted (residue number {whole} reaches column 27)"
            return _flaw(number, cause, chain, residue)
        line = line[:22] + _hybrid_36(int(written + code)) + b" " + line[27:]
    elif b"*" in written:
        cause = "**** in place of the residue number (too large for its columns); save the file as mmCIF"
        return _flaw(number, cause, chain, residue)
    elif written.strip() and (
        not _RESIDUE_NUMBER.fullmatch(written)
        or (hexadecimal and not written.strip().lstrip(b"-").isdigit() and _HEXADECIMAL.fullmatch(written))
    ):
        kind = "hexadecimal" if _HEXADECIMAL.fullmatch(written) else "not a number"
        if re.fullmatch(rb" +\d+[A-Fa-f]", written):
            kind += ", or an insertion code in its columns"
        whole = printable(written.decode("latin-1")).strip()
        cause = f"residue number {whole} ({kind}); save the file as mmCIF"
        return _flaw(number, cause, chain, residue)
    elif written[:1].islower():
        if code.strip():
            cause = (
                "a residue number of hybrid-36 in lower case with an insertion code; save the file as mmCIF"
            )
            return _flaw(number, cause, chain, residue)
        line = line[:26].ljust(26) + LOWER_CASE + line[27:]
    for begin, missing in zip((30, 38, 46), blank, strict=True):
        if missing:
            line = line[:begin] + FAR + line[begin + 8 :]
    if not line[54:].isascii():
        line = line[:54] + re.sub(rb"[^\x20-\x7e]", b" ", line[54:])
    return line.ljust(SHORTEST) + b"\n"


def _tail(line: bytes, begin: int) -> bool:
    """Tell whether occupancy or B-factor is there with its decimal point in place, or not there.

    A value too large for two decimals may have one or none.
    """
    text, after = line[begin : begin + 6], line[begin + 6 : begin + 7]
    if not any(48 <= each <= 57 for each in text) or (text[3:4] == b"." and _FIXED.fullmatch(text)):
        return True
    return re.fullmatch(rb"\d{4}\.\d|-\d{3}\.\d|\d{5}\.", text) is not None and not after.isdigit()


def _hybrid_36(number: int) -> bytes:
    """Write a number from 10,000 on in four characters, as gemmi reads it."""
    value, digits = number - 10_000 + 10 * 36**3, b""
    for _ in range(4):
        value, rest = divmod(value, 36)
        digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rest : rest + 1] + digits
    return digits


def _flaw(number: int, cause: str, chain: bytes, residue: bytes, free: bool = False) -> Flaw:
    name, kind = (printable(each.decode("latin-1")) for each in (chain, residue))
    return Flaw(number, cause, name, kind, free)


def _moved(line: bytes, number: int, decimals: list[re.Match[bytes]]) -> Flaw:
    """Say what moved the columns of a line, and to which chain it belongs."""
    cause, wider = "", 0
    serial = re.match(rb"(?:ATOM  |HETATM) *([\dA-Fa-f]+)", line)
    if serial and serial.end() > 11 and len(serial.group(1)) > 5:
        wider = serial.end() - 11
        cause = f"serial number {serial.group(1).decode()} does not fit"
    chain, residue = line[21 + wider : 22 + wider].strip(), line[17 + wider : 20 + wider].strip()
    end = decimals[0].start() if decimals else len(line)
    words = [(each.group(), each.end() + 16 + wider) for each in re.finditer(rb"\S+", line[16 + wider : end])]
    if len(words) >= 2:
        (last, stop), residue = words[-1], words[0][0]
        joined = re.fullmatch(rb"([A-Za-z])(-?\d+[A-Z]?)", last)
        fits = True
        if len(words) >= 3:
            chain, fits = words[-2][0], words[-2][1] - wider <= 22
        elif joined:
            chain, last = joined.groups()
        if len(chain) > 1 and not fits and not cause:
            cause = f"chain id {printable(chain.decode('latin-1'))} does not fit"
        elif re.fullmatch(rb"-?\d+[A-Z]?", last) and stop - wider > 26 and not cause:
            cause = f"residue number {last.decode()} does not fit"
    wide = next((each.group() for each in decimals[:3] if len(each.group().split(b".")[0]) > 4), None)
    if wide and not cause:
        cause = f"coordinate {wide.decode()} does not fit"
    first = decimals[0].group().find(b".") + decimals[0].start() if decimals else 0
    if b"\t" in line:
        text = "fields are separated by tabs; PDB files have fixed columns"
        return _flaw(number, text, chain[:4], residue, True)
    if first < _POINTS[0] - 6 and len(line.split()) >= 8:
        text = "free format (fields separated by blanks, as in PQR files); PDB files have fixed columns"
        return _flaw(number, text, chain[:4], residue, True)
    text = f"columns are shifted{f' ({cause})' if cause else ''}; save the file as mmCIF"
    return _flaw(number, text, chain[:4], residue)
