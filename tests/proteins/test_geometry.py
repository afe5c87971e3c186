"""One definition of a break of the chain, for arrays and for tensors."""

from __future__ import annotations

import numpy as np
import torch

from bioblobs.graphs.backbone import bonded_to_next
from bioblobs.proteins.geometry import C_ATOM, CA_ATOM, N_ATOM, O_ATOM, peptide_bonds, stretches
from bioblobs.proteins.record import ATOMS


def chain(*gaps: float) -> np.ndarray:
    """Residues along x, each 3 angstrom from N to C, with these distances from C to the next N."""
    starts = np.cumsum([0.0, *(3 + gap for gap in gaps)])
    inside = np.array([0.0, 1.5, 3.0, 3.0])
    return np.stack([starts[:, None] + inside, *np.zeros((2, len(starts), 4))], -1)


def test_places_are_those_of_the_names() -> None:
    assert [ATOMS[place] for place in (N_ATOM, CA_ATOM, C_ATOM, O_ATOM)] == ["N", "CA", "C", "O"]


def test_a_long_gap_or_a_missing_atom_is_a_break() -> None:
    xyz = chain(1.33, 2.0, 2.01, 1.33, 9.0)
    assert peptide_bonds(xyz).tolist() == [True, True, False, True, False]
    xyz[1, C_ATOM] = np.nan
    assert peptide_bonds(xyz).tolist() == [True, False, False, True, False]
    assert not len(peptide_bonds(chain()))


def test_stretches_end_at_breaks_and_where_the_chain_changes() -> None:
    chains = np.array([b"A", b"A", b"A", b"B", b"B"])
    assert stretches(chain(1.33, 2.5, 1.33, 1.33), chains).tolist() == [0, 0, 1, 2, 2]
    assert stretches(chain(), chains[:1]).tolist() == [0]


def test_the_graph_has_the_same_breaks() -> None:
    rng = np.random.default_rng(0)
    xyz = chain(*rng.choice([1.33, 1.9, 2.0, 2.1, 5.0], 300)).astype(np.float32)
    gap = torch.from_numpy(np.linalg.norm(np.roll(xyz, -1, 0)[:, N_ATOM] - xyz[:, C_ATOM], axis=-1))
    bonded = bonded_to_next(gap, torch.zeros(len(xyz), dtype=torch.long))
    assert bonded[:-1].tolist() == peptide_bonds(xyz).tolist()
    assert not bonded[-1]
