"""A predicted structure -> what is drawn of it: coloured files, scripts, and what is not as asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bioblobs.prediction.coloured import coloured
from bioblobs.prediction.mmcif import as_mmcif
from bioblobs.prediction.molstar import molstar_state
from bioblobs.prediction.pdb_file import as_pdb, unfit_for_pdb
from bioblobs.prediction.predicted import StructurePrediction
from bioblobs.prediction.scripts import chimerax_script, pymol_script
from bioblobs.structures.files import StructureError, in_one_line

Format = Literal["cif", "pdb", "both"]
SCRIPTS = {"pml": pymol_script, "cxc": chimerax_script, "mvsj": molstar_state}
"""By suffix; they load the coloured structure beside them."""


@dataclass(frozen=True)
class Drawn:
    """Texts of one structure, not yet written.

    Attributes:
        structures: names of the coloured structures, the one for scripts first.
        texts: name -> content of each file, these included.
        notes: why there is none, or not the format asked for, and which names are others than in the file.
    """

    structures: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def drawn(structure: StructurePrediction, format: Format) -> Drawn:
    """Draw a structure; an error, of whatever kind, is a note, so that it costs no other structure."""
    try:
        return _drawn(structure, format)
    except StructureError as error:
        reason = error.reason
    except Exception as error:  # of gemmi, on what a stranger's file may hold
        reason = f"{type(error).__name__}: {in_one_line(error)}"
    return Drawn(notes=[f"no coloured structure ({reason})"])


def _drawn(structure: StructurePrediction, format: Format) -> Drawn:
    made, name = coloured(structure), structure.name
    texts: dict[str, str] = {}
    unfit = unfit_for_pdb(made.structure) if format != "cif" else ""
    notes = [f"written as mmCIF, since a PDB file cannot hold it ({unfit})"] if unfit else []
    if format != "pdb" or unfit:
        texts[f"{name}.cif"] = as_mmcif(made, name)
    if format != "cif" and not unfit:
        texts[f"{name}.pdb"] = as_pdb(made)
    structures = list(texts)
    for suffix, script in SCRIPTS.items():
        texts[f"{name}.{suffix}"] = script(structure, structures[0], made.places)
    return Drawn(structures, texts, [*notes, *made.notes])
