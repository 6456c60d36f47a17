"""The recurrent leaf against float64 loops, on every instruction set: kinds, masks, directions, states, odd sizes,
blocks of rows and of steps, parts of the units with one thread and with several; its promise: same row, same bits."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from leaf_harness import ISAS, at_page_end, guarded, run_leaf
from test_gemm_leaves import EPILOGUES, epilogue, pack_panels, values

from graphflow.kernels import _leaf
from graphflow.kernels.recurrent import KINDS, LINE, ORDER, block_columns

USUAL = ("tanh", "sigmoid")
PAIRS = [USUAL, ("relu", "hard_sigmoid"), ("sigmoid", "tanh")]
KINDS_OF_STEP = ["lstm", "gru after", "gru before", "rnn"]


def masks(rng, batch, steps):
    """Rows with gaps, with leading and trailing masked steps, wholly masked, and wholly kept."""
    mask = rng.integers(0, 2, (batch, steps)).astype(bool)
    mask[0 % batch, : steps // 2] = False
    mask[1 % batch] = False
    mask[2 % batch] = True
    mask[3 % batch, steps // 2 :] = False
    return mask


class Layer:
    """One layer with its weights and everything it is given, and what it should compute."""

    def __init__(self, rng, what, units, features, batch, steps, state=True, bias=True):
        self.kind, self.after = what.split()[0], what != "gru before"
        self.gates = len(ORDER[self.kind])
        self.x = values(rng, (batch, steps, features), False)
        self.w = values(rng, (features, self.gates * units), False) / features**0.5
        self.u = values(rng, (units, self.gates * units), False) / units**0.5
        self.bias = values(rng, (self.gates * units,), False) if bias else None
        self.inner = values(rng, (self.gates * units,), False) if bias and what == "gru after" else None
        self.states = values(rng, (2 if self.kind == "lstm" else 1, batch, units), False) if state else None
        self.mask, self.reverse, self.flip, self.zero_output, self.pair = None, 0, 0, 0, USUAL
        self.gaps = (0, 0)

    def rows(self, rows):
        """The same layer for some rows of the batch."""
        other = Layer.__new__(Layer)
        other.__dict__.update(self.__dict__)
        other.x = self.x[rows]
        other.mask = None if self.mask is None else self.mask[rows]
        other.states = None if self.states is None else self.states[:, rows]
        return other

    def expected(self):
        """Outputs of all steps, the last output, and the states, in float64."""
        act, gate = (EPILOGUES[name][1] for name in self.pair)
        batch, steps = self.x.shape[:2]
        u = self.u.astype(np.float64)
        inner = 0.0 if self.inner is None else self.inner.astype(np.float64)
        z = self.x.astype(np.float64) @ self.w + (0.0 if self.bias is None else self.bias)
        shape = (2 if self.kind == "lstm" else 1, batch, len(u))
        states = np.zeros(shape) if self.states is None else self.states.astype(np.float64)
        shown, outputs = np.zeros(shape[1:]), np.zeros((batch, steps, len(u)))
        for step in range(steps):
            source = steps - 1 - step if self.reverse else step
            on = np.ones((batch, 1), bool) if self.mask is None else self.mask[:, source, None]
            new = np.stack(self.step(z[:, source], states, u, inner, act, gate))
            states = np.where(on, new, states)
            shown = np.where(on, states[0], 0.0 if self.zero_output else shown)
            outputs[:, steps - 1 - step if self.flip else step] = shown
        return [outputs, shown, *states]

    def step(self, z, states, u, inner, act, gate):
        h, units = states[0], len(u)
        if self.kind == "rnn":
            return (act(z + h @ u),)
        if self.kind == "lstm":
            i, f, candidate, o = np.split(z + h @ u, 4, axis=1)
            c = gate(f) * states[1] + gate(i) * act(candidate)
            return gate(o) * act(c), c
        parts, product = np.split(z, 3, axis=1), np.split(h @ u + inner, 3, axis=1)
        update, reset = gate(parts[0] + product[0]), gate(parts[1] + product[1])
        last = reset * product[2] if self.after else (reset * h) @ u[:, 2 * units :]
        return (update * h + (1 - update) * act(parts[2] + last),)

    def compute(self, isa, block=None, chunk=3, part=None, threads=0, kept=True):
        """What the leaf computes: with `part`, the units in parts; with threads, by so many at once."""
        vector, order = _leaf.TABLES[isa]["vector"], ORDER[self.kind]
        batch, steps, features = self.x.shape
        units, block = len(self.u), block or batch
        part = part or max(units, _leaf.TABLES[isa]["tile_n"])
        parts, blocks = -(-units // part), -(-batch // block)

        def packed(matrix, gates):
            return at_page_end(pack_panels(matrix[:, block_columns(units, gates, vector)], isa))

        def sorted_columns(row):
            return None if row is None else at_page_end(row[block_columns(units, order, vector)])

        def given(array):
            return None if array is None else at_page_end(array)

        beside_x, beside_y = self.gaps
        x = np.full((batch, steps, features + beside_x), np.nan, np.float32)
        x[:, :, :features] = self.x
        ldy = units + beside_y
        shapes = {"y": (batch, steps, ldy), "last": (batch, ldy), "h": (batch, units), "c": (batch, units)}
        outputs = {name: guarded(shape) for name, shape in shapes.items()}
        floats = block * (units + parts) + block * units * self.gates * (1 + chunk)
        step = -(-(floats + 2 * block * units) // LINE) * LINE
        work, check_work = guarded((blocks, step))
        fields = {
            "x": at_page_end(x),
            "w": packed(self.w, order),
            "bias": sorted_columns(self.bias),
            "u": packed(self.u, order if self.after else order[:2]),
            "uh": None if self.after else packed(self.u, order[2:]),
            "inner": sorted_columns(self.inner),
            "h0": None if self.states is None else given(self.states[0]),
            "c0": given(self.states[1]) if self.states is not None and self.kind == "lstm" else None,
            "mask": None if self.mask is None else given(self.mask.astype(np.uint8)),
            **{name: array if kept or name in "hc" else None for name, (array, _) in outputs.items()},
            "counters": np.zeros((blocks, parts + 1, LINE), np.int32),
            "work": work,
            "kind": KINDS.index(self.kind),
            "batch": batch,
            "steps": steps,
            "features": features,
            "units": units,
            "ldx": features + beside_x,
            "ldy": ldy,
            "part": part,
            "chunk": chunk,
            "block_m": block,
            "work_step": step,
            "reverse": self.reverse,
            "flip": self.flip,
            "zero_output": self.zero_output,
            "reset_after": int(self.after),
            **epilogue(self.pair[0]),
            **{"gate" if key == "act" else f"gate_{key}": value for key, value in epilogue(self.pair[1]).items()},
        }
        if self.kind != "lstm":
            fields["c"] = None
        scratch, items = 4 * floats if parts == 1 else 0, blocks * parts
        ranges = [(item, item + 1) for item in range(items)]
        if threads:
            shares = [ranges[which::threads] for which in range(threads)]
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda share: run_leaf(isa, "recurrent_f32", items, scratch, share, **fields), shares))
        else:
            run_leaf(isa, "recurrent_f32", items, scratch, ranges, **fields)
        for _, check in outputs.values():
            check()
        check_work()
        assert np.isnan(outputs["y"][0][..., units:]).all() and np.isnan(outputs["last"][0][..., units:]).all()
        count = 3 + (self.kind == "lstm")
        return [outputs[name][0][..., :units] for name in list(shapes)[:count]]


def assert_close(actual, expected):
    for got, want in zip(actual, expected, strict=True):
        assert not np.isnan(got).any()
        np.testing.assert_allclose(got, want, atol=3e-5 * max(1.0, np.abs(want).max(initial=0.0)), rtol=1e-5)


def assert_same_bits(actual, expected):
    for got, want in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(*(np.ascontiguousarray(one).view(np.int32) for one in (got, want)))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("what", KINDS_OF_STEP)
@pytest.mark.parametrize("units", [1, 3, 16, 20, 64, 97])
@pytest.mark.parametrize("batch", [1, 2, 5, 17])
def test_against_reference(isa, what, units, batch):
    rng = np.random.default_rng(8)
    steps = 9
    for case in range(8):
        layer = Layer(rng, what, units, 1 + 5 * case % 11, batch, steps, case % 3 > 0, case % 4 > 0)
        layer.mask = masks(rng, batch, steps) if case > 1 else None
        layer.reverse, layer.zero_output, layer.flip = case % 2, case // 2 % 2, case // 3 % 2
        layer.gaps = (case % 3, 2 * case % 5)
        layer.pair = PAIRS[(0, 0, 1, 0, 2)[case % 5]]
        actual = layer.compute(isa, max(batch // (1 + case % 3), 1), 1 + case)
        assert_close(actual, layer.expected())


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("what", KINDS_OF_STEP)
def test_parts_of_the_units(isa, what):
    """By one thread alone, which takes all parts, and by several."""
    rng = np.random.default_rng(12)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    for units, parts, batch, block, chunk in [
        (tile_n + 1, 1, 5, 5, 4),
        (5 * tile_n + 3, 2, 7, 3, 1),
        (130, 1, 3, 2, 9),
    ]:
        layer = Layer(rng, what, units, 6, batch, 9)
        layer.mask, layer.reverse, layer.flip, layer.gaps = masks(rng, batch, 9), 1, batch % 2, (1, 3)
        whole = layer.compute(isa, block, 5)
        assert_close(whole, layer.expected())
        for threads in (0, 1, 2, 3):
            assert_same_bits(layer.compute(isa, block, chunk, parts * tile_n, threads), whole)
        no_steps = layer.rows(slice(0, 2))
        no_steps.x, no_steps.mask = no_steps.x[:, :0], None
        assert_close(no_steps.compute(isa, 1, 1, parts * tile_n, 2), no_steps.expected())


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("units", [5, 32])
@pytest.mark.parametrize("what", KINDS_OF_STEP)
def test_a_row_has_the_same_bits_in_every_batch(isa, units, what):
    rng = np.random.default_rng(9)
    layer = Layer(rng, what, units, 7, 40, 6)
    layer.mask = masks(rng, 40, 6)
    alone = [
        np.concatenate(part)
        for part in zip(*(layer.rows(slice(i, i + 1)).compute(isa) for i in range(40)), strict=True)
    ]
    for batch in range(1, 41):
        start = int(rng.integers(0, 41 - batch))
        rows = slice(start, start + batch)
        together = layer.rows(rows).compute(isa, int(rng.integers(1, batch + 1)), int(rng.integers(1, 7)))
        assert_same_bits(together, [one[rows] for one in alone])
    layer.x[3] = np.nan
    layer.x.flags.writeable = False
    for got, want in zip(layer.compute(isa), alone, strict=True):
        np.testing.assert_array_equal(np.delete(got, 3, 0), np.delete(want, 3, 0))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("what", KINDS_OF_STEP)
def test_without_sequence_or_last_output(isa, what):
    layer = Layer(np.random.default_rng(10), what, 8, 3, 3, 4)
    full, bare = layer.compute(isa), layer.compute(isa, kept=False)
    assert np.isnan(bare[0]).all()
    assert np.isnan(bare[1]).all()
    assert_same_bits(bare[2:], full[2:])
