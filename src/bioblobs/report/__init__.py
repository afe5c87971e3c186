"""The report: one self-contained HTML page with a 3-D view of every protein. Knows no torch."""
