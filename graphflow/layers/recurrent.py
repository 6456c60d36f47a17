"""SimpleRNN, LSTM and GRU: an `RNN` over their own cell, computed as one operation where a kernel has it."""

from __future__ import annotations

from typing import Any

from graphflow import activations, ops
from graphflow.errors import ShapeError
from graphflow.layers.arguments import name_positional
from graphflow.layers.cells import GRUCell, LSTMCell, SimpleRNNCell, UnitsCell
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.rnn import RNN
from graphflow.registry import serialize, snake_case
from graphflow.spec import format_shape

_FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")


def positional_names(cell_type: type[UnitsCell]) -> tuple[str, ...]:
    """The order of a recurrent layer's arguments after `units`: the cell's, then the layer's own."""
    names = [name for name in cell_type.arguments if name not in ("reset_after", "seed")]
    names.insert(names.index("kernel_constraint"), "activity_regularizer")
    return (*names, *_FLAGS, *(name for name in cell_type.arguments if name == "reset_after"))


class UnitsRNN(RNN):
    """What SimpleRNN, LSTM and GRU share: their arguments are those of the cell and of `RNN`.

    The weights belong to the inner cell, which has the layer's name; its arguments are attributes of the layer, too.
    """

    cell_type: type[UnitsCell] = UnitsCell

    def __init__(self, units: int, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, positional_names(self.cell_type))
        own = {name: kwargs.pop(name) for name in self.cell_type.arguments if name in kwargs}
        name = kwargs.pop("name", None) or Layer._new_name(snake_case(type(self).__name__))
        cell = self.cell_type(units, name=name, dtype=kwargs.get("dtype"), **own)
        super().__init__(cell, name=name, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """The cell's arguments and weights."""
        cell = self.__dict__.get("cell")
        shown = (*self.cell_type.arguments, "units", "kernel", "recurrent_kernel", "bias")
        if cell is None or name not in shown:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(cell, name)

    def build(self, input_shape: Any) -> None:
        first = input_shape[0] if isinstance(input_shape, list) else input_shape
        if len(first) != 3 or first[-1] is None:
            raise ShapeError(
                f"{type(self).__name__} needs an input of shape (batch, steps, features) with known features, "
                f"received {format_shape(first)}."
            )
        super().build(input_shape)

    def walk(
        self, inputs: Any, states: list[Any], mask: Any, training: bool | None, constants: Any = None
    ) -> tuple[Any, list[Any]]:
        gates = [activations.GATES.get(function) for function in self._functions()]
        if (training and self.cell.drops) or None in gates:
            return super().walk(inputs, states, mask, training, constants)
        way: dict[str, Any] = {"return_sequences": self.return_sequences, "go_backwards": self.go_backwards}
        output, *finals = self._at_once(
            [inputs, self.kernel, self.recurrent_kernel, self.bias, *gates],
            initial_state=states,
            mask=mask,
            zero_output_for_mask=self.zero_output_for_mask,
            **way,
        )
        return output, finals

    def _functions(self) -> list[Any]:
        return [self.cell.activation, self.cell.recurrent_activation]

    def _at_once(self, given: list[Any], **way: Any) -> Any:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        config = {**self.cell.get_config(), **Layer.get_config(self), **self.flags()}
        return {**config, "activity_regularizer": serialize(self.activity_regularizer)}


@layer()
class SimpleRNN(UnitsRNN):
    """h_t = activation(W x_t + U h_(t-1) + b): (batch, steps, features) to (batch, units) (Elman, 1990).

    Args:
        units: the size of the state and the output.
        activation: "tanh".
        use_bias: whether to add a bias.
        kernel_initializer, recurrent_initializer, bias_initializer, and their regularizers and constraints.
        dropout, recurrent_dropout: shares of the input and of the state that training drops, the same in all steps.
        return_sequences: (batch, steps, units), the output of every step.
        return_state: also the final state.
        go_backwards: from the last step to the first; outputs stay in processing order.
        stateful: row i of a batch continues row i of the batch before; needs a fixed batch size.
        unroll: needs a known number of steps; the result is the same.

    Call arguments: `mask` (batch, steps), `initial_state` [h], (batch, units).

    Raises:
        ShapeError: an input of another rank, a state of another shape.

    Source: https://keras.io/api/layers/recurrent_layers/simple_rnn/

    Example:
        >>> from graphflow.layers import Input, SimpleRNN
        >>> SimpleRNN(4)(Input((10, 8))).shape
        (None, 4)
    """

    cell_type = SimpleRNNCell

    def _functions(self) -> list[Any]:
        return [self.cell.activation]

    def _at_once(self, given: list[Any], **way: Any) -> Any:
        return ops.simple_rnn(*given, **way)


@layer()
class LSTM(UnitsRNN):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997): (batch, steps, features) to (batch, units).

    Args:
        units: the size of the states and the output.
        activation: of the candidate and the output, "tanh".
        recurrent_activation: of the gates, "sigmoid".
        unit_forget_bias: whether the forget gate's bias starts at one.
        return_state: also the final h and c.
        zero_output_for_mask: masked steps put out zeros, and not the previous output.
        use_bias, kernel_initializer, ..., dropout, ..., unroll: as in `SimpleRNN`.

    Call arguments: `mask` (batch, steps), `initial_state` [h, c], each (batch, units).

    Raises:
        ShapeError: an input of another rank, a state of another shape.

    Source: https://keras.io/api/layers/recurrent_layers/lstm/
    """

    cell_type = LSTMCell

    def _at_once(self, given: list[Any], **way: Any) -> Any:
        return ops.lstm(*given, **way)


@layer()
class GRU(UnitsRNN):
    """Gated recurrent unit (Cho et al., 2014): (batch, steps, features) to (batch, units).

    Args:
        units: the size of the state and the output.
        activation: of the candidate, "tanh".
        recurrent_activation: of the update and reset gates, "sigmoid".
        reset_after: whether the reset gate is applied after the product with the recurrent kernel, or before; the bias
            is (2, 3 units) then.
        use_bias, kernel_initializer, ..., dropout, ..., unroll: as in `SimpleRNN`.

    Call arguments: `mask` (batch, steps), `initial_state` [h], (batch, units).

    Raises:
        ShapeError: an input of another rank, a state of another shape.

    Source: https://keras.io/api/layers/recurrent_layers/gru/
    """

    cell_type = GRUCell

    def _at_once(self, given: list[Any], **way: Any) -> Any:
        return ops.gru(*given, **{**way, "reset_after": self.cell.reset_after})
