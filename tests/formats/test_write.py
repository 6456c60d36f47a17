"""Writing files: which form, what is refused, what another Keras must not open, and that no half file is ever left."""

from __future__ import annotations

import json
import os
import pickle
import runpy
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from formats.random_models import scatter_weights
from formats.round_trips import assert_same_outputs, assert_same_weights, structure

import graphflow
from graphflow import Input, Model, Sequential, activations, ops
from graphflow import layers as L
from graphflow.cli import main
from graphflow.errors import ArgumentError, ModelFormatError, UnsupportedError
from graphflow.formats import write_file, write_keras_v3
from graphflow.formats.write_weights import ATTRIBUTE_BYTES
from graphflow.layers.era import era
from graphflow.models import clone_model, model_from_json, save_model
from graphflow.registry import registered_objects
from graphflow.saving import register_keras_serializable

oracle = pytest.mark.oracle


def small(**more: Any) -> Sequential:
    model = Sequential([L.Dense(3, input_shape=(4,), name="first", **more), L.Dense(2, name="last")], name="small")
    scatter_weights(model, np.random.default_rng(1))
    return model


def four() -> np.ndarray[Any, Any]:
    return np.random.default_rng(2).normal(size=(5, 4)).astype("float32")


def config_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        found: dict[str, Any] = json.loads(archive.read("config.json"))
    return found


# -- files


def test_a_keras_file_has_three_stored_members_and_only_the_date_changes(tmp_path: Path) -> None:
    date, model = datetime(2024, 2, 29, 12, 30, 1), small()
    for name in ("one.keras", "two.keras"):
        write_keras_v3.write_model(model, tmp_path / name, date=date)
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.keras") as archive:
        members = archive.infolist()
        assert json.loads(archive.read("metadata.json"))["date_saved"] == "2024-02-29@12:30:01"
        assert archive.testzip() is None
    assert [one.filename for one in members] == ["metadata.json", "config.json", "model.weights.h5"]
    assert {one.compress_type for one in members} == {zipfile.ZIP_STORED}
    with (tmp_path / "one.keras").open("rb") as file:
        assert file.read().index(b"\x89HDF\r\n\x1a\n") % 64 == 0


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.weights.h5", "m.hdf5", "m.json"])
def test_nothing_is_left_when_writing_fails(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_text("what was there")

    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write_file, "_make_durable", fail)
    with pytest.raises(OSError, match="No space"):
        if "weights" in name:
            small().save_weights(tmp_path / name)
        elif name.endswith(".json"):
            from graphflow.cli.convert import write

            write(small(), str(tmp_path / name))
        else:
            small().save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "what was there"


def test_a_file_that_may_not_be_replaced_stays(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    small().save(path)
    before = path.read_bytes()
    with pytest.raises(ArgumentError, match="exists already"):
        small().save(path, overwrite=False)
    with pytest.raises(ArgumentError, match="folder"):
        small().save_weights(_folder(tmp_path / "m.weights.h5"))
    assert path.read_bytes() == before
    os.umask(mask := os.umask(0))
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("m.txt", {}, ArgumentError, "must end in .keras, .h5 or .hdf5"),
        ("m.onnx", {}, ArgumentError, "model.export"),
        ("m.safetensors", {}, ArgumentError, "save_weights"),
        ("m.keras", {"save_format": "tf"}, UnsupportedError, "SavedModel"),
        ("m.keras", {"save_format": "zip"}, ArgumentError, "'keras' or 'h5'"),
        ("m.h5", {"save_format": "keras"}, ArgumentError, "must end in .keras"),
        ("m.keras", {"zipped": False}, UnsupportedError, "zipped=False"),
    ],
)
def test_what_is_no_form_is_refused(
    name: str, arguments: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        small().save(tmp_path / name, **arguments)
    assert not list(tmp_path.iterdir())


def test_save_format_h5_takes_any_name(tmp_path: Path) -> None:
    save_model(small(), tmp_path / "model", save_format="h5")
    assert_same_weights(graphflow.load_model(tmp_path / "model"), small())


# -- weights


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "w.hdf5", "w.safetensors"])
def test_weights_alone_come_back(name: str, tmp_path: Path) -> None:
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors", reason="the extra that writes safetensors")
    model, other = small(), small()
    scatter_weights(other, np.random.default_rng(9))
    model.save_weights(tmp_path / name)
    other.load_weights(tmp_path / name)
    assert_same_weights(other, model)


