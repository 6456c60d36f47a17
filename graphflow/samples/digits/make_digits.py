"""Trains the sample model and writes the sample's files beside this script.

The sample lets a fresh installation open a real Keras file, run it on real images and compare the answer with Keras'
own, without having Keras: only this script needs Keras, TensorFlow and scikit-learn.

Run it with ``python graphflow/samples/digits/make_digits.py``. The seeds are fixed; another version of Keras or
TensorFlow, or another processor, may still train a slightly different model, which is why the files are kept together.
"""

import io
import os
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).resolve().parent
SEED = 7
HELD_OUT = 450
SAMPLE = 100
EPOCHS = 60


def load_split() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns training images, held-out images, training labels and held-out labels; images are 0..1, (n, 8, 8, 1)."""
    digits = load_digits()
    images = (digits.images / 16.0).astype("float32")[..., np.newaxis]
    labels = digits.target.astype("int64")
    return tuple(train_test_split(images, labels, test_size=HELD_OUT, stratify=labels, random_state=SEED))


def build_model() -> keras.Model:
    """Returns an untrained classifier of (8, 8, 1) images: a stem, one residual block, a pooled head."""
    layers = keras.layers
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(24, 3, padding="same", use_bias=False, name="stem_conv")(image)
    x = layers.BatchNormalization(name="stem_norm")(x)
    x = stem = layers.ReLU(name="stem_relu")(x)
    x = layers.Conv2D(24, 3, padding="same", activation="relu", name="block_conv1")(x)
    x = layers.Conv2D(24, 3, padding="same", use_bias=False, name="block_conv2")(x)
    x = layers.BatchNormalization(name="block_norm")(x)
    x = layers.Add(name="block_add")([x, stem])
    x = layers.ReLU(name="block_relu")(x)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu", name="head_conv")(x)
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = layers.Dropout(0.2, name="head_dropout")(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    return keras.Model(image, digit, name="digits")


def train(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    """Trains a model on the training part alone and returns an uncompiled copy, so no optimizer state is saved."""
    keras.utils.set_random_seed(SEED)
    model = build_model()
    batch = 32
    steps = EPOCHS * -(-len(images) // batch)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(images, labels, batch_size=batch, epochs=EPOCHS, verbose=0)
    plain = build_model()
    plain.set_weights(model.get_weights())
    return plain


def pick_sample(labels: np.ndarray) -> np.ndarray:
    """Returns indices of ``SAMPLE`` held-out images, equally many of each digit, in the order of the split."""
    each = SAMPLE // 10
    return np.sort(np.concatenate([np.flatnonzero(labels == digit)[:each] for digit in range(10)]))


def check_file(path: Path) -> None:
    """Raises ``RuntimeError`` if the saved file names this folder or holds an optimizer."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            if str(FOLDER).encode() in data or str(Path.home()).encode() + b"/" in data:
                raise RuntimeError(f"{name} in {path.name} holds a path of this machine")
            if b"optimizer" in data:
                raise RuntimeError(f"{name} in {path.name} holds an optimizer")


def write_array(name: str, array: np.ndarray) -> None:
    """Writes one array as NPY version 1.0, C order."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    (FOLDER / name).write_bytes(buffer.getvalue())


def main() -> None:
    """Trains, saves, and prints the two accuracies that README.md quotes."""
    train_images, test_images, train_labels, test_labels = load_split()
    model = train(train_images, train_labels)
    path = FOLDER / "digits.keras"
    model.save(path)
    check_file(path)

    saved = keras.models.load_model(path)
    every = saved.predict(test_images, batch_size=HELD_OUT, verbose=0)
    chosen = pick_sample(test_labels)
    outputs = saved.predict(test_images[chosen], batch_size=SAMPLE, verbose=0)
    write_array("images.npy", test_images[chosen])
    write_array("labels.npy", test_labels[chosen])
    write_array("keras_outputs.npy", outputs)

    print(f"Keras {keras.__version__}, {model.count_params()} parameters, {path.stat().st_size} bytes")
    print(f"held-out accuracy: {np.mean(every.argmax(1) == test_labels):.4f} of {len(test_labels)} images")
    print(f"sample accuracy:   {np.mean(outputs.argmax(1) == test_labels[chosen]):.4f} of {SAMPLE} images")


if __name__ == "__main__":
    main()
