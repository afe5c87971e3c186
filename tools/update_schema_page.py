"""Write docs/interpretability_json.md from the report's JSON Schema; ``--check``: say whether it is so."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "interpretability_json.md"
INTRODUCTION = """\
# The report of `interpret`

`outputs/interpretability/` holds

- `test_interpretability.json`: everything, as listed below. The tables are made by
  `python tools/update_schema_page.py` from [schema.json](../src/bioblobs/interpretation/schema.json) and,
  for chains and blobs, from the [definitions](../src/bioblobs/inference/schema.json) that
  `predictions.json` shares. A test holds them to it.
- `codes.csv`: one row per code, those that predictions rest on most at the top. `argues_for` is the class
  with the largest evidence, `e_<class>` the code's row of the scorecard.
- `codes/<code>.svg`: a sequence logo of each code.

Read it from Python; version and form are checked, and an error is one line:

    import bioblobs
    report = bioblobs.read_interpretability("outputs/interpretability/test_interpretability.json")
    report.proteins, report.blobs, report.codes        # pandas tables
    report.contributions, report.base                  # parts of the logits: blobs by classes; by class
    report.scorecard                                   # evidence: codes by classes
    report.members                                     # code -> protein and slot of the blob
    report.chains                                      # typed records: chain.blobs, blob.slot, blob.rank, ...
    report.enriched_classes, report.against_background, report.superposition, report.overlay
    report.motif(16)                                   # residues around the seeds of a code's blobs

## How to read contributions

**Additive head** (`explanation.head`, the default). Each blob gives every class an amount of evidence, and
the evidence adds up to the logits: per protein, `logits[c] = base[c] + sum of contributions[c]`, up to
rounding to six digits. In pandas:

    report.base + report.contributions.groupby("protein").sum()     # = report.proteins, columns logit_<class>

Where a protein has one class, logits, base and contributions are less their mean over the classes, which
changes no probability. `contribution` is the one to the class in `explained`: above 0 argues for it, below 0
against. `importance` is the share of the positive contributions, so a blob that argues against has 0.

**Scorecard.** In stage 1 a blob's evidence is a function of its code alone: `evidence` of the code is what
every blob of that code contributes. It is null with `model.blob_input: raw`.

**View.** With `blob_view: alone` a blob's embedding has seen nothing but the blob (and the chain neighbours
of its residues, for their angles). With `context` it has seen the whole protein: the sum is still exact, but
says less about the blob.

**Attention heads** (`full`, `blobs`). `importance` is the attention weight; `contribution`, `contributions`,
`base` and `evidence` are null, since no such sum exists.

The sum is exact inside the model. What a contribution means for the structure, when the blob's residues are
removed, is measured in `metrics/faithfulness.json` ([faithfulness.md](faithfulness.md)).

## How blobs and residues are named

| key | meaning |
| --- | --- |
| `slot` | place in the order of growth, from 0; names a blob in the rest of the file |
| `rank` | from 1 on, by falling contribution (attention head: importance); its number in pages |
| `residues`, `seed` | index over the residues with a complete backbone, from 0 |
| `author` | the same residues in the file's own numbers: `A/52A` is chain A, number 52, insertion code A |

`predictions.json` of `bioblobs predict` has the same keys with the same meaning.

## How to read the tests

**Enriched classes.** The unit is the protein: several blobs of one protein with the same code count once.
Fisher's exact test is one-sided, Benjamini-Hochberg corrected over all pairs of a code and a class; the
effect is the conditional odds ratio with its exact 95 % interval. Labels are those of the test proteins,
which training did not see. Under permuted labels nothing is found (a test holds that). Proteins of one
family are not independent of each other, and the split keeps families whole: a p-value speaks of these
proteins.

**Against background.** The background of a code is the proteins that hold it. The residues that a code
holds in a protein are moved together to random places along the chain, each protein by itself. So neither
the composition of the proteins nor the length of helices makes a code special. What the test does find is
partly the model's own doing: residue types are among its inputs.

