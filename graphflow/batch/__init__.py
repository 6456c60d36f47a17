"""Long jobs: a model over all rows of a source, in bounded memory, that survive a kill at any instant.

    source -> read -> prepare -> run -> write -> shards -> sink
                                                   |
                                                journal

`Job` puts the parts together: `header` says what a job is and what is there of it, `running` does what is left,
`ending` makes the output. `sources` and `sinks` hold one file for each kind; `durable` is the one place that writes;
`shards` runs a range of shards in this process, which is what engines of many processes call.
"""

from __future__ import annotations

from graphflow.batch.job import Job
from graphflow.batch.progress import Report
from graphflow.batch.shards import ShardRunner
from graphflow.batch.stream import predict_stream

__all__ = ["Job", "Report", "ShardRunner", "predict_stream"]
