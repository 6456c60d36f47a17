"""The examples in the documentation and in docstrings run, and print what they say."""

import doctest
import importlib
import pkgutil
import runpy
from pathlib import Path

import pytest

import graphflow

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(graphflow.__path__, "graphflow.")
    if not info.name.endswith(("__main__", "make_digits")) and "._" not in info.name
)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages(page: Path) -> None:
    failed, _ = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert failed == 0


def test_the_readme_has_an_example_that_runs() -> None:
    examples = doctest.DocTestParser().get_examples((ROOT / "README.md").read_text())
    assert len(examples) > 10


def test_the_page_of_layers_is_that_of_the_code() -> None:
    generator = runpy.run_path(str(ROOT / "docs" / "generate_layers.py"))
    assert set(generator["EXAMPLES"]) == set(generator["own_layers"]())
    assert (ROOT / "docs" / "layers.md").read_text() == generator["page"]()
