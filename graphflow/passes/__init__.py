"""Graph rewrites: one file each, run in a literal order, each of which can be left out."""

from graphflow.passes.pipeline import PIPELINE, tune

__all__ = ["PIPELINE", "tune"]
