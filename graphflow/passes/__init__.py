"""Graph rewrites: one file each, run in a literal order, each of which can be left out."""

from graphflow.passes.pipeline import EXACT, PIPELINE, tune

__all__ = ["EXACT", "PIPELINE", "tune"]
