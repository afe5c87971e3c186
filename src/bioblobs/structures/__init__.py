"""Reader of PDB and mmCIF files, without torch, labels and data sets."""
