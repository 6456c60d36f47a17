"""The floors of the house: who may import whom, held as data, and what importing the package may cost."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphflow
from graphflow.models.forwards import FORWARDS

ROOT = Path(graphflow.__file__).parent

FLOORS = {
    "epoch": 0,
    "garbage": 0,
    "errors": 0,
    "knobs": 0,
    "config": 0,
    "spec": 0,
    "window": 0,
    "operand": 0,
    "mapped": 0,
    "variable": 0,
    "registry": 0,
    "ops": 1,
    "ir": 2,
    "kernels": 2,
    "initializers": 2,
    "activations": 2,
    "regularizers": 2,
    "constraints": 2,
    "layers": 3,
    "passes": 3,
    "runtime": 4,
    "models": 5,
    "backend": 5,
    "utils": 5,
    "saving": 5,
    "formats": 6,
    "inspect": 7,
    "batch": 7,
    "cli": 8,
    "compat": 8,
    "samples": 8,
    "__main__": 8,
}
"""File or folder under graphflow/ to its floor."""

NEIGHBOURS = {
    ("errors", "knobs"),
    ("errors", "config"),
    ("errors", "spec"),
    ("errors", "window"),
    ("errors", "variable"),
    ("errors", "registry"),
    ("spec", "variable"),
    ("operand", "variable"),
    ("epoch", "knobs"),
    ("epoch", "variable"),
    ("__main__", "cli"),
    ("backend", "models"),
    ("utils", "models"),
    ("saving", "models"),
    ("saving", "utils"),
}
"""Pairs of one floor that know each other, in either order; the ground floor stands on `errors`."""

HEAVY = frozenset(
    (
        *("h5py", "networkx", "tqdm", "scipy", "tensorflow", "keras", "tf_keras", "onnx", "onnxruntime", "torch"),
        *("pandas", "pyarrow", "zarr", "PIL", "safetensors", "dask", "distributed", "ray", "pyspark", "rich"),
        *("graphviz", "pydot"),
    )
)
"""Packages that no module of graphflow may import when it is imported itself."""

FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room_of(path: Path) -> str:
    """The row of `FLOORS` a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(tree: ast.AST, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """Every imported module, also of strings given to import_module, and whether it is inside a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and is_type_checking(node.test):
            continue
        deeper = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if isinstance(node, ast.Import):
            yield from ((name.name, inside) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}"
            module = node.module or ""
            for name in node.names:
                yield (f"{module}.{name.name}" if module == "graphflow" else module), inside
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            argument = node.args[0]
            if isinstance(argument, ast.Constant):
                yield str(argument.value), inside
        yield from imports(node, deeper)


def may_import(room: str, other: str) -> bool:
    if room == other or FLOORS[other] < FLOORS[room]:
        return True
    return FLOORS[other] == FLOORS[room] and ((room, other) in NEIGHBOURS or (other, room) in NEIGHBOURS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_from_floors_below(path: Path) -> None:
    room = room_of(path)
    assert room in FLOORS, f"{path} belongs to no row of FLOORS"
    for module, _ in imports(ast.parse(path.read_text())):
        if module.split(".")[0] != "graphflow" or module == "graphflow":
            continue
        other = module.split(".")[1]
        assert other in FLOORS, f"{path} imports {module}, which is in no row of FLOORS"
        assert may_import(room, other), f"{path} (floor {FLOORS[room]}) imports {module} (floor {FLOORS[other]})"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_table_of_forwards_and_lazy_names_import_by_name(path: Path) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__")
    ]
    allowed = {Path("models/forwards.py"), Path("formats/__init__.py"), Path("cli/__init__.py")}
    if path.relative_to(ROOT) not in allowed:
        assert not calls, f"{path} imports modules by name"


@pytest.mark.parametrize("name", FORWARDS)
def test_forwards_lead_up_to_a_function_that_is_there(name: str) -> None:
    module, function = FORWARDS[name]
    package, room = module.split(".")[:2]
    assert package == "graphflow"
    assert FLOORS[room] > FLOORS["models"]
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("path", [*FILES, ROOT / "__init__.py"], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_needs_an_optional_or_heavy_package_when_imported(path: Path) -> None:
    if path.relative_to(ROOT).parts[0] == "samples":
        return
    at_import = {module.split(".")[0] for module, inside in imports(ast.parse(path.read_text())) if not inside}
    assert not at_import & HEAVY


def run_python(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_graphflow_loads_neither_heavy_packages_nor_compiled_modules() -> None:
    loaded = set(run_python("import sys, graphflow; print('\\n'.join(sys.modules))").split())
    assert "graphflow" in loaded
    assert not {name.split(".")[0] for name in loaded} & HEAVY
    assert not {"graphflow.kernels._leaf", "graphflow.runtime._executor"} & loaded


def test_running_a_model_loads_no_heavy_package() -> None:
    code = (
        "import sys, numpy as np, graphflow as g; x = g.Input((3,));"
        "g.Model(x, g.layers.Dense(2)(x)).predict(np.zeros((1, 3))); print('\\n'.join(sys.modules))"
    )
    loaded = {name.split(".")[0] for name in run_python(code).split()}
    assert not loaded & HEAVY


MODULES = ["graphflow", *(f"graphflow.{room}" for room in ("ops", "ir", "layers", "models", "passes", "runtime"))]


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_sorted_and_there(name: str) -> None:
    module = importlib.import_module(name)
    names = list(module.__all__)
    assert names == sorted(names, key=lambda one: (not one.isupper(), not one[0].isupper(), one))
    assert len(set(names)) == len(names)
    for one in names:
        assert getattr(module, one) is not None


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Modle'"):
        graphflow.Modle  # noqa: B018