**Superposition.** Windows of 15 residues around the seeds (C-alphas), superposed in pairs, one blob per
protein. Two controls: sets of blobs of any other codes, and sets whose seeds have the same secondary
structures. The second is the harder one: helices superpose whatever their code. Whole blobs are aligned by
TM-align, beside sets of the same sizes. `overlay` has the moves that lay windows on the medoid's: the nearest
ones, so they look tighter than the code is; `median_rmsd` speaks of all.

**Motif.** Blobs are not aligned to each other, so residues are counted by their place before and after the
seed. The window stops at an end of the chain and at a break in it. Bits are relative to the composition of
all proteins, after 10 pseudo-counts: a code of one blob has almost none.

## From 3.0 to 4.0

| part | change |
| --- | --- |
| protein | `blobs` are listed by `rank`, not by slot |
| blob | `blob` is named `slot`; new: `rank` |
| member, medoid, overlay of a code | `blob` is named `slot` |

`read_interpretability` reads 3.0 and 2.1 as well, and gives them the new names. In your own code, replace
`blob` by `slot` in keys, and in the index of `report.blobs` and `report.contributions`.

## From 2.1 to 3.0

| part | change |
| --- | --- |
| report | new: `explanation` (head, view of blobs, base of each class) |
| protein | new: `explained`, `logits` |
| blob | new: `contribution`, `contributions` |
| blob | `importance` is an attention weight only with an attention head; else it may be 0 |
| dataset | new: `importance.unsupported`, `importance.share_against` |
| code | new: `evidence`, `argues_for` |

No key was removed or renamed. In a report of 2.1 that is read, the new keys are None, and NaN in tables;
`importance` is an attention weight there. Other versions are refused in one line: run `interpret`
again.
"""
PLAIN = {"share": "number, 0 to 1", "shares": "name -> number, 0 to 1", "by_class": "class -> number"}
"""Definitions that are said in place, without a table of their own."""


def kind(entry: dict[str, Any]) -> str:
    """Type of a value, with a link where it is described in a table of its own."""
    if "$ref" in entry:
        name = entry["$ref"].rsplit("/", 1)[1]
        return PLAIN.get(name, f"[{name}](#{name})")
    if "oneOf" in entry:
        return " or ".join(kind(each) for each in entry["oneOf"])
    if "const" in entry:
        return f"`{json.dumps(entry['const'])}`"
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    name = entry["type"]
    if name == "array":
        return f"list of {kind(entry['items'])}"
    if name == "object" and "additionalProperties" in entry and "properties" not in entry:
        return f"name -> {kind(entry['additionalProperties'])}"
    return " or ".join(name) if isinstance(name, list) else str(name)


def rows(properties: dict[str, Any], prefix: str = "") -> list[str]:
    """Table rows of an object's keys, those of objects inside it after them."""
    lines = []
    for name, entry in properties.items():
        lines.append(f"| `{prefix}{name}` | {kind(entry)} | {entry.get('description', '')} |")
        lines += rows(entry.get("properties", {}), f"{prefix}{name}.")
    return lines


def section(name: str, entry: dict[str, Any]) -> list[str]:
    """Heading, description and table of one object."""
    if "properties" not in entry:
        return [f"### {name}", "", f"{kind(entry)}. {entry['description']}", ""]
    heading = [f"### {name}", ""]
    if "description" in entry:
        heading += [entry["description"], ""]
    return [*heading, "| key | type | meaning |", "| --- | --- | --- |", *rows(entry["properties"]), ""]


def page() -> str:
    """The whole page."""
    sys.path.insert(0, str(ROOT / "src"))
    from bioblobs.interpretation.report_file import schema as report_schema

    schema = report_schema()
    lines = [INTRODUCTION, "## Keys", "", f"Version {schema['properties']['schema_version']['const']}.", ""]
    lines += section("report", schema)
    for name, entry in schema["$defs"].items():
        if name not in PLAIN:
            lines += section(name, entry)
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write, or check."""
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text() == page() else f"{PAGE.name}: run python tools/update_schema_page.py")
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
