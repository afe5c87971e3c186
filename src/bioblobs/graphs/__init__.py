"""Coordinates -> residue graph and features, a whole batch at a time."""
