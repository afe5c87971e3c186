"""Reader of the protein chains of a PDB or mmCIF file.

``read_chains`` gives one protein per polypeptide chain. Rules for the oddities of real files:

- Format: decided by the content, so a wrong or missing suffix does not matter; gzip and bzip2 likewise
  (``structures.content``). Columns of PDB lines are checked (``structures.pdb_columns``): a chain with a line
  that cannot be read is refused. Columns that an mmCIF file lacks are filled in (``structures.mmcif``).
- Models: the first that has atoms is read (NMR ensembles, trajectories).
- Chains: by author chain id (``auth_asym_id``); label ids (``label_asym_id``) are kept beside it. An id has
  at most four ASCII characters, as the store has room for. Files without chain ids whose atoms carry
  segment ids are told apart by those, else by TER. Where residue numbers start anew after a TER under the
  same id, the parts are chains of their own, named ``A.1``, ``A.2``; where they go on, it is one chain.
  Polymers of an mmCIF file under one author id are always chains of their own.
- Residues: known amino acids, and others that have a C-alpha and an N or C, if they belong to a polymer. That
  is what the entities of an mmCIF file or the TER records of a PDB file say; where they say nothing, an
  amino acid belongs if it is an ATOM, or a HETATM with a peptide bond; after the TER of a PDB file, if it is
  an ATOM with a peptide bond. Water, ligands, ions, nucleic acids and free amino acids are left out and
  counted. File order is kept, whatever the numbers say.
- Modified residues: count as their parent (``structures.residue_names``); what has none is X.
- Alternate locations: one conformer per residue, never a mix (``structures.conformers``).
- Hydrogens and side chains: not read.
- Missing atoms: the residue stays, with NaN; ``proteins.record.usable`` drops it later. So do positions
  that cannot be: not finite, beyond 100,000 angstrom, several at exactly (0, 0, 0), or a C-alpha within one
  angstrom of an earlier one.
- Repeated residue identifiers: counted. Where gemmi joined the atoms of both, the first of each name is
  kept.

Parsed is not valid. A chain is refused, with its reason, when it has only C-alphas, when no residue has a
complete backbone, when over a tenth of its residues lie on one another or share an identifier, or when its
N-CA bonds say that the unit is not angstrom. The file is refused when it cannot be parsed or has no protein.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import gemmi
import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.geometry import peptide_bonds
from bioblobs.proteins.record import REQUIRED_ATOMS, Protein, ProteinError
from bioblobs.structures.atoms import AtomTable, flatten
from bioblobs.structures.conformers import Backbone, choose_conformers
from bioblobs.structures.content import READ_ERRORS, printable
from bioblobs.structures.files import Parsed, StructureError, in_one_line, parse, stem_of
from bioblobs.structures.pdb_columns import Flaw
from bioblobs.structures.polypeptides import Names, find_polypeptides
from bioblobs.structures.residue_names import is_solvent
from bioblobs.structures.validity import check_backbone, clean, origin_of

CHAIN_ID_MAX = 4
"""Most characters of a chain id: the width of ``Protein.chain_ids`` and of the store."""
CHAINS_MAX = 10_000
"""Most protein chains of a file that is read; the largest entries of the PDB have some 1,500."""

NO_NUMBER = np.iinfo(np.int32).min
"""gemmi's residue number where the file has none."""
MODELS_APART = 8.0
"""Distance of C-alphas below which two copies of a residue are models, not chains (angstrom, median)."""


@dataclass
class Chain:
    """Polypeptide chain of a file.

    Attributes:
        name: unique in the file: the author chain id, with ``.1``, ``.2`` if that repeats.
        author: author chain id, empty where the file has none.
        label: ``label_asym_id`` of an mmCIF file, empty in PDB files.
        protein: all its residues (``id`` is ``<file stem>_<name>``), or the reason why it cannot be used.
        residues: number of residues in the file.
        usable: of these, with N, CA and C.
        modified: residues that count as another: {"MSE->M": 4}.
        alternates: residues with alternate locations.
        insertions: residues with an insertion code.
        breaks: places where usable neighbours have no peptide bond.
        repeated: residues whose number and insertion code occurred before in the chain.
        overlapping: residues left out because they lie on an earlier one.
        left_out: residues of this author chain that are no part of it: {"water": 87, "other": 1}.
        first: author number and insertion code of the first residue.
        last: of the last one.
    """

    name: str
    author: str
    label: str
    protein: Protein | ProteinError
    residues: int
    usable: int = 0
    modified: dict[str, int] = field(default_factory=dict)
    alternates: int = 0
    insertions: int = 0
    breaks: int = 0
    repeated: int = 0
    overlapping: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    first: str = ""
    last: str = ""


