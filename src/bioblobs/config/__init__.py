"""Parameters of the project: schema and parsing. Knows no torch."""
