"""A state for Mol* (MolViewSpec, .mvsj): the coloured structure with its blobs, as the scripts show it.

Drop it with the structure file on https://molstar.org/viewer, or open it where MolViewSpec is read. The tree
is root, download, parse, structure, components, representations, colours; a blob is a component with a
tooltip.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bioblobs.errors import printable
from bioblobs.prediction.coloured import Place
from bioblobs.prediction.colours import blob_colour, legend
from bioblobs.prediction.predicted import ChainPrediction, StructurePrediction
from bioblobs.report.palette import REST

VERSION = "1.0"
"""Of MolViewSpec: no node of a later one is used."""


def molstar_state(structure: StructurePrediction, file: str, places: Sequence[Sequence[Place]]) -> str:
    """The text of an .mvsj file.

    Args:
        file: the coloured structure, in the same folder.
        places: of each predicted chain, its residues in that file.
    """
    labels = file.endswith(".cif")
    blobs = [
        (_selector([residues[row] for row in blob.residues], labels), blob_colour(chain, blob), said)
        for chain, residues in zip(structure.chains, places, strict=True)
        for blob, said in zip(chain.blobs, _tooltips(chain), strict=True)
    ]
    colours = [_node("color", {"color": REST})]
    colours += [_node("color", {"color": colour, "selector": selector}) for selector, colour, _ in blobs]
    drawn = [
        _node(
            "component",
            {"selector": "polymer"},
            [_node("representation", {"type": "cartoon"}, colours)],
        ),
        _node("component", {"selector": "ligand"}, [_node("representation", {"type": "ball_and_stick"})]),
    ]
    drawn += [
        _node("component", {"selector": selector}, [_node("tooltip", {"text": said})])
        for selector, _, said in blobs
    ]
    made = _node("structure", {"type": "model"}, drawn)
    parsed = _node("parse", {"format": "mmcif" if labels else "pdb"}, [made])
    root = _node("root", None, [_node("download", {"url": file}, [parsed])])
    lines = [printable(f"{chain.id}: {text}") for chain in structure.chains if (text := legend(chain))]
    about = {
        "version": VERSION,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "title": f"BioBlobs: {structure.name}",
        "description": "\n".join(lines),
        "description_format": "plaintext",
    }
    return json.dumps({"metadata": about, "root": root}) + "\n"


def _node(
    kind: str, params: dict[str, Any] | None, children: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": kind}
    if params is not None:
        made["params"] = params
    return made | ({"children": list(children)} if children else {})


def _selector(residues: Sequence[Place], labels: bool) -> list[dict[str, Any]]:
    """One expression per residue; a range would take insertion codes of its numbers too.

    Mol* finds an empty insertion code only beside a single number.
    """
    return [
        {
            "auth_asym_id": each.chain,
            **({"label_asym_id": each.label} if labels else {}),
            "auth_seq_id": each.number,
            "pdbx_PDB_ins_code": each.code,
        }
        for each in residues
    ]


def _tooltips(chain: ChainPrediction) -> Iterator[str]:
    for blob in chain.blobs:
        part = "" if blob.contribution is None else f"contribution {blob.contribution:+.3f}, "
        yield printable(f"blob {blob.rank} of {chain.id}: {part}importance {blob.importance:.3f}")
