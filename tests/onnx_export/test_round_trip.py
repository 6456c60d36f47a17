"""Models go to ONNX and come back: the graph that is read computes what the model did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import models
from cases.layers import CASES, LayerCase
from clients import CLIENTS
from clients.weights import images
from parity.compare import Comparison, problems
from parity.rows import ROWS, Row
from test_client_models import built

import graphflow
from graphflow import Input, Model
from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_read import operators as _readers
from graphflow.formats.onnx_read.registry import find
from graphflow.formats.onnx_write import NEWEST_OPSET, OLDEST_OPSET, export, operators
from graphflow.layers import GRU, RNN, Embedding, GRUCell, LSTMCell
from graphflow.layers.nest import leaves
from onnx_export.runtime import ALLOWED, difference, fed, tried_alongside

pytestmark = pytest.mark.oracle
WANTED = 6
assert _readers, "importing them fills the registry"


def check(model: Any, arrays: Sequence[Any], folder: Path, opset: int = NEWEST_OPSET) -> None:
    """What is read back computes the same, for these inputs and for fewer rows."""
    path = folder / "model.onnx"
    export(model, path, opset=opset)
    unread = [kind for kind in operators(model, opset=opset) if find("", kind, opset) is None]
    if unread:  # the reader says so, by name
        with pytest.raises(UnsupportedError, match=f"operator '{unread[0]}'"):
            graphflow.load_model(path)
        return
    again = graphflow.load_model(path)
    batches = [list(arrays)]
    if all(tensor.shape[:1] == (None,) for tensor in model.inputs):
        batches.append([array[:1] for array in arrays])
    for batch in batches:
        expected = [np.asarray(one) for one in leaves(model.predict_on_batch(batch))]
        found = [np.asarray(one) for one in leaves(again(fed(model, batch)))]
        worst = difference(found, expected)
        assert worst <= ALLOWED, f"{worst:.2e} with {len(batch[0])} rows"


@pytest.mark.parametrize("opset", [OLDEST_OPSET, NEWEST_OPSET])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_layer_of_the_cases(case: LayerCase, opset: int, tmp_path: Path) -> None:
    check(case.model(), case.arrays(), tmp_path, opset)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.layer}-{row.count}")
def test_a_layer_in_many_configurations(row: Row, tmp_path: Path) -> None:
    for config, shape, masked in problems(row, WANTED):
        comparison = Comparison(row, config, shape, masked)
        model = comparison.model()
        arrays: list[Any] = [*comparison._given] + ([] if comparison.mask is None else [comparison.mask])
        try:
            check(model, arrays, tmp_path)
        except Exception as error:
            raise AssertionError(f"{row.layer}({config}) on {shape}, masked: {masked}: {error}") from error


@pytest.mark.parametrize("name", [name for name in models.MODELS if name != "mixed"])
def test_a_model_of_the_cases(name: str, tmp_path: Path) -> None:
    check(models.make(name), [models.data(name)], tmp_path)


def test_what_the_tests_predict_with_also_comes_back(tmp_path: Path) -> None:
    """Cells, attention, inner models and what else the fast tests of layers run; see `alongside`."""
    names = ("masks", "models", "more_layers", "recurrent", "recurrent_cells", "snippets")
    found = tried_alongside([f"test_{name}.py" for name in names], tmp_path, back=True)
    assert found["differed"] == []
    assert found["agreed"] >= 1000


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_s_network(name: str, tmp_path: Path) -> None:
    model = built(name)
    check(model, [images(model)], tmp_path)


def test_a_masked_sentence_and_stacked_cells(tmp_path: Path) -> None:
    words = Input((None,), dtype="int32", name="words")
    read = GRU(4, return_sequences=True)(Embedding(20, 6, mask_zero=True)(words))
    model = Model(words, RNN([LSTMCell(3), GRUCell(2)])(read))
    models.randomize(model)
    tokens = np.random.default_rng(0).integers(1, 20, (5, 9))
    tokens[1, 4:] = 0
    tokens[2, :3] = 0
    tokens[3] = 0
    check(model, [tokens], tmp_path)


def test_weights_beside_the_file_are_read_with_it(tmp_path: Path) -> None:
    model = models.make("residual")
    export(model, tmp_path / "model.onnx", external_data=True)
    array = models.data("residual")
    again = graphflow.load_model(tmp_path / "model.onnx")
    assert difference(list(leaves(again([array]))), [model.predict(array)]) <= ALLOWED
