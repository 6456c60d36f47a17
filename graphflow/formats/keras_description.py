"""What a Keras file says, in one form for all versions, before anything is built from it.

Every reader (`.keras`, `.h5`, JSON; Keras 1 to 3) translates into a `Description`; `build` alone turns one into a
model. Interface:

    read_description(path, limits=DEFAULT_LIMITS) -> Description            in graphflow.formats.keras_files
    describe_json(text, where="<json>", limits=DEFAULT_LIMITS) -> Description   in graphflow.formats.keras_files
    build(description) -> Model, without weights yet                        here

Names of the user's classes and functions are looked up in `graphflow.registry.custom_objects()` while a file is
described, so wrap both calls in `custom_object_scope`. What was not found is listed in `Description.needs`.

`Description.model` is Keras 3's form of a configuration, with what the versions say differently made equal:

    {"module", "class_name", "config", "name", "inbound_nodes": [{"args", "kwargs"}]}

where the configuration of a model holds such "layers", and for functional models "input_layers" and "output_layers";
node indices count the calls that the file holds of a layer, from 0; arguments are those of graphflow's classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from graphflow.errors import GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.keras_ops import reader
from graphflow.formats.keras_sharing import Sharing
from graphflow.formats.limits import DEFAULT_LIMITS, Limits, shown
from graphflow.layers.era import era
from graphflow.layers.holder import deferred_weights
from graphflow.models.config import make_layer, shared_layers

QUIRKS: dict[str, str] = {
    "keras 1": "configuration and weights in the form of Keras 1",
    "list": "the Sequential model's configuration is a plain list",
    "hard_sigmoid": "hard_sigmoid means clip(0.2 x + 0.5, 0, 1), as in Keras 1 and 2",
    "hard_sigmoid default": "the gates' activation is not in the file; it was hard_sigmoid by default",
    "reset_after": "reset_after is not in the file and means False",
    "cudnn": "a CuDNN layer, opened as the plain one, its weights converted",
    "theano": "kernels were applied mirrored (Theano) and are turned round",
    "nested indices": "calls of the inner model are counted from 1",
    "tf function": "a function of TensorFlow, opened as the operation of that meaning",
    "keras operation": "an operation of Keras 3 between layers",
    "constant": "an argument that is a constant",
    "lambda": "a Lambda layer; its function is taken from custom_objects",
    "custom": "a class or function taken from custom_objects",
}
"""What a file can do that newer or older ones do not, by the key in `Description.quirks`."""


class Need(NamedTuple):
    """A class or function that a file uses and that neither graphflow nor custom_objects has.

    Args:
        kind: such as "layer class", "activation", "function of a Lambda layer".
        name: the name to pass it by in custom_objects.
        layer: the path of layers that needs it.
    """

    kind: str
    name: str
    layer: str


class Description(NamedTuple):
    """A Keras file, described.

    Args:
        format: such as "Keras 3 (.keras)".
        where: the file and member, as messages name them.
        keras_version: as the file gives it; "" where it gives none.
        backend: as the file gives it; "" where it gives none.
        era: whose rules apply where versions differ, "keras2" or "keras3"; see `graphflow.layers.era`.
        model: the model's description; see the module.
        needs: classes and functions that are missing.
        refusals: what graphflow can not do; each names the layer.
        quirks: keys of `QUIRKS`, each with the layers it applied to.
        compiled_with: the arguments of `compile` that the file holds, as plain data.
        weights_layout: of `.h5` files: "keras1" or "keras2".
    """

    format: str
    where: str
    keras_version: str
    backend: str
    era: str
    model: dict[str, Any]
    needs: tuple[Need, ...]
    refusals: tuple[str, ...]
    quirks: dict[str, tuple[str, ...]]
    compiled_with: dict[str, Any] | None
    weights_layout: str

    def layers(self) -> Iterator[tuple[str, str]]:
        """(path, class name) of every layer, those of inner models behind their model's."""
        return _walk(self.model, "")

    def check(self) -> None:
        """Raise what keeps a model from being built: missing classes and functions, all in one error.

        Raises:
            ModelFormatError: some are missing; the message lists each with the layers that need it.
            UnsupportedError: graphflow lacks something that the file uses.
        """
        if self.needs:
            raise ModelFormatError(f"{self.where}: {needs_message(self.needs)}")
        if self.refusals:
            raise UnsupportedError(f"{self.where}: {'; '.join(self.refusals)}")


