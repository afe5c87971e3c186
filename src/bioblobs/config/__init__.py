"""Every parameter of the project: schema, parsing, and which of them were read. Knows no torch."""
