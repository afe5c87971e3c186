"""A 3-D view of a predicted structure for notebooks, with the viewer in the page: nothing is fetched."""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files
from typing import Any

from bioblobs.prediction.coloured import coloured
from bioblobs.prediction.colours import blob_colour, legend
from bioblobs.prediction.mmcif import as_mmcif
from bioblobs.prediction.predicted import StructurePrediction
from bioblobs.prediction.writable import name_plainly
from bioblobs.report.palette import REST

_PAGE = """<!doctype html><meta charset="utf-8"><style>body{{margin:0}}#view{{position:fixed;inset:0}}</style>
<div id="view"></div><script>{library}</script><script>
const viewer = $3Dmol.createViewer("view", {{backgroundColor: "white"}});
viewer.addModel({structure}, "cif");
viewer.setStyle({{}}, {{cartoon: {{color: "{rest}"}}}});
for (const blob of {blobs}) {{
  const style = {{cartoon: {{color: blob.colour}}, stick: {{color: blob.colour, radius: 0.2}}}};
  viewer.setStyle({{index: blob.atoms}}, style);
}}
viewer.zoomTo();
viewer.render();
</script>"""
_SCRIPT_END = re.compile("</(script)", re.IGNORECASE)


def view_html(prediction: StructurePrediction, height: int = 420) -> str:
    """An element for ``IPython.display.HTML``: the structure with its blobs in their colours (3Dmol.js).

    Blobs have the colour of their contribution, which a line under the view explains; with an attention head
    a colour of the palette.

    Args:
        height: in pixels.

    Raises:
        StructureError: the structure file is gone.
    """
    made = coloured(prediction)
    name_plainly(made.structure[0])
    blobs = [
        {
            "atoms": [
                serial - 1  # the viewer counts atoms from 0, in the order of the file
                for row in blob.residues
                for first, last in residues[row].serials
                for serial in range(first, last + 1)
            ],
            "colour": blob_colour(chain, blob),
        }
        for chain, residues in zip(prediction.chains, made.places, strict=True)
        for blob in chain.blobs
    ]
    library = files("bioblobs").joinpath("report", "vendor", "3Dmol-min.js").read_text(encoding="utf-8")
    page = _PAGE.format(
        library=_SCRIPT_END.sub(r"<\\/\1", library),
        structure=_json(as_mmcif(made, prediction.name)),
        rest=REST,
        blobs=_json(blobs),
    )
    lines = [(chain.id, legend(chain)) for chain in prediction.chains]
    told = "".join(f"<div>{html.escape(f'{name}: {text}')}</div>" for name, text in lines if text)
    return (
        f'<iframe sandbox="allow-scripts" title="{html.escape(prediction.name)} in 3-D" '
        f'style="width:100%;height:{height}px;border:0" srcdoc="{html.escape(page)}"></iframe>{told}'
    )


def _json(content: Any) -> str:
    """JSON that cannot end, or begin a comment in, the script element that it is in."""
    return json.dumps(content).replace("<", "\\u003c")
