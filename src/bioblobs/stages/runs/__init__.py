"""Runs of several stages: their order, their processes and their folders."""
