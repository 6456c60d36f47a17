"""Precision: what strict leaves out, who keeps which value, how far the two answers lie apart, and the rule's shape."""

import pickle
from collections.abc import Iterator

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, config
from graphflow.errors import ArgumentError
from graphflow.ir.graph import Graph
from graphflow.kernels.isa import available
from graphflow.kernels.winograd import best_tile, shape_of
from graphflow.layers import Activation, Add, BatchNormalization, Conv2D, Conv3D
from graphflow.runtime.session import Session

SHAPE = (2, 20, 18, 24)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    kept = config.precision()
    yield
    config.set_precision(kept)


def residual_network() -> Graph:
    """Three convolutions that Winograd takes, one of them behind a normalisation and one before an addition."""
    x = Input(SHAPE[1:])
    first = Conv2D(40, 3, padding="same", activation="relu")(x)
    second = Activation("relu")(BatchNormalization()(Conv2D(64, 3, padding="same", use_bias=False)(first)))
    third = Conv2D(64, 3, padding="same")(second)
    last = Conv2D(33, 3, activation="tanh")(Activation("relu")(Add()([second, third])))
    return Model(x, last).graph()


def orders(session: Session) -> list[str]:
    plan = session.plan([SHAPE])
    return [one.kernel.order for one in plan.nodes if one.kernel is not None and one.node.op.name == "conv"]


def pixels() -> list[np.ndarray]:
    return [np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)]


@pytest.mark.parametrize("isa", list(available()))
def test_strict_uses_no_winograd_and_lies_close_to_the_default(isa: str) -> None:
    graph = residual_network()
    with graphflow.knobs(isa=isa):
        default = Session(graph)
        config.set_precision("strict")
        strict = Session(graph)
    assert all(order.startswith("winograd") for order in orders(default))
    assert len(orders(strict)) == len(orders(default)) == 4
    assert not any("winograd" in order for order in orders(strict))
    (fast,), (exact,) = default.run(pixels()), strict.run(pixels())
    assert not np.array_equal(fast, exact)
    assert np.abs(fast - exact).max() <= 1e-5 * np.abs(exact).max()


def test_a_session_keeps_its_precision() -> None:
    graph = residual_network()
    config.set_precision("strict")
    session = Session(graph)
    config.set_precision("default")
    for one in (session, pickle.loads(pickle.dumps(session))):
        assert one.precision == "strict"
        assert not any("winograd" in order for order in orders(one))
    assert any("winograd" in order for order in orders(Session(graph)))


def test_the_knob_comes_before_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = residual_network()
    with graphflow.knobs(precision="strict"):
        assert Session(graph).precision == "strict"
    monkeypatch.setenv("GRAPHFLOW_PRECISION", "strict")
    assert Session(graph).precision == "strict"
    with graphflow.knobs(precision="default"):
        assert Session(graph).precision == "default"
    with graphflow.knobs(precision="exact"), pytest.raises(ArgumentError, match="'exact' is not a value"):
        Session(graph)


def test_precision_refuses_other_values() -> None:
    with pytest.raises(ArgumentError, match="'fast' is not a value that precision can take"):
        config.set_precision("fast")
    assert config.precision() == "default"


@pytest.mark.parametrize("isa", list(available().values()), ids=lambda isa: isa.name)
def test_a_model_gives_a_row_the_same_bits_in_every_batch(isa) -> None:  # type: ignore[no-untyped-def]
    with graphflow.knobs(isa=isa.name):
        session = Session(residual_network())
        (x,) = pixels()
        x = np.concatenate([x, -x, x[::-1], x * 2])
        (whole,) = session.run([x])
        for size in (1, 2, 3, 5, 7):
            parts = [session.run([x[start : start + size]])[0] for start in range(0, len(x), size)]
            np.testing.assert_array_equal(np.concatenate(parts).view(np.int32), whole.view(np.int32))


def volume_network() -> Graph:
    """Windows of three slices, one and two, a volume that is padded and one that shrinks."""
    x = Input((6, 13, 12, 20))
    first = Conv3D(32, 3, padding="same", activation="relu")(x)
    second = Conv3D(40, (1, 3, 3), padding="same")(first)
    return Model(
        x, Conv3D(24, (2, 3, 3), activation="tanh")(Add()([second, Conv3D(40, 3, padding="same")(first)]))
    ).graph()


@pytest.mark.parametrize("isa", list(available()))
def test_volumes_have_the_same_bits_in_every_batch_and_with_any_threads(isa: str) -> None:
    x = np.random.default_rng(1).standard_normal((7, 6, 13, 12, 20)).astype(np.float32)
    graph = volume_network()
    with graphflow.knobs(isa=isa, precision="strict"):
        exact = Session(graph).run([x])[0]
    results = []
    for threads in (1, 2, 4):
        with graphflow.knobs(isa=isa, threads=threads):
            session = Session(graph)
            assert sum("winograd" in one.kernel.name for one in session.plan([x.shape]).nodes if one.kernel) == 4
            for size in (7, 1, 2, 5):
                parts = [session.run([x[start : start + size]])[0] for start in range(0, len(x), size)]
                results.append(np.concatenate(parts))
    assert np.abs(results[0] - exact).max() <= 1e-5 * np.abs(exact).max()
    for result in results[1:]:
        np.testing.assert_array_equal(result.view(np.int32), results[0].view(np.int32))


def test_the_rule_takes_large_tiles_for_large_maps_and_none_for_few_channels() -> None:
    for isa in available().values():
        assert best_tile(shape_of(3, 64, (224, 224)), isa) == 0
        assert best_tile(shape_of(64, 64, (3, 3)), isa) == 0
        assert best_tile(shape_of(2, 64, (16, 64, 64), 3), isa) == 0
        assert best_tile(shape_of(512, 512, (7, 7)), isa) in ((2,) if isa.vector > 4 else (2, 4))
        for size, channels in [(224, 64), (112, 128), (56, 64), (56, 256), (28, 128), (28, 512)]:
            assert best_tile(shape_of(channels, channels, (size, size)), isa) == 4
        for size, depth, channels in [(112, 16, 64), (56, 16, 64), (28, 8, 128)]:
            assert best_tile(shape_of(channels, channels, (depth, size, size), 3), isa) == 4