@dataclass
class StructureFile:
    """Polypeptide chains of a structure file.

    Attributes:
        path: the file.
        format: ``PDB`` or ``mmCIF``.
        models: number of models; the first is read.
        chains: its polypeptide chains, in file order; at least one.
        left_out: residues that are no part of a polypeptide, in all of the first model.
    """

    path: Path
    format: str
    models: int
    chains: list[Chain]
    left_out: dict[str, int]

    def chain(self, name: str) -> tuple[Protein, str]:
        """Return the chain of a name, and that name; for an empty name, the only chain.

        Raises:
            ProteinError: there is no such chain, more than one, or it cannot be used.
        """
        found = [chain for chain in self.chains if not name or name in (chain.name, chain.author)]
        names = ", ".join(_named(chain) for chain in self.chains)
        if not found:
            raise ProteinError(f"no protein chain {name}; the file has {names}")
        if len(found) > 1:
            raise ProteinError(f"{len(found)} protein chains; name one of {names}")
        if isinstance(found[0].protein, ProteinError):
            raise found[0].protein
        return found[0].protein, found[0].name


def read_chains(path: Path | str) -> StructureFile:
    """Read the polypeptide chains of the first model of a PDB or mmCIF file (see the module).

    Raises:
        StructureError: the file is missing or damaged, or holds no protein chain.
    """
    path = Path(path)
    parsed = parse(path)
    try:
        found = _read(path, parsed)
        if parsed.format == "PDB" and any(chain.repeated or not chain.author for chain in found.chains):
            found = _read(path, parse(path, split_at_ter=True))
    except StructureError:
        raise
    except READ_ERRORS as error:
        raise StructureError(path, in_one_line(error)) from error
    return found


def _named(chain: Chain) -> str:
    other = f" (label {chain.label})" if chain.label not in ("", chain.author) else ""
    return (chain.name or "(no id)") + other


def _read(path: Path, parsed: Parsed) -> StructureFile:
    structure = parsed.structure
    if not len(structure) or not any(len(chain) for chain in structure[0]):
        raise StructureError(path, "no atoms")
    del structure[1:]
    authors = [chain.name.strip() for chain in structure[0]]
    table = flatten(structure)
    names, index = np.unique(table.name, return_inverse=True)
    kinds = Names([name.decode("utf-8", "replace") for name in names], index, parsed.parents)
    peptide = find_polypeptides(table, kinds, entities=parsed.format == "mmCIF")
    flaws = _by_chain(parsed)
    left_out: Counter[str] = Counter()
    of_author: dict[str, Counter[str]] = defaultdict(Counter)
    for row in np.flatnonzero(~peptide).tolist():
        of_author[authors[table.chain[row]]][kinds.kind(row)] += 1
    for each in of_author.values():
        left_out.update(each)
    if not peptide.any():
        if flaws:
            raise StructureError(path, _of_flaws(next(iter(flaws.values()))))
        found = ", ".join(f"{what} {count}" for what, count in left_out.most_common())
        raise StructureError(path, f"no protein chain (residues: {found})")
    backbone = choose_conformers(table, np.flatnonzero(peptide))
    groups = _groups(authors, table, backbone, parsed.format == "mmCIF")
    if len(groups) > CHAINS_MAX:
        raise StructureError(path, f"more than {CHAINS_MAX:,} protein chains; too large")
    chains = []
    for author, part, chain_rows in groups:
        chain = _chain(path, author, part, table, kinds, backbone.take(chain_rows))
        first = backbone.residue[chain_rows[0]]
        chain.label = _label(structure, table, int(first)) if parsed.format == "mmCIF" else ""
        chain.left_out = dict(of_author[author]) if author in of_author else {}
        if mine := flaws.get("" if parsed.by_segment else author):
            chain.protein = ProteinError(_of_flaws(mine))
        chains.append(chain)
    there = {author for author, _, _ in groups} | ({""} if parsed.by_segment else set())
    for author, mine in flaws.items():
        if author not in there:
            chains.append(Chain(author, author, "", ProteinError(_of_flaws(mine)), 0))
    return StructureFile(path, parsed.format, parsed.models, chains, dict(left_out))


def _by_chain(parsed: Parsed) -> dict[str, list[Flaw]]:
    """Group the lines that could not be read by chain, without those of water and ions."""
    found: dict[str, list[Flaw]] = {}
    for flaw in parsed.flaws:
        if not is_solvent(flaw.residue):
            found.setdefault(flaw.chain, []).append(flaw)
    return found