def test_weights_have_no_form_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"must end in .weights.h5, .h5, .hdf5 or .safetensors"):
        small().save_weights(tmp_path / "w.npz")
    with pytest.raises(UnsupportedError, match="max_shard_size"):
        small().save_weights(tmp_path / "w.weights.h5", max_shard_size=1)
    with pytest.raises(ArgumentError, match="call"):
        Sequential([L.Dense(2)]).save_weights(tmp_path / "w.weights.h5")
    assert not list(tmp_path.iterdir())


def test_safetensors_are_named_by_path(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="the extra that writes safetensors")
    small().save_weights(tmp_path / "w.safetensors")
    found = safetensors.load_file(tmp_path / "w.safetensors")
    assert sorted(found) == ["first/bias", "first/kernel", "last/bias", "last/kernel"]
    np.testing.assert_array_equal(found["last/kernel"], small().get_weights()[2])


def many_layers() -> Model:
    x = inputs = Input((2,), name="x")
    for number in range(300):
        x = L.Dense(2, name=f"{'a_long_name_' * 20}{number}")(x)
    return Model(inputs, x)


def test_names_above_64512_bytes_are_split(tmp_path: Path) -> None:
    model = many_layers()
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        names = sorted(name for name in file["model_weights"].attrs if name.startswith("layer_names"))
        sizes = [file["model_weights"].attrs[name].nbytes for name in names]
    assert names == ["layer_names0", "layer_names1"]
    assert max(sizes) <= ATTRIBUTE_BYTES
    assert_same_weights(graphflow.load_model(tmp_path / "m.h5"), model)


def test_inner_weights_of_one_name_keep_apart(tmp_path: Path) -> None:
    inner = [Sequential([L.Dense(3, input_shape=(3,), name="same")], name=name) for name in ("left", "right")]
    x = Input((3,))
    both = Model(x, L.Add()([inner[0](x), inner[1](x)]), name="both")
    model = Sequential([both, L.Dense(1)])
    scatter_weights(model, np.random.default_rng(3))
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        names = list(file["model_weights/both"].attrs["weight_names"])
    assert len(set(names)) == 4
    assert_same_weights(graphflow.load_model(tmp_path / "m.h5"), model)


# -- JSON


def test_json_makes_an_equal_model_with_new_weights() -> None:
    model = small(kernel_initializer="ones")
    text = model.to_json(indent=1)
    made = model_from_json(text)
    assert structure(made) == structure(model)
    assert (made.get_weights()[0] == 1).all()
    assert made.get_weights()[2].any()
    assert json.loads(text)["module"] == "keras"


def test_a_clone_has_layers_of_its_own_and_the_same_rules() -> None:
    with era("keras3"):
        x = Input((3,))
        model = Model(x, L.Masking()(L.Reshape((3, 1))(x)))
    copy = clone_model(model)
    assert [one.era for one in copy.layers] == ["keras3"] * 3
    assert pickle.loads(pickle.dumps(model)).layers[-1].era == "keras3"
    assert copy.layers[1] is not model.layers[1]
    with pytest.raises(UnsupportedError, match="input_tensors"):
        clone_model(model, input_tensors=[x])


# -- rules that differ between Kerases


@pytest.mark.parametrize(("ending", "name"), [(".keras", "hard_sigmoid"), (".h5", "hard_sigmoid")])
def test_the_hard_sigmoid_of_keras_2_comes_back(ending: str, name: str, tmp_path: Path) -> None:
    model = small(activation=name)
    model.save(tmp_path / f"m{ending}")
    back = graphflow.load_model(tmp_path / f"m{ending}")
    assert back.layers[0].activation is activations.hard_sigmoid
    assert_same_outputs(back.predict(four(), verbose=0), model.predict(four(), verbose=0), exact=True)
    if ending == ".keras":
        function = config_of(tmp_path / "m.keras")["config"]["layers"][1]["config"]["activation"]
        assert function["config"] == "graphflow>hard_sigmoid"


