"""Thin modules: one per DVC stage, and one per measurement that needs trainings of its own."""
