"""One protein: record, alphabet and geometry, without torch."""