def test_the_hard_sigmoid_of_keras_3_is_called_so_in_its_files_and_refused_in_others(tmp_path: Path) -> None:
    model = small(activation=ops.hard_sigmoid)
    model.save(tmp_path / "m.keras")
    assert config_of(tmp_path / "m.keras")["config"]["layers"][1]["config"]["activation"] == "hard_sigmoid"
    back = graphflow.load_model(tmp_path / "m.keras")
    assert_same_outputs(back.predict(four(), verbose=0), model.predict(four(), verbose=0), exact=True)
    with pytest.raises(UnsupportedError, match=r"layer 'first'.*keras3_hard_sigmoid"):
        model.save(tmp_path / "m.h5")


def masked_merge(rules: str) -> Model:
    """Two masks meet in a layer, where Keras 2 takes AND and Keras 3 takes OR."""
    with era(rules):
        one, two = Input((4,), dtype="int32", name="one"), Input((4,), dtype="int32", name="two")
        embed = L.Embedding(5, 3, mask_zero=True, name="embed")
        added = L.Add(name="added")([embed(one), embed(two)])
        model = Model([one, two], L.LSTM(2, name="read")(added))
    scatter_weights(model, np.random.default_rng(3))
    return model


MERGED = [np.array([[1, 2, 0, 0], [1, 0, 3, 4]], "int32"), np.array([[1, 0, 0, 2], [1, 2, 0, 0]], "int32")]


@pytest.mark.parametrize(("rules", "other"), [("documents", ".keras"), ("keras3", ".h5")])
def test_masks_that_the_other_keras_merges_otherwise_get_a_name_of_our_own(
    rules: str, other: str, tmp_path: Path
) -> None:
    model = masked_merge(rules)
    for ending in (".keras", ".h5"):
        model.save(tmp_path / f"m{ending}")
        back = graphflow.load_model(tmp_path / f"m{ending}")
        expected = model.predict_on_batch(MERGED)
        assert_same_outputs(back.predict_on_batch(MERGED), expected, exact=True)
        with h5py.File(tmp_path / "m.h5") if ending == ".h5" else zipfile.ZipFile(tmp_path / "m.keras") as file:
            text = file.attrs["model_config"] if ending == ".h5" else file.read("config.json").decode()
        assert ("graphflow>Add" in str(text)) == (ending == other)
        assert "graphflow>LSTM" not in str(text)
    differ = np.abs(
        masked_merge("documents").predict_on_batch(MERGED) - masked_merge("keras3").predict_on_batch(MERGED)
    )
    assert differ.max() > 1e-3


@oracle
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_keras_refuses_what_it_would_compute_otherwise(ending: str, tmp_path: Path) -> None:
    import keras
    import tf_keras

    load = (keras if ending == ".keras" else tf_keras).models.load_model
    masked_merge("documents" if ending == ".keras" else "keras3").save(tmp_path / f"m{ending}")
    with pytest.raises((TypeError, ValueError), match="Add"):
        load(tmp_path / f"m{ending}", compile=False)
    same = masked_merge("documents" if ending == ".h5" else "keras3")
    same.save(tmp_path / f"same{ending}")
    theirs = load(tmp_path / f"same{ending}", compile=False)
    assert_same_outputs(theirs(MERGED), same.predict_on_batch(MERGED))
    if ending == ".keras":
        small(activation="hard_sigmoid").save(tmp_path / "hard.keras")
        with pytest.raises((TypeError, ValueError), match="graphflow>hard_sigmoid"):
            load(tmp_path / "hard.keras")


