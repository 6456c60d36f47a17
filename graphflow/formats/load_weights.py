"""Weights from files into a model that is there: `Model.load_weights`.

Every array that a file has for the model is compared with it first, from descriptions alone. Only then is anything
read, and when that fails the weights are put back: a model has all of a file's weights or none.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from graphflow.errors import ArgumentError, ModelFormatError
from graphflow.formats.container import open_archive
from graphflow.formats.hdf5 import WeightsFile, in_child, open_h5
from graphflow.formats.identify import identify
from graphflow.formats.keras_description import version_numbers
from graphflow.formats.keras_h5_layouts import Stored, layout_of
from graphflow.formats.keras_h5_weights import blocks, load_layer, slots
from graphflow.formats.keras_shards import Shards, open_shards
from graphflow.formats.keras_weights import CONTAINERS, WeightGroup, container_of, read_group, weight_groups
from graphflow.formats.limits import DEFAULT_LIMITS, Limits, shown
from graphflow.formats.safetensors_read import SafetensorsFile
from graphflow.formats.write_safetensors import named_variables
from graphflow.layers.layer import Layer

Shape = tuple[int, ...]


@dataclass(slots=True)
class Findings:
    """What a comparison of a file with a model found.

    Attributes:
        where: the file, as messages name it.
        reads: what puts the weights of one layer, or one part of a layer, into the model.
        mismatches: one sentence for each layer that can not have its weights.
        unused: what is in the file and belongs to no layer.
    """

    where: str
    reads: list[Callable[[], None]] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def compare(self, layer: Layer, place: str, wanted: list[Shape], found: list[Shape]) -> bool:
        """Whether shapes agree; if they do not, that is noted."""
        if wanted == found:
            return True
        expected, received = _listed(wanted), _listed(found)
        self.mismatches.append(
            f"layer {shown(layer.name)} ({type(layer).__name__}) at {place}: expected {expected}, received {received}"
        )
        return False


def _listed(shapes: list[Shape]) -> str:
    return f"{len(shapes)} array{'s' * (len(shapes) != 1)} of shape {', '.join(map(str, shapes))}" if shapes else "none"


def load_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    skip_mismatch: bool = False,
    by_name: bool = False,
    *,
    limits: Limits = DEFAULT_LIMITS,
    untrusted: bool = False,
) -> None:
    """Take the weights of a file.

    Args:
        model: any model whose layers are built.
        filepath: `.weights.h5` of Keras 3, its sharded `.weights.json`, a whole `.keras` file, `.h5` or `.hdf5` of
            Keras 1, 2 or tf.keras (weights alone or a whole model), or `.safetensors` (names are the weights' paths).
        skip_mismatch: leave layers as they are whose weights in the file are other ones, with a warning for each.
        by_name: for `.h5` files of Keras 2: give weights to the layers of the same name, and leave others as they are;
            by default they are given in the order of the layers.
        limits: budgets for sizes; see `graphflow.formats.Limits`.
        untrusted: see `graphflow.load_model`.

    Raises:
        OSError: the file is missing or not readable.
        ArgumentError: a layer without weights yet, or `by_name` for a file that has no names.
        ModelFormatError: a damaged file, or weights that are not the model's: every layer is listed with what was
            expected and what the file holds. The model keeps its weights then, all of them.
        UnsupportedError: a TensorFlow checkpoint or SavedModel.

    Example:
        >>> import graphflow
        >>> from graphflow.samples import digits
        >>> model = graphflow.load_model(digits.MODEL)
        >>> other = graphflow.Model.from_config(model.get_config())
        >>> other.load_weights(digits.MODEL)
        >>> bool((other.get_weights()[0] == model.get_weights()[0]).all())
        True
    """
    for layer in model.layers:
        if not layer.built:
            raise ArgumentError(f"Layer {layer.name!r} has no weights yet: call the model on an input first.")
    with ExitStack() as stack:
        if untrusted:
            stack.enter_context(in_child())
        findings = _compare(model, os.fspath(filepath), by_name, limits, stack)
        if findings.mismatches and not skip_mismatch:
            listed = "; ".join(findings.mismatches)
            if findings.unused:
                listed += f"; the file also holds {', '.join(findings.unused[:20])}"
            raise ModelFormatError(
                f"{findings.where}: the weights are not those of model {model.name!r}: {listed}."
                " Pass skip_mismatch=True to leave these layers as they are."
            )
        with _all_or_nothing(model):
            for read in findings.reads:
                read()
    for mismatch in findings.mismatches:
        warnings.warn(f"{findings.where}: skipped {mismatch}.", stacklevel=3)
    if findings.unused:
        listed = ", ".join(findings.unused[:20])
        warnings.warn(f"{findings.where}: no layer of model {model.name!r} takes the weights {listed}.", stacklevel=3)


def _compare(model: Any, path: str, by_name: bool, limits: Limits, stack: ExitStack) -> Findings:
    """Open a file, for as long as the stack is, and compare it."""
    kind = identify(path)
    if kind == "onnx":
        raise ModelFormatError(f"{path}: an ONNX file is a whole model; open it with graphflow.load_model.")
    file: WeightsFile | Shards
    if kind == "safetensors":
        _refuse_names(path, by_name)
        return _safetensors(model, SafetensorsFile(path, limits))
    if kind == "json":
        file = stack.enter_context(open_shards(path, limits))
    elif kind == "keras":
        archive = stack.enter_context(open_archive(path, limits))
        member = next((name for name in archive.names if name.endswith(".weights.h5")), "model.weights.h5")
        file = stack.enter_context(open_h5(archive.mapped(member), archive.place(member), limits))
    else:
        file = stack.enter_context(open_h5(path, limits=limits))
        root = "model_weights" if file.kind("model_weights") == "group" else "/"
        names = file.texts(root, "layer_names")
        if names is not None:
            return _keras2(model, file, root, names, by_name)
    _refuse_names(path, by_name)
    return _keras3(model, file)


def _refuse_names(path: str, by_name: bool) -> None:
    if by_name:
        raise ArgumentError(f"{path}: by_name is for .h5 files of Keras 2; this file has no weights by layers' names.")


@contextmanager
def _all_or_nothing(model: Any) -> Iterator[None]:
    """Put the weights back when the block fails."""
    before = [(variable, variable.value) for variable in model.weights]
    try:
        yield
    except BaseException:
        for variable, value in before:
            if variable.value is not value:
                variable.adopt(value)
        raise


def _keras3(model: Any, file: Any) -> Findings:
    """Keras 3's layout: by the places of objects."""
    findings = Findings(file.where)
    taken = set()
    if all(file.kind(name) is None for name in (*CONTAINERS, "vars")):
        raise ModelFormatError(f"{file.where}: there are no weights of Keras: expected a group 'layers' or 'vars'.")
    for group in weight_groups(model, container_of(file)):
        taken.add(group.path)
        names = file.keys(group.path) if file.kind(group.path) == "group" else []
        places = sorted(names, key=lambda name: (len(name), name))
        found = [file.info(f"{group.path}/{name}").shape for name in places]
        wanted = [variable.shape for variable in group.variables]
        if places == [str(index) for index in range(len(places))] and wanted == found:
            if found:
                findings.reads.append(lambda group=group: read_group(file, group))  # type: ignore[misc]
        else:
            findings.compare(group.layer, shown(group.path), wanted, found)
    findings.unused = [shown(path) for path in _filled(file, "") if path not in taken]
    return findings


def _filled(file: Any, path: str) -> Iterator[str]:
    """The groups of variables in a file, but not an optimizer's."""
    for name in CONTAINERS if not path else file.keys(path):
        here = f"{path}/{name}" if path else name
        if file.kind(here) == "group":
            if name == "vars" and file.keys(here):
                yield here
            yield from _filled(file, here)


def _keras2(model: Any, file: WeightsFile, root: str, names: list[str], by_name: bool) -> Findings:
    """Keras 2's layout: a group for each layer, in order."""
    findings = Findings(file.where)
    stored = _stored_by(file, root)
    holders = [layer for layer in model.layers if any(True for _ in slots(layer, {}, stored))]
    filled = [name for name in names if file.texts(f"{root}/{name}", "weight_names")]
    if by_name:
        held = {layer.name: layer for layer in holders}
        pairs = [(name, held[name]) for name in filled if name in held]
        if not pairs:
            findings.mismatches.append(f"no layer has a name of the file; it has {shown(', '.join(filled[:20]), 300)}")
    elif len(filled) != len(holders):
        ours, theirs = (", ".join(row[:20]) for row in ([layer.name for layer in holders], filled))
        raise ModelFormatError(
            f"{file.where}: expected weights for {len(holders)} layers ({shown(ours, 300)}), received those of "
            f"{len(filled)} ({shown(theirs, 300)}). by_name=True gives weights to the layers of the same name."
        )
    else:
        pairs = list(zip(filled, holders, strict=True))
    for name, layer in pairs:
        group = f"{root}/{name}"
        paths = [f"{group}/{weight}" for weight in file.texts(group, "weight_names") or []]
        found = [file.info(path).shape for path in paths]
        wanted: list[Shape] = []
        for owner, variables in blocks(slots(layer, {}, stored)):
            wanted += layout_of(owner, variables, found[len(wanted) :], stored).shapes
        if findings.compare(layer, shown(name), wanted, found):
            findings.reads.append(
                lambda group=group, layer=layer: load_layer(file, group, layer, {}, stored)  # type: ignore[misc]
            )
    return findings


def _stored_by(file: WeightsFile, root: str) -> Stored:
    """How the version that wrote the file stored weights."""
    version = file.text(root, "keras_version") or file.text("/", "keras_version")
    backend = file.text(root, "backend") or file.text("/", "backend")
    major = version_numbers(version)[0]
    return Stored(major < 2, major >= 3, backend == "theano" and major < 3)


def _safetensors(model: Any, file: SafetensorsFile) -> Findings:
    """Arrays by the paths of the model's weights, or by their places in Keras 3's files."""
    findings = Findings(file.where)
    groups = [group for group in weight_groups(model) if group.variables]
    by_place = any(f"{group.path}/0" in file.arrays for group in groups)
    named = {id(variable): name for name, variable in named_variables(model).items()}
    taken: set[str] = set()
    for group in groups:
        names = [
            f"{group.path}/{index}" if by_place else named[id(variable)]
            for index, variable in enumerate(group.variables)
        ]
        taken.update(names)
        found = [file.arrays[name].shape for name in names if name in file.arrays]
        wanted = [variable.shape for variable in group.variables]
        if findings.compare(group.layer, ", ".join(map(shown, names)), wanted, found):
            findings.reads.append(lambda group=group, names=names: _read_arrays(file, group, names))  # type: ignore[misc]
    findings.unused = [shown(name) for name in file.arrays if name not in taken]
    return findings


def _read_arrays(file: SafetensorsFile, group: WeightGroup, names: list[str]) -> None:
    for variable, name in zip(group.variables, names, strict=True):
        variable.adopt(file.read(name, variable.shape, variable.dtype))
