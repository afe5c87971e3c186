"""BioBlobs: protein classification that shows which parts of the structure decided it."""

__version__ = "0.1.0"