def _of_flaws(flaws: list[Flaw]) -> str:
    return f"{flaws[0]}" + (f" ({len(flaws)} such lines)" if len(flaws) > 1 else "")


def _groups(
    authors: list[str], table: AtomTable, backbone: Backbone, whole: bool
) -> list[tuple[str, int, NDArray[np.int64]]]:
    """Divide the backbone into chains: author id, part (0: the only one) and rows.

    Parts of one author chain, which a TER ends, are one chain if it has an id and no identifier repeats.

    Args:
        whole: such parts are known to be chains (of an mmCIF file).
    """
    parts: dict[str, list[list[NDArray[np.int64]]]] = {}
    seen: dict[str, set[tuple[int, bytes]]] = {}
    owner = table.chain[backbone.residue]
    for rows in np.split(np.arange(len(owner)), np.flatnonzero(owner[1:] != owner[:-1]) + 1):
        author = authors[owner[rows[0]]]
        residues = backbone.residue[rows]
        numbers, codes = table.number[residues].tolist(), table.insertion_code[residues].tolist()
        mine = set(zip(numbers, codes, strict=True))
        before = parts.setdefault(author, [])
        if before and author and not whole and mine.isdisjoint(seen[author]):
            before[-1].append(rows)
            seen[author] |= mine
        else:
            before.append([rows])
            seen[author] = mine
    return [
        (author, number if len(several) > 1 else 0, np.concatenate(rows))
        for author, several in parts.items()
        for number, rows in enumerate(several, 1)
    ]


def _chain(path: Path, author: str, part: int, table: AtomTable, names: Names, backbone: Backbone) -> Chain:
    rows, length = backbone.residue, len(backbone.residue)
    name = f"{author}.{part}" if part else author
    numbers, codes = table.number[rows], table.insertion_code[rows]
    xyz, overlapping = clean(backbone.coordinates)
    complete = np.isfinite(xyz[:, :REQUIRED_ATOMS]).all((1, 2))
    identifiers = np.stack([numbers, codes.view(np.uint8).astype(np.int32)])
    distinct = np.unique(identifiers, axis=1).shape[1]
    chain = Chain(
        name,
        author,
        "",
        ProteinError("not checked"),
        length,
        usable=int(complete.sum()),
        modified=names.modified(rows),
        alternates=int(backbone.alternates.sum()),
        insertions=int((codes != b"").sum()),
        breaks=int((~peptide_bonds(xyz[complete])).sum()),
        repeated=max(length - distinct, int(backbone.repeated.sum())),
        overlapping=int(overlapping.sum()),
        first=f"{numbers[0]}{codes[0].decode('ascii', 'replace')}",
        last=f"{numbers[-1]}{codes[-1].decode('ascii', 'replace')}",
    )
    try:
        if not author.isascii() or len(author) > CHAIN_ID_MAX:
            raise ProteinError(f"chain id {printable(author)}: more than {CHAIN_ID_MAX} ASCII characters")
        if numbers.min() == NO_NUMBER:
            raise ProteinError("a residue has no number")
        check_backbone(
            xyz, backbone.coordinates, chain.overlapping, chain.repeated, _cause(backbone, distinct)
        )
        origin = origin_of(xyz)
        chain.protein = Protein(
            id=f"{stem_of(path)}_{name}" if name else stem_of(path),
            residue_types=names.letters[names.index[rows]],
            residue_numbers=numbers.astype(np.int32),
            insertion_codes=codes,
            chain_ids=np.full(length, author.encode(), f"S{CHAIN_ID_MAX}"),
            coordinates=(xyz - origin).astype(np.float32),
            origin=origin,
        )
    except ProteinError as error:
        chain.protein = error
    return chain


def _cause(backbone: Backbone, distinct: int) -> str:
    """Guess why residues occur twice."""
    if distinct == 1:
        return "all have one number"
    twice = backbone.apart[backbone.repeated]
    near = twice.size > 0 and float(np.nan_to_num(np.median(twice), nan=np.inf)) < MODELS_APART
    return "models of one number?" if near else "two chains?"


def _label(structure: gemmi.Structure, table: AtomTable, residue: int) -> str:
    """Return ``label_asym_id`` of a residue of the table."""
    chain = table.chain[residue]
    begin = int(np.searchsorted(table.chain, chain)) if len(structure[0]) > 1 else 0
    return structure[0][int(chain)][residue - begin].subchain