def side_by_side() -> Model:
    """Two masked embeddings of one shape, which Keras 3 orders by the operations of their masks."""
    with era("keras3"):
        one, two = Input((4,), dtype="int32", name="one"), Input((4,), dtype="int32", name="two")
        left = L.Embedding(5, 3, mask_zero=True, name="left")(one)
        right = L.Maximum()([L.Embedding(5, 3, mask_zero=True, name="right")(two), Input((4, 3), name="plain")])
        model = Model([one, two, right._keras_history.layer.input[1]], L.LSTM(2)(L.Concatenate(axis=1)([left, right])))
    scatter_weights(model, np.random.default_rng(3))
    return model


def test_weights_that_masks_could_exchange_are_kept_from_keras_3(tmp_path: Path) -> None:
    model = side_by_side()
    model.save(tmp_path / "m.keras")
    assert config_of(tmp_path / "m.keras")["registered_name"] == "graphflow>Model"
    back = graphflow.load_model(tmp_path / "m.keras")
    assert [one.era for one in back.layers] == ["keras3"] * len(back.layers)
    assert_same_weights(back, model)
    given = [*MERGED, np.random.default_rng(1).normal(size=(2, 4, 3)).astype("float32")]
    assert_same_outputs(back.predict_on_batch(given), model.predict_on_batch(given), exact=True)
    masked_merge("keras3").save(tmp_path / "one.keras")
    assert config_of(tmp_path / "one.keras")["registered_name"] == "Functional"


@oracle
def test_keras_3_refuses_weights_that_masks_could_exchange(tmp_path: Path) -> None:
    import keras

    side_by_side().save(tmp_path / "m.keras")
    with pytest.raises(TypeError, match="Model"):
        keras.models.load_model(tmp_path / "m.keras")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_attention_under_masks_comes_back_with_the_rules_it_had(ending: str, tmp_path: Path) -> None:
    for rules in ("keras2", "keras3"):
        with era(rules):
            x = Input((4,), dtype="int32")
            embedded = L.Embedding(5, 4, mask_zero=True)(x)
            model = Model(x, L.LSTM(2)(L.MultiHeadAttention(2, 2, dropout=0.1)(embedded, embedded)))
        scatter_weights(model, np.random.default_rng(3))
        model.save(tmp_path / f"m{ending}")
        back = graphflow.load_model(tmp_path / f"m{ending}")
        assert back.layers[2].era == rules
        assert_same_outputs(back.predict_on_batch(MERGED[0]), model.predict_on_batch(MERGED[0]), exact=True)


# -- the user's own


class Scaled(L.Layer):
    """A custom layer with a weight, an argument and a function."""

    def __init__(self, by: float = 1.0, function: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by
        self.function = activations.get(function)

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(input_shape[-1],), name="scale")

    def call(self, inputs: Any) -> Any:
        return self.function(inputs * self.scale * self.by)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "by": self.by, "function": self.function}


