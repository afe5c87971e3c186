"""Sphinx: the documentation site, `make docs`. Pages are Markdown (MyST), the API is made from docstrings."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

project, author, copyright = "BioBlobs", "The BioBlobs authors", "2026, The BioBlobs authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "BioBlobs"
exclude_patterns = ["site"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
# Links to files of the repository are right where most readers follow them: in the repository.
suppress_warnings = ["myst.xref_missing", "ref.python"]
napoleon_use_rtype = False
