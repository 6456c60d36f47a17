"""Looking at models: what they are made of, as text."""

from graphflow.inspect.summary import format_summary, print_summary
from graphflow.inspect.text import encodable, escaped

__all__ = ["encodable", "escaped", "format_summary", "print_summary"]
