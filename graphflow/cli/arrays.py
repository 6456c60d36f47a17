"""Arrays in files: `.npy` and `.npz` in, without pickles, and out, never as half a file."""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from graphflow.errors import ArgumentError, DataError, nearest

Array = np.ndarray[Any, Any]


def read_inputs(given: Sequence[str], names: Sequence[str], keys: Sequence[str] = ()) -> list[Array] | dict[str, Array]:
    """The inputs of a model.

    Args:
        given: paths, or name=path for each.
        names: of the model's inputs, in their order.
        keys: further names by which the model takes its inputs: those of its dict.

    Returns:
        Arrays in the order of the inputs, or by name; those of `.npy` files are memory-mapped.

    Raises:
        ArgumentError: names and paths mixed, an unknown or repeated name, another number of files, an unknown ending.
        DataError: a file that is not what its ending says.
    """
    named = [_split(text, [*names, *keys]) for text in given]
    if len(given) == 1 and named[0] is None and _ending(Path(given[0]), "an input") == ".npz":
        return _read_npz(Path(given[0]))
    if not any(named):
        if len(given) != len(names):
            raise ArgumentError(f"The model has {len(names)} inputs ({', '.join(names)}), received {len(given)} files.")
        return [_read_npy(Path(text)) for text in given]
    found: dict[str, Array] = {}
    for text, pair in zip(given, named, strict=True):
        if pair is None:
            raise ArgumentError(f"Inputs are given all by name or all by order, received {text!r} among named ones.")
        if pair[0] in found:
            raise ArgumentError(f"The input {pair[0]!r} is given twice.")
        found[pair[0]] = _read_npy(Path(pair[1]))
    return found


def _split(text: str, names: Sequence[str]) -> tuple[str, str] | None:
    """The name and the path of name=path; None for a path alone, which may have an = in it."""
    for name in sorted(names, key=len, reverse=True):
        if text.startswith(f"{name}="):
            return name, text[len(name) + 1 :]
    name, equals, _ = text.partition("=")
    if equals and "/" not in name and not Path(text).exists():
        raise ArgumentError(f"The model has no input {name!r}.{nearest(name, names)}")
    return None


def _ending(path: Path, what: str) -> str:
    ending = path.suffix.lower()
    if ending not in (".npy", ".npz"):
        raise ArgumentError(f"{path}: {what} must be a .npy or .npz file; the ending {path.suffix!r} is not known.")
    return ending


def _read_npy(path: Path) -> Array:
    if _ending(path, "an input") == ".npz":
        raise ArgumentError(f"{path}: a .npz file holds all inputs by name and is given alone; here a .npy is needed.")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
    try:
        array: Array = np.load(path, mmap_mode="r" if size else None, allow_pickle=False)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise DataError(f"{path}: not a readable .npy file: {_reason(error)}") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: not a .npy file, but an archive of several.")
    return array


def _read_npz(path: Path) -> dict[str, Array]:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise DataError(f"{path}: not a readable .npz file: it is not a ZIP archive.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise DataError(f"{path}: not a readable .npz file: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    text = str(error)
    if "allow_pickle" in text:
        return "it holds Python objects, or nothing that NumPy wrote."
    return text or type(error).__name__


def check_output(path: Path, names: Sequence[str] | None = None) -> None:
    """Check what can be known of a result's file before there is a result.

    Raises:
        ArgumentError: an unknown ending, or `.npy` for several outputs.
        OSError: a folder that is not there, or a path that is a folder.
    """
    ending = _ending(path, "the output")
    if names is not None and ending == ".npy" and len(names) != 1:
        raise ArgumentError(f"{path}: the model has {len(names)} outputs ({', '.join(names)}), which need a .npz file.")
    if path.is_dir():
        raise IsADirectoryError(21, os.strerror(21), str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(2, os.strerror(2), str(path.parent))


def write_outputs(path: Path, outputs: Mapping[str, Array]) -> None:
    """Write arrays to a `.npy` or `.npz` file; until it is complete, what was there before stays.

    Raises:
        OSError: it can not be written.
    """
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        with draft.open("xb") as file:
            _write(file, outputs, path.suffix.lower())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _write(file: BinaryIO, outputs: Mapping[str, Array], ending: str) -> None:
    if ending == ".npy":
        np.lib.format.write_array(file, next(iter(outputs.values())), allow_pickle=False)
        return
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in outputs.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