def _walk(item: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    config = item.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    for one in layers if isinstance(layers, list) else ():
        here = f"{path}/{name_of(one)}" if path else name_of(one)
        yield here, str(one.get("class_name"))
        yield from _walk(one, here)


def name_of(item: dict[str, Any]) -> str:
    """The name of a layer's description."""
    config = item.get("config")
    inner = config.get("name") if isinstance(config, dict) else None
    return str(item.get("name") or inner or item.get("class_name"))


def needs_message(needs: tuple[Need, ...]) -> str:
    """One sentence for each missing class or function, and how to pass them all."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for need in needs:
        grouped.setdefault((need.kind, need.name), []).append(need.layer)
    lines = []
    for (kind, name), layers in grouped.items():
        unique = list(dict.fromkeys(layers))
        listed = ", ".join(shown(one) for one in unique[:20]) + (" ..." if len(unique) > 20 else "")
        lines.append(f"{kind} {shown(name)} of layer{'s' if len(unique) > 1 else ''} {listed}")
    names = ", ".join(f"{shown(name)}: ..." for name in dict.fromkeys(need.name for need in needs))
    code = any("bytecode" in need.kind for need in needs)
    return (
        f"The model uses what is not in the file: {'; '.join(lines)}. "
        + ("Python bytecode in a file is never run: pass the function itself. " if code else "")
        + f"Pass custom_objects={{{names}}}."
    )


class Reading:
    """What is found out while one file is translated.

    Args:
        where: the file and member, as messages name them.
        version: `keras_version` of the file; None: it gives none.
        backend: of the file.
        limits: budgets.
    """

    def __init__(
        self, where: str, version: str | None, backend: str | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.where = where
        self.version = version or ""
        self.backend = backend or ""
        self.limits = limits
        self.numbers = version_numbers(version)
        self.needs: list[Need] = []
        self.refusals: list[str] = []
        self.quirks: dict[str, list[str]] = {}
        self.sharing = Sharing()
        self._path: list[str] = []

    @property
    def is_modern(self) -> bool:
        """Whether Keras 3's rules apply."""
        return self.numbers[0] >= 3

    @property
    def is_keras1(self) -> bool:
        return self.numbers[0] < 2

    @property
    def path(self) -> str:
        """The layer that is being described."""
        return "/".join(self._path)

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Describe a layer of this name."""
        self._path.append(name)
        try:
            yield
        finally:
            self._path.pop()

    def need(self, kind: str, name: str) -> None:
        """Note a missing class or function."""
        self.needs.append(Need(kind, name, self.path))

    def refuse(self, reason: str) -> None:
        """Note what graphflow can not do."""
        self.refusals.append(f"layer {shown(self.path)}: {reason}")

    def quirk(self, key: str) -> None:
        """Note a quirk of the layer being described."""
        assert key in QUIRKS, key
        layers = self.quirks.setdefault(key, [])
        if self.path not in layers[-1:]:
            layers.append(self.path)

    def bad(self, rule: str) -> ModelFormatError:
        """An error about the layer being described."""
        place = f": layer {shown(self.path)}" if self._path else ""
        return ModelFormatError(f"{self.where}{place}: {rule}")

    def finish(self, format: str, model: dict[str, Any], compiled_with: Any = None) -> Description:
        """The description."""
        return Description(
            format,
            self.where,
            self.version,
            self.backend,
            "keras3" if self.is_modern else "keras2",
            model,
            tuple(self.needs),
            tuple(self.refusals),
            {key: tuple(layers) for key, layers in self.quirks.items()},
            compiled_with if isinstance(compiled_with, dict) else None,
            "keras1" if self.is_keras1 else "keras2",
        )


def version_numbers(version: str | None) -> tuple[int, int, int]:
    """The numbers of "2.2.4-tf"; Keras 1 where a file gives no version.

    Example:
        >>> version_numbers("2.2.4-tf"), version_numbers(None)
        ((2, 2, 4), (1, 0, 0))
    """
    found = re.match(r"(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?", version or "1")
    major, minor, patch = found.groups() if found else ("1", None, None)
    return int(major), int(minor or 0), int(patch or 0)


def build(description: Description) -> Any:
    """The model of a description; its weights hold nothing until values are put in.

    Raises:
        ModelFormatError: classes or functions are missing, or the configuration contradicts itself.
        UnsupportedError: graphflow lacks something that the file uses.
    """
    description.check()
    where = description.where
    with era(description.era), deferred_weights(), shared_layers(), wrong_shape_is_a_bad_file(where):
        return make_layer(description.model, reader)


@contextmanager
def wrong_shape_is_a_bad_file(where: str) -> Iterator[None]:
    """Errors of code that met a configuration of another shape than it must have become `ModelFormatError`."""
    try:
        yield
    except GraphflowError as error:
        kind = UnsupportedError if isinstance(error, UnsupportedError) else ModelFormatError
        raise kind(str(error) if where in str(error) else f"{where}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError, ArithmeticError) as error:
        raise ModelFormatError(
            f"{where}: the configuration is not one of Keras': {type(error).__name__}: {shown(str(error), 200)}"
        ) from error
