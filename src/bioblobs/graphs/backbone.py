"""Features of residues from their backbone: dihedral angles and directions.

The backbone of a batch is one row of 3 N atoms, N CA C N CA C ..., whose bonds, and planes of two bonds each,
are computed once for all features. Shapes: N residues; coordinates in angstrom; vectors are (3, ...).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from bioblobs.proteins.geometry import C_ATOM, CA_ATOM, N_ATOM, PEPTIDE_BOND_MAX
from bioblobs.proteins.record import REQUIRED_ATOMS

NODE_DIMS = (6, 3)
"""(scalars, vectors) of a residue: cos and sin of phi, psi, omega; forward, backward, side chain."""
_N, _CA, _C = (slice(place, None, REQUIRED_ATOMS) for place in (N_ATOM, CA_ATOM, C_ATOM))
"""Places in a row of the backbone: of the atoms, or of the bonds that begin at them."""


def node_features(coordinates: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Compute scalars (N, 6) and vectors (3, N, 3) of :data:`NODE_DIMS`; zero at chain ends and breaks.

    Args:
        coordinates: (N, A, 3), A atoms that begin with N, CA, C.
        batch: (N,) protein of each residue.
    """
    atoms = coordinates[:, :REQUIRED_ATOMS].reshape(-1, 3).t().contiguous()  # (3, 3 N)
    bonds = atoms.roll(-1, 1) - atoms
    length = bonds.square().sum(0).sqrt()
    bonded = bonded_to_next(length[_C], batch)
    planes = cross(bonds, bonds.roll(-1, 1))  # (3, 3 N) normal to a bond and the next
    return dihedral_features(bonds, length, planes, bonded), orientation_features(
        atoms, bonds, planes, bonded
    )


def bonded_to_next(gap: Tensor, batch: Tensor) -> Tensor:
    """Tell where residues i and i+1 belong to one protein and are joined by a peptide bond, (N,).

    Args:
        gap: (N,) distance of C(i) and N(i+1).
        batch: (N,) protein of each residue.
    """
    return F.pad((gap[:-1] <= PEPTIDE_BOND_MAX) & (batch[1:] == batch[:-1]), (0, 1))


def dihedral_features(bonds: Tensor, length: Tensor, planes: Tensor, bonded: Tensor) -> Tensor:
    """Compute cos and sin of phi, psi, omega, (N, 6).

    phi_i is C(i-1) N CA C, psi_i is N CA C N(i+1), omega_i is CA C N(i+1) CA(i+1) (IUPAC-IUB 1970).
    """
    angle = dihedral(bonds, length.roll(-1), planes, planes.roll(-1, 1))
    angle = angle.roll(1, 1).view(2, -1, 3)  # of the bonds that begin at C(i-1), N and CA
    defined = torch.stack([bonded.roll(1, 0), bonded, bonded], -1)
    return (angle * defined).transpose(0, 1).reshape(-1, 6)


def dihedral(first: Tensor, middle_length: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Compute cosine and sine of the signed dihedral angle of three consecutive bonds a, b, c, (2, ...).

    Args:
        first: (3, ...) a.
        middle_length: (...) length of b.
        left, right: (3, ...) the cross products of a and b, and of b and c.
    """
    cosine = (left * right).sum(0)
    sine = (first * right).sum(0) * middle_length
    straight = torch.finfo(cosine.dtype).tiny  # where three atoms are in line: an angle of zero
    return torch.stack([cosine + straight, sine]) / (torch.hypot(cosine, sine) + straight)


def orientation_features(atoms: Tensor, bonds: Tensor, planes: Tensor, bonded: Tensor) -> Tensor:
    """Compute unit vectors to the next CA, to the previous CA and along the side chain, (3, N, 3).

    The side-chain direction is that of an ideal C-beta, from N, CA, C alone (tetrahedral geometry), so
    that glycine has one too.
    """
    ca = atoms[:, _CA]
    step, to_c, from_n, normal = unit(
        torch.stack([ca.roll(-1, 1) - ca, bonds[:, _CA], bonds[:, _N], planes[:, _N]], 1)
    ).unbind(1)
    step = step * bonded
    side = unit(from_n - to_c) * math.sqrt(1 / 3) - normal * math.sqrt(2 / 3)
    return torch.stack([step, -step.roll(1, 1), side], -1)


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Compute the cross product of (3, ...) vectors; torch's own is slow where the axes lie apart."""
    (ax, ay, az), (bx, by, bz) = a, b
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def unit(vectors: Tensor) -> Tensor:
    """Scale (3, ...) vectors to length one; zero stays zero."""
    return vectors / vectors.square().sum(0).sqrt().clamp_min(1e-12)
