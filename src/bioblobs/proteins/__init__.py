"""One protein: record and alphabet. Knows no torch."""
