"""The page of a graph in a real browser: it opens fast, does what it is told, asks for nothing, believes no name."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import Browser, executable
from graphs.hostile import NAMES, hostile_model

import graphflow
from graphflow import Input, Model, layers
from graphflow.inspect import profile, to_html, to_svg
from graphflow.inspect.graphs import graph_data
from graphflow.inspect.html import page_layout
from graphflow.inspect.layout import draw
from graphflow.layers import Activation, Add, Concatenate, Dense, LayerNormalization
from tests.real import test_deeplc

pytestmark = pytest.mark.browser

deeplc_files = test_deeplc.folder
"""The fixture that fetches the files of deeplc."""

SECONDS = 2.0
"""In which every page must be open."""

SHOTS = os.environ.get("GRAPHFLOW_SCREENSHOTS")
"""A folder for screenshots, to be looked at."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if executable() is None:
        pytest.skip("Chromium is not installed; `make browser` installs it")
    with Browser(tmp_path_factory.mktemp("profile")) as made:
        made.evaluate("1")
        yield made


class Page:
    """One page in the browser."""

    def __init__(self, browser: Browser, path: Path) -> None:
        self.browser = browser
        self.path = path
        start = time.perf_counter()
        browser.open(path)
        self.seconds = time.perf_counter() - start
        browser.settle()

    def value(self, expression: str) -> Any:
        return self.browser.evaluate(expression)

    @property
    def panel(self) -> str:
        """What the panel says; empty when it is closed."""
        return str(
            self.value("document.getElementById('panel').hidden ? '' : document.getElementById('panel').innerText")
        )

    def box(self, name: str) -> list[float] | None:
        """Where a node is in the window; None when it is inside something closed."""
        found: list[float] | None = self.value(f"graphflow.box({json.dumps(name)})")
        return found

    def click(self, name: str) -> None:
        self.show()
        x, y, width, height = self.box(name) or (0, 0, 0, 0)
        self.browser.click(x + width / 2, y + height / 2)

    def show(self) -> None:
        """Let everything be in the window."""
        self.browser.press("#fit")

    def groups(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.value("graphflow.groups()")
        return found

    def seen(self) -> int:
        return int(self.value("graphflow.seen()"))

    def search(self, text: str) -> list[str]:
        self.value("document.getElementById('search').focus(), document.getElementById('search').select()")
        self.browser.type(text)
        found: list[str] = self.value(
            "[...document.querySelectorAll('#found li')].map(one => one.firstChild.textContent)"
        )
        return found

    def ink(self) -> int:
        """How many colours the canvas has, coarsely: what is drawn at all."""
        return int(
            self.value(
                "(() => { const c = document.getElementById('canvas'), d = c.getContext('2d')"
                ".getImageData(0, 0, c.width, c.height).data, s = new Set();"
                "for (let i = 0; i < d.length; i += 4) s.add((d[i] >> 4 << 8) | (d[i + 1] >> 4 << 4) | d[i + 2] >> 4);"
                "return s.size })()"
            )
        )

    def shot(self, name: str) -> None:
        if SHOTS:
            self.browser.settle()
            self.browser.screenshot(Path(SHOTS) / f"{name}.png")

    def assert_harmless(self) -> None:
        """Nothing was asked for but the page itself, nothing went wrong, and no name was run."""
        assert self.browser.requests == [self.path.resolve().as_uri()]
        assert self.browser.troubles == []
        assert self.value("window.hurt === undefined")


def open_page(browser: Browser, folder: Path, model: Any, **options: Any) -> Page:
    path = folder / "model.html"
    path.write_text(to_html(model, **options), "ascii")
    page = Page(browser, path)
    assert page.seconds < SECONDS
    assert page.ink() > 5
    return page


def four_inputs() -> Model:
    """A model of four inputs and towers of different lengths, with one model inside."""
    inputs = [Input((6,), name=name) for name in ("sequence", "composition", "global", "one_hot")]
    towers: list[Any] = []
    for index, x in enumerate(inputs):
        for step in range(2 + 2 * index):
            x = Dense(16, activation="relu", name=f"tower{index}_dense{step}")(x)
        towers.append(x)
    a = Input((16,), name="a")
    inner = Model(a, Dense(4, name="inside")(a), name="shared_head")
    joined = Concatenate(name="join")([*towers, inner(towers[0]), inner(towers[1])])
    return Model(inputs, Dense(1, name="time")(joined), name="four inputs")


def thousands(count: int = 5000) -> Model:
    """Branches and joins of many layers, without repetitions."""
    generator = random.Random(3)
    tensors: list[Any] = [Input((4,), name="x")]
    for index in range(count - 2):
        kind, last = generator.random(), tensors[-1]
        if kind < 0.55:
            made = Dense(4, name=f"dense_{index}")(last)
        elif kind < 0.85 and len(tensors) > 3:
            made = Add(name=f"add_{index}")([last, generator.choice(tensors[-6:-1])])
        else:
            made = Activation("relu", name=f"act_{index}")(last)
        tensors.append(made)
    return Model(tensors[0], Dense(1, name="last")(tensors[-1]), name="thousands")


def blocks(count: int = 500) -> Model:
    """Blocks of ten layers."""
    made = x = Input((4,), name="x")
    for index in range(count):
        deep = made
        for step in range(4):
            deep = Dense(4, name=f"block{index}_dense{step}")(deep)
            deep = Activation("relu", name=f"block{index}_relu{step}")(deep)
        made = LayerNormalization(name=f"block{index}_norm")(Add(name=f"block{index}_add")([made, deep]))
    return Model(x, made, name="blocks")


def test_a_click_tells_everything_of_a_layer(browser: Browser, tmp_path: Path) -> None:
    model = four_inputs()
    page = open_page(browser, tmp_path, model, times=profile(model, repeats=3))
    page.shot("four_inputs")
    assert page.panel == ""
    page.click("tower1_dense0")
    for text in (
        "tower1_dense0",
        "Dense",
        "112",
        "FLOPs",
        "multiply-adds",
        "time",
        "(?, 6) float32",
        "(?, 16) float32",
    ):
        assert text in page.panel
    assert "units\t16" in page.panel
    assert "activation\trelu" in page.panel
    bins = "[...document.querySelectorAll('#panel .weight canvas')].map(one => Number(one.dataset.bins))"
    assert page.value(bins) == [32, 1]
    page.shot("four_inputs_clicked")
    browser.press("#panel .links button")
    assert page.value("document.documentElement.dataset.chosen") == "composition"
    browser.press("#panel .close")
    assert page.panel == ""
    for what in ("seconds", "flops", "output_bytes", "parameters"):
        page.value(
            f"(e => {{ e.value = '{what}'; e.dispatchEvent(new Event('change')) }})(document.getElementById('colour'))"
        )
        browser.settle()
        assert page.value("document.getElementById('legend').innerText").startswith("0")
        assert page.ink() > 10
        page.shot(f"four_inputs_{what}")
    page.assert_harmless()


def test_models_inside_close_and_open(browser: Browser, tmp_path: Path) -> None:
    page = open_page(browser, tmp_path, four_inputs())
    both = [index for index, one in enumerate(page.groups()) if one["kind"] == "model"]
    assert [page.groups()[index]["title"] for index in both] == ["shared_head", "shared_head#1"]
    everything = page.seen()
    assert page.box("shared_head/inside") is not None
    page.show()
    x, y, *_ = page.value(f"graphflow.group({both[0]})")
    browser.click(x + 20, y + 10 * page.value("graphflow.scale()"))
    assert page.box("shared_head/inside") is None
    assert page.box("shared_head#1/inside") is not None
    assert page.seen() == everything - 1
    assert "nested model" in page.panel
    page.show()
    x, y, width, height = page.value(f"graphflow.group({both[0]})")
    browser.click(x + width / 2, y + height / 2, 2)
    assert page.box("shared_head/inside") is not None
    browser.press("#toggle")
    assert page.box("shared_head/inside") is None
    browser.press("#expand")
    assert page.seen() == everything
    page.assert_harmless()


def test_search_opens_what_it_finds(browser: Browser, tmp_path: Path) -> None:
    model = resnet_50()
    page = open_page(browser, tmp_path, model)
    page.shot("resnet")
    assert model.count_params() == 25_636_712
    assert page.value("document.getElementById('facts').innerText").startswith("177 layers")
    assert page.seen() < 177
    assert page.box("conv4_block3_2_conv") is None
    assert page.search("conv4_block3 conv2d") == ["conv4_block3_1_conv", "conv4_block3_2_conv", "conv4_block3_3_conv"]
    page.shot("resnet_search")
    browser.key("ArrowDown", 40)
    browser.key("Enter", 13)
    assert page.value("document.documentElement.dataset.chosen") == "conv4_block3_2_conv"
    assert "589,824" not in page.panel
    assert "590,080" in page.panel
    assert page.box("conv4_block3_2_conv") is not None
    page.shot("resnet_found")
    assert page.search("no such layer") == ["Nothing found"]
    browser.key("Escape", 27)
    browser.press("#collapse")
    assert page.box("conv4_block3_2_conv") is None
    browser.press("#expand")
    assert page.seen() == 177
    page.shot("resnet_expanded")
    page.assert_harmless()


def resnet_50() -> Model:
    """The network of fifty layers, at its full size."""

    def normal(x: Any, name: str) -> Any:
        return layers.BatchNormalization(name=name)(x)

    def block(x: Any, filters: int, stride: int, name: str, first: bool) -> Any:
        kept = (
            normal(layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x), f"{name}_0_bn")
            if first
            else x
        )
        for step, size in ((1, 1), (2, 3)):
            x = layers.Conv2D(
                filters, size, strides=stride if step == 1 else 1, padding="same", name=f"{name}_{step}_conv"
            )(x)
            x = layers.Activation("relu", name=f"{name}_{step}_relu")(normal(x, f"{name}_{step}_bn"))
        x = normal(layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x), f"{name}_3_bn")
        return layers.Activation("relu", name=f"{name}_out")(layers.Add(name=f"{name}_add")([kept, x]))

    image = layers.Input((224, 224, 3), name="image")
    x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(layers.ZeroPadding2D(3, name="conv1_pad")(image))
    x = layers.Activation("relu", name="conv1_relu")(normal(x, "conv1_bn"))
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(layers.ZeroPadding2D(1, name="pool1_pad")(x))
    for stage, (filters, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for index in range(count):
            stride = 2 if stage and not index else 1
            x = block(x, filters, stride, f"conv{stage + 2}_block{index + 1}", not index)
    x = layers.Dense(1000, activation="softmax", name="predictions")(layers.GlobalAveragePooling2D(name="avg_pool")(x))
    return Model(image, x, name="resnet50")


@pytest.mark.parametrize("make", [thousands, blocks], ids=["branches", "blocks"])
def test_thousands_of_layers_open_within_two_seconds(browser: Browser, tmp_path: Path, make: Any) -> None:
    model = make()
    start = time.perf_counter()
    path = tmp_path / "model.html"
    path.write_text(to_html(model, histograms=False), "ascii")
    made = time.perf_counter() - start
    page = Page(browser, path)
    ready = int(page.value("document.documentElement.dataset.ready"))
    print(
        f"\n{model.name}: made in {made:.2f} s, open in {page.seconds:.2f} s, ready at {ready} ms, {page.seen()} boxes"
    )
    assert page.seconds < SECONDS
    assert ready < SECONDS * 1000
    page.shot(f"{model.name}_begin")
    browser.press("#expand")
    assert page.seen() == len(graph_data(model).nodes) >= 4990
    assert page.ink() > 10
    page.shot(f"{model.name}_all")
    name = model.layers[2500].name
    assert name in page.search(name)
    browser.key("Enter", 13)
    assert name in page.panel
    page.shot(f"{model.name}_found")
    browser.press("#collapse")
    assert page.seen() <= len(model.layers)
    page.assert_harmless()


def test_the_view_moves_and_grows(browser: Browser, tmp_path: Path) -> None:
    page = open_page(browser, tmp_path, four_inputs())
    page.show()
    before, scale = page.box("join"), page.value("graphflow.scale()")
    browser.drag(120, 400, 90, 40)
    after = page.box("join")
    assert before is not None and after is not None
    assert (after[0] - before[0], after[1] - before[1]) == pytest.approx((90, 40))
    browser.wheel(400, 300, -400)
    assert page.value("graphflow.scale()") > 1.5 * scale
    browser.key("f", 70)
    assert page.value("graphflow.scale()") == pytest.approx(scale, rel=0.05)
    browser.key("ArrowLeft", 37)
    assert page.box("join") != before
    browser.key("/", 191)
    assert page.value("document.activeElement.id") == "search"
    page.assert_harmless()


def test_light_and_dark(browser: Browser, tmp_path: Path) -> None:
    page = open_page(browser, tmp_path, four_inputs())
    paper = "getComputedStyle(document.body).backgroundColor"
    pixel = "[...document.getElementById('canvas').getContext('2d').getImageData(3, 3, 1, 1).data].slice(0, 3).join()"
    light = page.value(paper), page.value(pixel)
    browser.prefer("dark")
    browser.settle()
    dark = page.value(paper), page.value(pixel)
    page.shot("four_inputs_dark")
    assert dark[0] != light[0] and dark[1] != light[1]
    browser.press("#theme")
    assert (page.value(paper), page.value(pixel)) == light
    browser.prefer("light")
    page.assert_harmless()


@pytest.mark.parametrize("level", ["layer", "op"])
def test_hostile_names_are_only_names(browser: Browser, tmp_path: Path, level: str) -> None:
    page = open_page(browser, tmp_path, hostile_model(), level=level)
    page.shot(f"hostile_{level}")
    elements = page.value("document.querySelectorAll('*').length")
    for name in [node.id for node in graph_data(hostile_model(), level, True).nodes]:
        if page.box(name) is not None:
            page.click(name)
            assert page.panel
            box = page.box(name) or [0, 0, 0, 0]
            browser.mouse("mouseMoved", box[0] + box[2] / 2, box[1] + box[3] / 2)
    page.shot(f"hostile_{level}_clicked")
    if level == "layer":
        page.click(NAMES[5])
        assert "left\\u{202e}right" in page.panel
    for name in NAMES:
        page.search(name)
        browser.key("Escape", 27)
    page.value("graphflow.groups()")
    browser.key("Escape", 27)
    assert page.value("document.querySelectorAll('img, svg, iframe, object, embed, script[src], link').length") == 0
    assert page.value("document.querySelectorAll('script').length") == 2
    assert abs(page.value("document.querySelectorAll('*').length") - elements) < 200
    page.assert_harmless()


def test_the_policy_lets_nothing_out(browser: Browser, tmp_path: Path) -> None:
    page = open_page(browser, tmp_path, four_inputs())
    page.assert_harmless()
    for attempt in (
        "fetch('https://example.org/').then(() => 'out', () => 'kept')",
        "new Promise(done => { const i = new Image(); i.onload = () => done('out'); i.onerror = () => done('kept');"
        " i.src = 'https://example.org/a.png' })",
        "new Promise(done => { const s = document.createElement('script'); s.textContent = 'window.hurt = 1';"
        " document.body.append(s); setTimeout(() => done(window.hurt ? 'out' : 'kept'), 50) })",
    ):
        assert page.value(attempt) == "kept"
    assert [one for one in browser.requests if not one.startswith("file:")] == []
    assert "https://example.org/a.png" in browser.blocked


def test_the_page_draws_where_the_picture_does(browser: Browser, tmp_path: Path) -> None:
    for model in (four_inputs(), resnet_50(), hostile_model()):
        for down in (True, False):
            page = open_page(browser, tmp_path, model, histograms=False, rankdir="TB" if down else "LR")
            drawing = draw(page_layout(graph_data(model, expand_nested=True), down))
            found = {index: box for index, box in enumerate(page.value("graphflow.places()")) if box}
            assert found == {at: pytest.approx(list(box), abs=0.2) for at, box in drawing.boxes.items()}


@pytest.mark.download
@pytest.mark.parametrize("name", test_deeplc.FILES)
def test_a_real_model_of_four_inputs(browser: Browser, tmp_path: Path, deeplc_files: Path, name: str) -> None:
    model = graphflow.load_model(deeplc_files / name)
    page = open_page(browser, tmp_path, model, times=profile(model, repeats=3))
    page.shot("deeplc")
    assert len(model.inputs) == 4
    for tensor in model.inputs:
        entry = tensor._keras_history.layer.name
        page.click(entry)
        assert entry in page.panel
    joined = next(one.name for one in model.layers if type(one).__name__ == "Concatenate")
    assert joined in page.search(joined)
    browser.key("Enter", 13)
    assert joined in page.panel
    page.shot("deeplc_found")
    browser.press("#collapse")
    browser.press("#expand")
    assert page.seen() == len(model.layers)
    page.assert_harmless()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_are_drawn_in_both_schemes(browser: Browser, tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "model.html"
    svg = to_svg(hostile_model())
    path.write_text(f"<!DOCTYPE html><html data-ready=1><meta charset=utf-8><body>{svg}</body></html>", "utf-8")
    browser.prefer(scheme)
    page = Page(browser, path)
    paper = page.value("getComputedStyle(document.querySelector('.paper')).fill")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(11, 17, 32)"}[scheme]
    wide = page.value(
        "[...document.querySelectorAll('g')].flatMap(g => { const b = g.querySelector('.card').getBBox();"
        " return [...g.querySelectorAll('text')].filter(t => t.getBBox().x + t.getBBox().width > b.x + b.width)"
        ".map(t => t.textContent) })"
    )
    assert wide == []
    page.shot(f"picture_{scheme}")
    browser.prefer("light")
    page.assert_harmless()


def test_pages_of_plans(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "model.html"
    path.write_text(to_html(four_inputs(), "plan"), "ascii")
    page = Page(browser, path)
    page.click("join/concatenate")
    assert "kernel" in page.panel
    page.assert_harmless()
