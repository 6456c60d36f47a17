"""Compiled kernels: which there are, what each supports, and how its steps are laid out."""
