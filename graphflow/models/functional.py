"""`Model`: a graph of layer calls between inputs and outputs, that is a layer itself and runs on arrays.

What runs models is imported by the first run, so that describing and opening them costs less.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from graphflow.errors import ArgumentError, ArgumentTypeError, UnsupportedError, nearest
from graphflow.ir.graph import Graph
from graphflow.layers.layer import Layer, training_mode
from graphflow.layers.lower import lower
from graphflow.layers.nest import leaves, single, transform
from graphflow.layers.network import Network
from graphflow.layers.penalties import LOSS_EPOCH
from graphflow.layers.registry import layer
from graphflow.layers.stand_ins import is_tensor
from graphflow.layers.tensor import KerasTensor
from graphflow.models.forwarded import Forwarded

if TYPE_CHECKING:
    from graphflow.runtime.session import Session

Array = np.ndarray[Any, Any]


@layer("Functional", "Model")
class Model(Forwarded, Layer):
    """A model: symbolic inputs and outputs, and the layers between them.

    Args:
        inputs, outputs: a symbolic tensor, or a list or dict of them; also `input` and `output`.
        name: of the model.

    Raises:
        GraphError: an output that does not follow from the inputs, or two layers of one name.

    Source: https://keras.io/api/models/model/

    Example:
        >>> import numpy as np
        >>> from graphflow import Input, Model
        >>> from graphflow.layers import Dense
        >>> x = Input(shape=(16,))
        >>> model = Model(inputs=x, outputs=Dense(3, activation="softmax")(x))
        >>> model.predict(np.zeros((5, 16)), verbose=0).shape
        (5, 3)
    """

    supports_masking = True
    _asked: tuple[int, bool] = (-1, False)

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, **kwargs: Any) -> None:
        inputs = kwargs.pop("input", inputs)
        outputs = kwargs.pop("output", outputs)
        if inputs is None or outputs is None:
            raise ArgumentError("Model needs inputs and outputs: Model(inputs=x, outputs=y).")
        super().__init__(name=name or self._new_name("functional" if type(self) is Model else "model"), **kwargs)
        self._adopt(inputs, outputs)

    def _adopt(self, inputs: Any, outputs: Any) -> None:
        """Take these tensors as the model's own."""
        self._nested_inputs = inputs
        self._nested_outputs = outputs
        self._network = Network(list(leaves(inputs)), outputs)
        self._sessions: dict[tuple[bool, bool], Session] = {}
        self._losses: list[Any] = []
        self.built = True
        self.compiled_with: dict[str, Any] | None = None

    # -- structure

    @property
    def operations(self) -> list[Layer]:
        """Everything that is called, also ops applied outside any layer, in Keras' order."""
        return self._network.layers

    @property
    def layers(self) -> list[Layer]:
        """The layers, in Keras' order."""
        return [one for one in self._network.layers if not one.is_op]

    def _sublayers(self) -> list[Layer]:
        return self.operations

    @property
    def inputs(self) -> list[KerasTensor]:
        return list(self._network.inputs)

    @property
    def outputs(self) -> list[KerasTensor]:
        return list(leaves(self._nested_outputs))

    @property
    def input(self) -> Any:
        return self._nested_inputs

    @property
    def output(self) -> Any:
        return self._nested_outputs

    @property
    def input_shape(self) -> Any:
        return single([tensor.shape for tensor in self.inputs])

    @property
    def output_shape(self) -> Any:
        return single([tensor.shape for tensor in self.outputs])

    @property
    def input_names(self) -> list[str]:
        """The names by which a dict of arrays is taken: those of the input layers."""
        return [tensor._keras_history.layer.name if tensor._keras_history else tensor.name for tensor in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that make the outputs, made unique."""
        if isinstance(self._nested_outputs, dict) and len(self._nested_outputs) == len(self.outputs):
            return sorted(self._nested_outputs, key=str)
        names: list[str] = []
        for tensor in self.outputs:
            base = tensor._keras_history.layer.name if tensor._keras_history else tensor.name
            name, count = base, 0
            while name in names:
                count += 1
                name = f"{base}_{count}"
            names.append(name)
        return names

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name, or at an index of `layers`.

        Raises:
            ArgumentError: there is none, or neither or both were given.
        """
        if (name is None) == (index is None):
            raise ArgumentError("get_layer takes a name or an index.")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ArgumentError(f"Model {self.name!r} has {len(self.layers)} layers, there is no index {index}.")
            return self.layers[index]
        for one in self.operations:
            if one.name == name:
                return one
        raise ArgumentError(
            f"Model {self.name!r} has no layer {name!r}.{nearest(str(name), [one.name for one in self.operations])}"
        )

    # -- calls

    def _flat(self, given: Any) -> list[Any]:
        """What was given for the inputs, in their order; dicts by name.

        Raises:
            ArgumentError: missing or unknown names, or another number of inputs.
        """
        names = self.input_names
        if isinstance(given, Mapping):
            nested = self._nested_inputs
            if isinstance(nested, dict) and set(given) == set(nested):
                return [given[key] for key in sorted(nested, key=str)]
            from graphflow.runtime.feed import check_names

            check_names(given, names)
            return [given[name] for name in names]
        if isinstance(given, (list, tuple)):
            flat = list(leaves(given))
            symbolic = any(hasattr(one, "shape") for one in flat)
            if len(names) == 1 and not symbolic:
                return [given]
            items = flat if symbolic else list(given)
        else:
            items = [given]
        if len(items) != len(names):
            raise ArgumentError(
                f"Model {self.name!r} has {len(names)} inputs ({', '.join(names)}), received {len(items)}."
            )
        return items

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call on symbolic tensors (the model becomes a layer of another) or on arrays (it runs)."""
        if any(is_tensor(leaf) for leaf in leaves((*args, kwargs) if kwargs else args)):
            return super().__call__(*args, **kwargs)
        if len(args) != 1:
            raise ArgumentTypeError("A model is called on its inputs: one array, or a list or dict of arrays.")
        unknown = set(kwargs) - {"training"} if kwargs else ()
        if unknown:
            raise ArgumentTypeError(f"A model called on arrays does not take {sorted(unknown)[0]!r}.")
        adds_losses = self._asked_for_losses()
        outputs = self.session(bool(kwargs.get("training")), adds_losses).run(self._flat(args[0]))
        if not adds_losses:
            self._losses = []
            return self._nest(outputs)
        count = len(self.outputs)
        self._losses = [loss[()] for loss in outputs[count + self._penalty_count :]]
        return self._nest(outputs[:count])

    def _asked_for_losses(self) -> bool:
        """`adds_losses`, found out once until a layer begins or ceases to add some, or the model has other layers."""
        epoch, adds_losses = self._asked
        if epoch != LOSS_EPOCH[0]:
            epoch = LOSS_EPOCH[0]
            adds_losses = self.adds_losses
            self._asked = epoch, adds_losses
        return adds_losses

    @property
    def _penalty_count(self) -> int:
        return sum(bool(variable.regularizer) for variable in self.trainable_weights)

    def _call_losses(self) -> list[Any]:
        return list(self._losses)

    def clear_losses(self) -> None:
        """Forget what calls have added to the losses."""
        self._losses = []

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        flat = self._flat(inputs)
        if mask is not None:
            for tensor, one in zip(flat, leaves(mask), strict=False):
                if one is not None:
                    tensor._keras_mask = one
        with training_mode(bool(training)):
            return self._network.run(flat)

    def _with_masks(self, args: tuple[Any, ...], outputs: Any, mask: Any) -> Any:
        """The outputs carry the masks of the inner layers already."""
        return outputs

    def _as_input(self, leaf: Any) -> Any:
        return leaf

    def _ensure_built(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A model is built from the beginning."""

    def _nest(self, outputs: list[Any]) -> Any:
        rest = iter(outputs)
        return transform(lambda leaf: next(rest), self._nested_outputs)

    # -- running

    def graph(self, training: bool = False, losses: bool = False) -> Graph:
        """The model as a graph of operations.

        Args:
            training: what layers that were called with `training=None` take it to be.
            losses: whether the losses are outputs, too, behind the model's own; see `losses`.
        """
        return lower(self._network, self.name, self.input_names, self.output_names, training, losses)

    def session(self, training: bool = False, losses: bool = False) -> Session:
        """The runnable form; made when it is first asked for, and kept. The arguments are those of `graph`."""
        if (training, losses) not in self._sessions:
            from graphflow.runtime.session import Session

            self._sessions[training, losses] = Session(self.graph(training, losses))
        return self._sessions[training, losses]

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: int | None = None) -> Any:
        """The outputs for all rows, computed in batches.

        Args:
            x: an array of shape (rows, ...), anything array-like that can be sliced (a memory-mapped file), a list of
                them in the order of the inputs, a dict of them by input name, or an iterator of batches.
            batch_size: rows per batch, 32 by default; not for iterators.
            verbose: "auto" or 1: a bar on a terminal; 0: none.
            steps: stop after so many batches.

        Returns:
            An array of shape (rows, ...), or as many as the model has outputs, nested as they are.

        Raises:
            ArgumentError: missing or unknown inputs.
            ShapeError, DTypeError, DataError: an input that does not fit; the message names it.
        """
        from graphflow.models.predict import is_batches, predict_arrays, predict_batches

        session = self.session()
        if is_batches(x):
            if batch_size is not None:
                raise ArgumentError(
                    "batch_size can not be given with an iterator, whose batches have their sizes already."
                )
            outputs = predict_batches(session, x, steps, verbose, self._flat)
        else:
            outputs = predict_arrays(session, self._flat(x), batch_size, verbose, steps)
        return self._nest(outputs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, computed at once."""
        return self._nest(self.session().run(self._flat(x)))

    def reset_states(self) -> None:
        """Set the states of all stateful layers to zeros."""
        for one in self.operations:
            if getattr(one, "stateful", False) or isinstance(one, Model):
                one.reset_states()  # type: ignore[attr-defined]

    reset_state = reset_states

    @property
    def stateful(self) -> bool:
        return any(getattr(one, "stateful", False) for one in self.operations)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted and recorded in `compiled_with`; graphflow does not train models."""
        names = ("optimizer", "loss", "metrics", "loss_weights")
        self.compiled_with = {**dict(zip(names, args, strict=False)), **kwargs}

    def fit(self, *_: Any, **__: Any) -> Any:
        raise UnsupportedError("Model.fit is not supported: graphflow runs models and does not train them.")

    # -- configuration

    def get_config(self) -> dict[str, Any]:
        from graphflow.models.config import model_to_config

        return model_to_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        from graphflow.models.config import model_from_config
        from graphflow.registry import custom_object_scope

        with custom_object_scope(custom_objects):
            return model_from_config(config, cls)

    def __reduce__(self) -> tuple[Any, ...]:
        states = [variable.numpy() for variable in self.variables]
        return _restore, (type(self), self.get_config(), states, self.compiled_with)


def _restore(cls: type[Model], config: dict[str, Any], values: list[Array], compiled_with: Any) -> Model:
    model: Model = cls.from_config(config)
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    model.compiled_with = compiled_with
    return model


Functional = Model
