"""Tests of explanations, on the model and on the structures that it is given."""