class Forgetful(L.Layer):
    """A layer whose argument would be lost."""

    def __init__(self, by: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by

    def call(self, inputs: Any) -> Any:
        return inputs * self.by


def doubled(x: Any) -> Any:
    """Twice x."""
    return x * 2.0


@pytest.fixture
def registered() -> Any:
    register_keras_serializable("mine")(Scaled)
    register_keras_serializable("mine", "twice")(doubled)
    yield
    for name in ("mine>Scaled", "mine>twice"):
        registered_objects().pop(name)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_registered_classes_and_functions_are_written_by_package_and_name(
    ending: str, registered: Any, tmp_path: Path
) -> None:
    x = Input((4,))
    model = Model(x, L.Dense(2, activation=doubled)(Scaled(3.0, doubled, name="own")(x)))
    scatter_weights(model, np.random.default_rng(1))
    model.save(tmp_path / f"m{ending}")
    back = graphflow.load_model(tmp_path / f"m{ending}")
    assert type(back.layers[1]) is Scaled
    assert back.layers[1].by == 3.0
    assert_same_outputs(back.predict_on_batch(four()), model.predict_on_batch(four()), exact=True)
    if ending == ".keras":
        own = config_of(tmp_path / "m.keras")["config"]["layers"][1]
        assert own["registered_name"] == "mine>Scaled"
        assert own["config"]["function"]["registered_name"] == "mine>twice"


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_classes_that_are_not_registered_come_back_by_custom_objects(ending: str, tmp_path: Path) -> None:
    model = Sequential([Scaled(2.0, input_shape=(4,))])
    model.save(tmp_path / f"m{ending}")
    with pytest.raises(ModelFormatError, match="Scaled"):
        graphflow.load_model(tmp_path / f"m{ending}")
    back = graphflow.load_model(tmp_path / f"m{ending}", custom_objects={"Scaled": Scaled})
    assert_same_outputs(back.predict_on_batch(four()), model.predict_on_batch(four()), exact=True)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_functions_are_saved_by_name_and_lambdas_by_their_layer(ending: str, tmp_path: Path) -> None:
    x = Input((4,))
    named = L.Lambda(doubled, name="named")(x)
    model = Model(x, L.Lambda(lambda x, by: x * by, arguments={"by": 3.0}, name="unnamed")(named))
    model.save(tmp_path / f"m{ending}")
    functions = {"doubled": doubled, "unnamed": lambda x, by: x * by}
    back = graphflow.load_model(tmp_path / f"m{ending}", custom_objects=functions)
    assert_same_outputs(back.predict_on_batch(four()), four() * 6, exact=True)
    with pytest.raises(UnsupportedError, match=r"layer 'dense.*by name only"):
        Model(x, L.Dense(2, name="dense", activation=lambda x: x)(x)).save(tmp_path / f"bad{ending}")
    with pytest.raises(UnsupportedError, match=r"layer 'own'.*get_config"):
        Model(x, Forgetful(2.0, name="own")(x)).save(tmp_path / f"bad{ending}")
    assert [path.name for path in tmp_path.iterdir()] == [f"m{ending}"]


@oracle
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_keras_takes_lambdas_and_compile_arguments(ending: str, tmp_path: Path) -> None:
    import keras
    import tf_keras

    x = Input((4,))
    model = Model(x, L.Dense(2)(L.Lambda(lambda x: x * 3.0, name="three")(L.Lambda(doubled)(x))))
    model.compile("adam", loss="mse", metrics=["mae"])
    model.save(tmp_path / f"m{ending}")
    module = keras if ending == ".keras" else tf_keras
    theirs = module.models.load_model(
        tmp_path / f"m{ending}", custom_objects={"doubled": doubled, "three": lambda x: x * 3.0}
    )
    assert type(theirs.optimizer).__name__ == "Adam"
    assert getattr(theirs.loss, "__name__", theirs.loss) in ("mse", "mean_squared_error")
    assert_same_outputs(theirs(four()), model.predict_on_batch(four()))


class Tower(Model):
    """A model of the user's that says its own configuration."""

    def __init__(self, width: int, name: str | None = None) -> None:
        x = Input((4,))
        super().__init__(x, L.Dense(2)(L.Dense(width, activation="relu")(x)), name=name)
        self.width = width

    def get_config(self) -> dict[str, Any]:
        return {"width": self.width, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("inside", [False, True])
def test_models_of_own_classes_are_written_as_what_they_are(ending: str, inside: bool, tmp_path: Path) -> None:
    tower = Tower(3, name="tower")
    x = Input((4,))
    model = Model(x, L.Dense(2)(tower(x))) if inside else tower
    scatter_weights(model, np.random.default_rng(1))
    model.save(tmp_path / f"m{ending}")
    back = graphflow.load_model(tmp_path / f"m{ending}")
    assert type(back.layers[1] if inside else back) is Model
    assert_same_weights(back, model)
    assert_same_outputs(back.predict_on_batch(four()), model.predict_on_batch(four()), exact=True)


# -- what else is in a file


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_compile_arguments_that_are_plain_are_written(ending: str, tmp_path: Path) -> None:
    model = small()
    model.compile("adam", loss={"last": "mse"}, metrics=["mae"], loss_weights=None)
    model.save(tmp_path / f"m{ending}")
    back = graphflow.load_model(tmp_path / f"m{ending}")
    assert back.compiled_with is not None
    assert back.compiled_with["loss"] == {"last": "mse"}
    assert back.compiled_with["metrics"] == ["mae"]
    model.save(tmp_path / f"m{ending}", include_optimizer=False)
    assert not graphflow.load_model(tmp_path / f"m{ending}").compiled_with
    model.compile(object(), loss="mse")
    model.save(tmp_path / f"m{ending}")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_model_between_inner_tensors_gets_inputs_of_its_own(ending: str, tmp_path: Path) -> None:
    x = Input((4,), name="x")
    hidden = L.Dense(3, name="hidden")(x)
    whole = Model(x, L.Dense(2, name="head")(hidden))
    scatter_weights(whole, np.random.default_rng(1))
    part = Model(hidden, whole.output)
    given = four()[:, :3]
    part.save(tmp_path / f"m{ending}")
    back = graphflow.load_model(tmp_path / f"m{ending}")
    assert [one.name for one in back.layers] == ["hidden_input", "head"]
    assert_same_outputs(back.predict_on_batch(given), part.predict_on_batch(given), exact=True)


def test_an_inner_model_between_inner_tensors_is_refused_by_name(tmp_path: Path) -> None:
    hidden = L.Dense(3)(Input((4,)))
    part = Model(hidden, L.Dense(2)(hidden), name="part")
    x = Input((3,))
    for ending in (".keras", ".h5"):
        with pytest.raises(UnsupportedError, match="model 'part'"):
            Model(x, part(x)).save(tmp_path / f"m{ending}")
    assert not list(tmp_path.iterdir())
    assert json.loads(part.to_json())["config"]["layers"][0]["name"].endswith("_input")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("trainable", [True, False])
def test_frozen_layers_keep_their_weights_and_their_order(ending: str, trainable: bool, tmp_path: Path) -> None:
    inner = Sequential([L.Dense(4, input_shape=(4,)), L.BatchNormalization(), L.Dense(4)], name="inner")
    inner.layers[0].trainable = False
    model = Sequential([inner, L.BatchNormalization(trainable=trainable), L.Dense(2)])
    scatter_weights(model, np.random.default_rng(1))
    model.save(tmp_path / f"m{ending}")
    back = graphflow.load_model(tmp_path / f"m{ending}")
    assert_same_weights(back, model)
    assert [one.trainable for one in back.layers[0].layers] == [False, True, True]


def test_data_types_are_kept(tmp_path: Path) -> None:
    for dtype in ("float16", "float64"):
        x = Input((4,), dtype=dtype)
        model = Model(x, L.Dense(3, dtype=dtype)(x))
        for ending in (".keras", ".h5"):
            model.save(tmp_path / f"m{ending}")
            back = graphflow.load_model(tmp_path / f"m{ending}")
            assert back.layers[1].dtype == dtype
            assert_same_weights(back, model)


def test_the_page_about_saving_is_that_of_the_code() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert (docs / "saving.md").read_text() == runpy.run_path(str(docs / "generate_saving.py"))["page"]()


# -- the command


def test_convert_writes_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def path(name: str) -> str:
        return str(tmp_path / name)

    model = small()
    model.save(path("old.h5"))
    assert main(["convert", path("old.h5"), path("new.keras")]) == 0
    assert main(["convert", path("new.keras"), path("new.json")]) == 0
    assert main(["convert", path("new.keras"), path("new.weights.h5")]) == 0
    assert main(["convert", path("new.weights.h5"), path("again.h5"), "--model", path("new.json")]) == 0
    for name in ("new.keras", "again.h5"):
        assert_same_weights(graphflow.load_model(path(name)), model)
    assert structure(graphflow.load_model(path("again.h5"))) == structure(model)
    assert main(["convert", path("old.h5"), path("new.txt")]) == 2
    assert "must end in .keras, .h5 or .hdf5" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        raise SystemExit(main(["convert", "--help"]))
    assert "graphflow convert old.h5 new.keras" in capsys.readouterr().out
