"""A 3-D view of a predicted structure for notebooks, with the viewer in the page: nothing is fetched."""

from __future__ import annotations

import html
import json
from importlib.resources import files

from bioblobs.prediction.coloured import coloured
from bioblobs.prediction.colours import blob_colour, legend
from bioblobs.prediction.predicted import StructurePrediction
from bioblobs.report.palette import REST

_PAGE = """<!doctype html><meta charset="utf-8"><style>body{{margin:0}}#view{{position:fixed;inset:0}}</style>
<div id="view"></div><script>{library}</script><script>
const viewer = $3Dmol.createViewer("view", {{backgroundColor: "white"}});
viewer.addModel({structure}, "cif");
viewer.setStyle({{}}, {{cartoon: {{color: "{rest}"}}}});
for (const blob of {blobs}) {{
  const style = {{cartoon: {{color: blob.colour}}, stick: {{color: blob.colour, radius: 0.2}}}};
  viewer.setStyle({{chain: blob.chain, b: blob.rank}}, style);
}}
viewer.zoomTo();
viewer.render();
</script>"""


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
    blobs = [
        {
            "chain": made.chain_names[chain.chain],
            "rank": blob.rank,
            "colour": blob_colour(chain, blob),
        }
        for chain in prediction.chains
        for blob in chain.blobs
    ]
    library = files("bioblobs").joinpath("report", "vendor", "3Dmol-min.js").read_text(encoding="utf-8")
    page = _PAGE.format(
        library=_inside_script(library),
        structure=_inside_script(json.dumps(made.structure.make_mmcif_document().as_string())),
        rest=REST,
        blobs=_inside_script(json.dumps(blobs)),
    )
    lines = [(chain.id, legend(chain)) for chain in prediction.chains]
    told = "".join(f"<div>{html.escape(f'{name}: {text}')}</div>" for name, text in lines if text)
    return (
        f'<iframe title="{html.escape(prediction.name)} in 3-D" srcdoc="{html.escape(page)}" '
        f'style="width:100%;height:{height}px;border:0"></iframe>{told}'
    )


def _inside_script(text: str) -> str:
    """Text that cannot end the script element that it is in."""
    return text.replace("</script", "<\\/script")
