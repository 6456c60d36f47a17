"""One number that changes whenever something that sessions remember may not hold any more."""

EPOCH = [0]
"""Grows when a weight is assigned, and when a setting that plans depend on is changed."""
