"""Sources of labelled proteins, and their preparation as a packed store."""
