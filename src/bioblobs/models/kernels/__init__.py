"""Compiled parts of the model for processors; each has an equal in torch's operations, which stays the reference."""
