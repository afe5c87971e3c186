"""PDB and mmCIF files -> proteins. Knows no torch, no labels and no data sets."""
