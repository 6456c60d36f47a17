"""`apply`: the one door through which every op is applied, and who answers it.

    symbolic tensors    infer specs only            while a model is described
    graph values        add a node                  while a model is lowered, or a file is read
    arrays              compute                     with the installed evaluator

While the body of a control operation is traced, its builder answers for every tensor and variable, its own or not.
Otherwise the first argument with `__gf_apply__` decides. Variables have none: they belong to whatever is being traced,
and are plain arrays when nothing is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from graphflow.errors import GraphflowError, located
from graphflow.operand import Operand
from graphflow.ops.registry import Attrs, OpDef
from graphflow.spec import TensorSpec, spec_of
from graphflow.variable import Variable

Interpreter = Callable[[OpDef, Sequence[Any], Attrs], Any]

_tracer: ContextVar[Interpreter | None] = ContextVar("graphflow_tracer", default=None)
_body: ContextVar[Interpreter | None] = ContextVar("graphflow_body", default=None)


@contextmanager
def tracing(interpreter: Interpreter | None, body: bool = False) -> Iterator[None]:
    """Let `interpreter` answer ops whose arguments are variables alone; with `body`, all that are not only arrays."""
    token, outer = _tracer.set(interpreter), _body.set(interpreter if body else None)
    try:
        yield
    finally:
        _tracer.reset(token)
        _body.reset(outer)


def is_tracing() -> bool:
    """Whether a call is being traced, so that values are not real numbers."""
    return _tracer.get() is not None


def infer(
    op: OpDef, specs: Sequence[TensorSpec | None], attrs: Attrs, values: Sequence[Any] = ()
) -> tuple[TensorSpec, ...]:
    """The output specs of `op`; errors carry the op's name and the input specs."""
    try:
        return op.infer(attrs, specs, values or (None,) * len(specs))
    except GraphflowError as error:
        shown = ", ".join("none" if spec is None else str(spec) for spec in specs)
        raise located(error, f"op {op.name!r} on ({shown})", "op") from None


def evaluate(op: OpDef, args: Sequence[Any], attrs: Attrs) -> Any:
    """Compute with the reference."""
    arrays = [None if arg is None else arg.value if isinstance(arg, Variable) else np.asarray(arg) for arg in args]
    infer(op, [None if array is None else spec_of(array) for array in arrays], attrs)
    outputs = op.run_reference(attrs, arrays)
    return outputs[0] if op.single else outputs


def apply(op: OpDef, args: Sequence[Any], attrs: Attrs) -> Any:
    """Apply an op to its operands.

    Args:
        op: a row of `OPS`.
        args: the operands in order, None for one left out.
        attrs: plain numbers, strings, booleans, None and tuples of them.

    Returns:
        One tensor, or a tuple when the op has several outputs, of the kind of the operands.
    """
    body = _body.get()
    if body is not None and any(isinstance(arg, Operand) for arg in args):
        return body(op, args, attrs)
    variables = False
    for arg in args:
        answer = getattr(arg, "__gf_apply__", None)
        if answer is not None:
            return answer(op, args, attrs)
        variables = variables or isinstance(arg, Variable)
    tracer = _tracer.get() if variables else None
    return evaluate(op, args, attrs) if tracer is None else tracer(op, args, attrs)
