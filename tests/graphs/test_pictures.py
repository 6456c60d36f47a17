"""DOT, SVG, JSON and pages: what they say, and that names from files stay names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
import sys
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from graphs.hostile import NAMES, hostile_model
from graphs.random_models import models
from hypothesis import given
from hypothesis import strategies as st

import graphflow
from graphflow import Input, Model, Sequential, utils
from graphflow.cli import main
from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.inspect import graph_json, graph_schema, plot_model, to_dot, to_html, to_svg
from graphflow.inspect.faces import Shown
from graphflow.inspect.html import SCRIPTS, histogram
from graphflow.layers import Activation, BatchNormalization, Conv2D, Dense, Lambda
from graphflow.samples import digits

SVG = "{http://www.w3.org/2000/svg}"
VISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def small() -> Model:
    x = Input((8, 8, 3), name="x")
    made = Activation("relu", name="act")(BatchNormalization(name="norm")(Conv2D(4, 3, name="conv")(x)))
    return Model(x, Sequential([Conv2D(2, 1, name="one", activation="tanh")], name="inner")(made), name="small")


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_picture_says_what_was_asked() -> None:
    model = small()
    assert texts(to_svg(model, expand_nested=False, shown=Shown(False, False))) == [
        *("InputLayer", "Conv2D", "BatchNormalization", "Activation", "Sequential"),
    ]
    everything = texts(to_svg(model, shown=Shown(True, True, True, True, True)))
    assert everything[:1] == ["inner"]
    assert "(?, 6, 6, 4) float32" in everything
    assert "activation: tanh" in everything
    assert "trainable" in everything
    model.get_layer("conv").trainable = False
    assert texts(to_svg(model, shown=Shown(trainable=True))).count("frozen") == 1


@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
def test_directions(rankdir: str) -> None:
    svg = ElementTree.fromstring(to_svg(small(), rankdir=rankdir, expand_nested=False))
    cards = [one for one in svg.iter(f"{SVG}rect") if one.get("class") == "card"]
    axis = "y" if rankdir in ("TB", "BT") else "x"
    places = [float(one.get(axis, "")) for one in cards]
    assert places == sorted(places, reverse=rankdir in ("BT", "RL"))
    assert len(set(places)) == 5


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(ArgumentError, match="rankdir must be one of TB, BT, LR, RL, received 'UP'"):
        to_svg(small(), rankdir="UP")


@given(models(), st.sampled_from(["layer", "op", "plan"]))
def test_everything_can_be_drawn(model: Model, level: str) -> None:
    ElementTree.fromstring(to_svg(model, level, collapse_repeats=True))
    assert to_dot(model, level).count("->") == json.loads(graph_json(model, level))["edges"].__len__()
    assert len(to_html(model, level)) > 1000


@pytest.mark.parametrize("level", ["layer", "op"])
def test_hostile_names_are_text_in_svg(level: str) -> None:
    svg = to_svg(hostile_model(), level)
    root = ElementTree.fromstring(svg)
    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {"svg", "title", "style", "rect", "path", "g", "text"}
    assert not {name for one in root.iter() for name in one.attrib if name.startswith("on") or "href" in name}
    assert not VISIBLE.search(svg)
    if level == "layer":
        assert any("<img src=x" in (one.text or "") for one in root.iter(f"{SVG}title"))


def test_hostile_names_are_strings_in_dot() -> None:
    text = to_dot(hostile_model())
    assert not VISIBLE.search(text)
    for line in text.splitlines()[4:]:
        assert re.fullmatch(
            r'\s*(subgraph cluster_\d+_\d+ \{|\}|n\d+ -> n\d+;|label="([^"\\]|\\.)*"; color="#\w+"; style="rounded";'
            r'|n\d+ \[label="([^"\\]|\\.)*", color="#\w+"\];)',
            line,
        ), line


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, str] = {}
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))
        self.inside = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        self.data[self.inside] = self.data.get(self.inside, "") + data


def parsed(page: str) -> _Elements:
    elements = _Elements()
    elements.feed(page)
    return elements


def test_a_page_has_the_same_elements_whatever_the_names_are() -> None:
    plain, hostile = parsed(to_html(small())), parsed(to_html(hostile_model()))
    assert [one for one in hostile.found if one[0] != "meta"] == [one for one in plain.found if one[0] != "meta"]
    assert [tag for tag, _ in plain.found].count("script") == 2
    content = json.loads(hostile.data["data"])
    assert {node["name"] for node in content["graph"]["nodes"]} >= set(NAMES) - {NAMES[3]}


def test_every_file_of_the_pages_script_is_in_the_page() -> None:
    folder = files("graphflow.inspect").joinpath("page")
    assert sorted(SCRIPTS) == sorted(one.name[:-3] for one in folder.iterdir() if one.name.endswith(".js"))
    script = parsed(to_html(small())).data["script"]
    places = [script.index(folder.joinpath(f"{name}.js").read_text("utf-8")) for name in SCRIPTS]
    assert places == sorted(places)


def test_a_page_holds_everything_and_allows_nothing_else() -> None:
    page = to_html(small())
    assert page.isascii()
    assert "://" not in page
    elements = parsed(page)
    assert not [attrs for _, attrs in elements.found if "src" in attrs or "href" in attrs or "style" in attrs]
    (policy,) = [attrs["content"] or "" for _, attrs in elements.found if attrs.get("http-equiv")]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    digest = {
        name: f"'sha256-{base64.b64encode(hashlib.sha256(elements.data[name].encode()).digest()).decode()}'"
        for name in ("script", "style")
    }
    assert rules == {
        "default-src": "'none'",
        "script-src": digest["script"],
        "style-src": digest["style"],
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_histograms_count_every_number() -> None:
    values = np.array([-1.0, 0.0, 0.1, 3.0, np.nan, np.inf], "float32")
    held = histogram(values)
    assert (held["low"], held["high"], sum(held["counts"]), held["nonfinite"]) == (-1.0, 3.0, 4, 2)
    assert held["mean"] == pytest.approx(0.525)
    assert histogram(np.zeros((0, 3)))["counts"] == []
    assert histogram(np.full(5, 2.0))["counts"] == [5]
    assert histogram(np.array([-3e38, 3e38], "float32"))["nonfinite"] == 0
    large = histogram(np.arange((1 << 22) + 10))
    assert large["step"] == 2
    assert sum(large["counts"]) == (1 << 21) + 5


# -- JSON


def check(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "$") -> None:
    """What of JSON Schema the published one uses."""
    if "$ref" in schema:
        check(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    if "const" in schema:
        assert value == schema["const"], where
    if "enum" in schema:
        assert value in schema["enum"], where
    if "type" in schema:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(is_kind(value, kind) for kind in kinds), f"{where}: {value!r} is not {kinds}"
    if isinstance(value, (int, float)) and "minimum" in schema:
        assert value >= schema["minimum"], where
    if isinstance(value, str):
        assert len(value) >= schema.get("minLength", 0), where
        assert re.search(schema.get("pattern", ""), value), where
    if isinstance(value, list):
        for index, item in enumerate(value):
            check(item, schema.get("items", {}), root, f"{where}[{index}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        assert set(schema.get("required", ())) <= set(value), where
        if schema.get("additionalProperties") is False:
            assert set(value) <= set(known), where
        for key, item in value.items():
            check(item, known.get(key, {}), root, f"{where}.{key}")


def is_kind(value: Any, kind: str) -> bool:
    kinds: dict[str, Any] = {
        "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
        "null": type(None),
    }  # fmt: skip
    return isinstance(value, kinds[kind]) and not (kind in ("integer", "number") and isinstance(value, bool))


@given(models(), st.sampled_from(["layer", "op", "plan"]))
def test_json_is_as_its_schema_says(model: Model, level: str) -> None:
    schema = graph_schema()
    graph = json.loads(graph_json(model, level))
    check(graph, schema, schema)
    ids = [node["id"] for node in graph["nodes"]]
    groups = {one["id"] for one in graph["groups"]}
    assert len(set(ids)) == len(ids)
    assert {edge[end] for edge in graph["edges"] for end in ("source", "target")} <= set(ids)
    assert {one for node in graph["nodes"] for one in node["path"]} <= groups
    assert set(graph["inputs"]) | {one["node"] for one in graph["outputs"]} <= set(ids)


def test_the_schema_is_one_and_refuses_what_is_wrong() -> None:
    schema = graph_schema()
    validators = pytest.importorskip("jsonschema", reason="an independent validator; the test above has one of its own")
    validators.Draft202012Validator.check_schema(schema)
    graph = json.loads(graph_json(hostile_model()))
    validators.Draft202012Validator(schema).validate(graph)
    graph["nodes"][0]["parameters"] = -1
    with pytest.raises(validators.ValidationError):
        validators.Draft202012Validator(schema).validate(graph)
    with pytest.raises(AssertionError):
        check(graph, schema, schema)


def test_configurations_are_plain() -> None:
    x = Input((3,), name="x")
    model = Model(x, Lambda(lambda t: t * 2, name="twice")(Dense(2, name="d", kernel_regularizer="l2")(x)))
    node = json.loads(graph_json(model))["nodes"][1]
    assert node["config"]["units"] == 2
    assert node["config"]["kernel_regularizer"]["class_name"] == "L2"
    assert [weight["shape"] for weight in node["weights"]] == [[3, 2], [2]]


# -- files


def test_endings_say_what_is_written(tmp_path: Path) -> None:
    model = small()
    for name, begin in {"a.svg": "<svg", "a.HTML": "<!DOCTYPE", "a.dot": "digraph", "a.json": "{"}.items():
        picture = plot_model(model, tmp_path / name)
        assert (tmp_path / name).read_text().startswith(begin)
        assert (picture._repr_svg_() is not None) == (name == "a.svg")
    assert utils.plot_model(model, str(tmp_path / "b.svg"), show_shapes=True, splines="ortho").path.exists()
    with pytest.raises(ArgumentError, match=r"the ending '\.svgg' is not known\. Did you mean '\.svg'"):
        plot_model(model, tmp_path / "a.svgg")
    with pytest.raises(ArgumentError, match="does not take the argument 'shapes'"):
        plot_model(model, tmp_path / "a.svg", shapes=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.HTML", "a.dot", "a.json", "a.svg", "b.svg"]


def test_a_part_of_a_model(tmp_path: Path) -> None:
    picture = plot_model(small(), tmp_path / "part.svg", layer_range=["norm", "inner"], expand_nested=True)
    assert [text for text in texts(picture.svg or "") if text in ("conv", "norm", "act", "one")] == [
        "norm",
        "act",
        "one",
    ]
    with pytest.raises(ArgumentError, match="no layer has a name that matches 'nothing'"):
        plot_model(small(), tmp_path / "part.svg", layer_range=["norm", "nothing"])


def test_pictures_of_pixels_need_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnsupportedError, match=r"needs Graphviz' program `dot`, which is not installed"):
        plot_model(small(), tmp_path / "a.png")
    program = tmp_path / "dot"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1], sys.stdin.read().count('->'))\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    plot_model(small(), tmp_path / "a.png", expand_nested=False)
    assert (tmp_path / "a.png").read_text() == "-Tpng 4\n"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('Format: \\x1b[31m not known')\n")
    with pytest.raises(UnsupportedError, match=r"made no \.pdf picture: Format: \\x1b\[31m not known"):
        plot_model(small(), tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = graphflow.load_model(digits.MODEL)
    out = tmp_path / "digits.html"
    assert main(["plot", str(digits.MODEL), "-o", str(out), "--time"]) == 0
    assert capsys.readouterr().out.startswith(f"{len(model.layers)} nodes, ")
    content = json.loads(parsed(out.read_text()).data["data"])
    assert sum(node["seconds"] or 0 for node in content["graph"]["nodes"]) > 0
    assert main(["plot", str(digits.MODEL), "--json", "--level", "plan", "--shape", "image=3,8,8,1"]) == 0
    plan = json.loads(capsys.readouterr().out)
    check(plan, graph_schema(), graph_schema())
    assert plan["nodes"][0]["outputs"][0]["shape"] == [3, 8, 8, 1]
    assert main(["plot", str(digits.MODEL)]) == 2
    assert "plot needs an output" in capsys.readouterr().err
    assert main(["plot", str(digits.MODEL), "-o", str(tmp_path / "x.svg"), "--shape", "3,8"]) == 2


# -- notebooks


def test_notebooks_show_models() -> None:
    model = small()
    assert model._repr_svg_().startswith("<svg")
    shown = model._repr_html_()
    assert "x float32(None, 8, 8, 3)" in shown
    assert f"<td>{model.count_params()}</td>" in shown
    assert shown.count("<svg") == 1
    hostile = hostile_model()._repr_html_()
    assert "<img" not in hostile and "<script" not in hostile
    assert Sequential([Dense(2)])._repr_svg_() is None
    assert "Sequential" in Sequential([Dense(2)])._repr_html_()
    large = Sequential([Input((4,)), *(Dense(4) for _ in range(310))])
    assert large._repr_svg_() is None
    assert "to_html" in large._repr_html_()
