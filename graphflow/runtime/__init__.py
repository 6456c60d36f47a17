"""Planning for concrete shapes, and running."""

from graphflow.runtime.session import Session
from graphflow.runtime.threads import get_num_threads, set_num_threads

__all__ = ["Session", "get_num_threads", "set_num_threads"]
