"""The recurrent leaves against float64 loops, on every instruction set: masks, directions, states, odd sizes."""

import numpy as np
import pytest
from leaf_harness import ISAS, at_page_end, guarded, run_leaf
from test_gemm_leaves import EPILOGUES, epilogue, masks, pack_panels, values

PAIRS = [("tanh", "sigmoid"), ("relu", "hard_sigmoid"), ("sigmoid", "tanh")]


def walk(z, mask, h, reverse, zero_output, step):
    """`step` from a slice of z and h to the next h, over all steps, in float64."""
    batch, steps, units = z.shape[0], z.shape[1], h.shape[1]
    h, shown, outputs = h.astype(np.float64), np.zeros((batch, units)), np.zeros((batch, steps, units))
    for t in range(steps):
        source = steps - 1 - t if reverse else t
        on = mask[:, source, None]
        h = np.where(on, step(z[:, source].astype(np.float64), h), h)
        shown = np.where(on, h, shown)
        outputs[:, t] = np.where(on, h, 0.0) if zero_output else shown
    return outputs, outputs[:, -1] if steps else shown, h


def gru_step(u, bias, after, act, gate):
    units = len(u)

    def step(z, h):
        update, reset = np.split(gate(z[:, : 2 * units] + h @ u[:, : 2 * units] + bias[: 2 * units]), 2, axis=1)
        inner, own = u[:, 2 * units :], bias[2 * units :]
        product = reset * (h @ inner + own) if after else (reset * h) @ inner + own
        return update * h + (1 - update) * act(z[:, 2 * units :] + product)

    return step


def run(isa, leaf, z, fields, state, mask, reverse, zero_output, block, act, kept=True, scratch=5):
    batch, steps, units = z.shape[0], z.shape[1], fields.pop("units")
    block = block or batch
    shapes = {"y": (batch, steps, units), "last": (batch, units), "h": (batch, units)}
    outputs = {name: guarded(shape) for name, shape in shapes.items()}
    run_leaf(
        isa, leaf, batch, scratch_bytes=4 * block * scratch * units,
        ranges=[(i, min(i + block, batch)) for i in range(0, batch, block)],
        z=at_page_end(z), h0=None if state is None else at_page_end(state),
        mask=None if mask is None else at_page_end(mask.astype(np.uint8)), batch=batch, steps=steps, units=units,
        reverse=reverse, zero_output=zero_output, block_m=block, **epilogue(act), **fields,
        **{name: outputs[name][0] if kept or name == "h" else None for name in shapes},
    )  # fmt: skip
    for _, check in outputs.values():
        check()
    return [outputs[name][0] for name in shapes]


def gru(
    isa, z, u, bias=None, after=1, state=None, mask=None, reverse=0, zero_output=0, block=None, pair=PAIRS[0], kept=True
):
    units = len(u)
    gates = {"gate" if key == "act" else f"gate_{key}": value for key, value in epilogue(pair[1]).items()}
    fields = {
        "units": units,
        "u": at_page_end(pack_panels(u[:, : 2 * units], isa)),
        "uh": at_page_end(pack_panels(u[:, 2 * units :], isa)),
        "bias": None if bias is None else at_page_end(bias),
        "reset_after": after,
        **gates,
    }
    return run(isa, "gru_f32", z, fields, state, mask, reverse, zero_output, block, pair[0], kept)


def rnn(isa, z, u, state=None, mask=None, reverse=0, zero_output=0, block=None, act="tanh", kept=True):
    fields = {"units": len(u), "u": at_page_end(pack_panels(u, isa))}
    return run(isa, "rnn_f32", z, fields, state, mask, reverse, zero_output, block, act, kept, scratch=2)


def settings(rng, batch, steps):
    """Directions, kinds of output, masks and blocks that go together."""
    for case in range(8):
        mask = masks(rng, batch, steps) if case > 1 else None
        yield case, case % 2, case // 2 % 2, mask, max(batch // (1 + case % 3), 1)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("units", [1, 3, 16, 20, 64])
@pytest.mark.parametrize("batch", [1, 2, 5, 17])
def test_gru_against_reference(isa, units, batch):
    rng = np.random.default_rng(8)
    steps = 9
    z, u = values(rng, (batch, steps, 3 * units), False), values(rng, (units, 3 * units), False) / units**0.5
    h0, some = values(rng, (batch, units), False), values(rng, (3 * units,), False)
    for case, reverse, zero_output, mask, block in settings(rng, batch, steps):
        state, bias, after = (h0 if case % 3 else None), (some if case % 4 else None), case // 4
        act, gate = PAIRS[case % 3]
        on = np.ones((batch, steps), bool) if mask is None else mask
        held = np.zeros(3 * units) if bias is None else bias
        step = gru_step(u.astype(np.float64), held, after, EPILOGUES[act][1], EPILOGUES[gate][1])
        expected = walk(z, on, np.zeros_like(h0) if state is None else state, reverse, zero_output, step)
        actual = gru(isa, z, u, bias, after, state, mask, reverse, zero_output, block, (act, gate))
        for got, want in zip(actual, expected, strict=True):
            assert not np.isnan(got).any()
            np.testing.assert_allclose(got, want, atol=3e-5 * max(1, np.abs(want).max()), rtol=1e-5)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("units", [1, 3, 16, 20, 64])
@pytest.mark.parametrize("batch", [1, 2, 5, 17])
def test_rnn_against_reference(isa, units, batch):
    rng = np.random.default_rng(11)
    steps = 7
    z, u = values(rng, (batch, steps, units), False), values(rng, (units, units), False) / units**0.5
    h0 = values(rng, (batch, units), False)
    for case, reverse, zero_output, mask, block in settings(rng, batch, steps):
        act, state = PAIRS[case % 3][0], h0 if case % 3 else None
        on = np.ones((batch, steps), bool) if mask is None else mask
        start = np.zeros_like(h0) if state is None else state
        expected = walk(
            z, on, start, reverse, zero_output, lambda part, h, f=EPILOGUES[act][1]: f(part + h @ u.astype(np.float64))
        )
        actual = rnn(isa, z, u, state, mask, reverse, zero_output, block, act)
        for got, want in zip(actual, expected, strict=True):
            assert not np.isnan(got).any()
            np.testing.assert_allclose(got, want, atol=3e-5 * max(1, np.abs(want).max()), rtol=1e-5)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("units", [5, 32])
@pytest.mark.parametrize("leaf", ["rnn", "gru_before", "gru_after"])
def test_a_row_has_the_same_bits_in_every_batch(isa, units, leaf):
    rng = np.random.default_rng(9)
    width = 1 if leaf == "rnn" else 3
    z, u = values(rng, (40, 6, width * units), False), values(rng, (units, width * units), False) / units**0.5
    mask = masks(rng, 40, 6)

    def compute(z, mask, block=None):
        if leaf == "rnn":
            return rnn(isa, z, u, mask=mask, block=block)
        return gru(isa, z, u, after=int(leaf == "gru_after"), mask=mask, block=block)

    rows = [compute(z[i : i + 1], mask[i : i + 1]) for i in range(40)]
    alone = [np.concatenate(part) for part in zip(*rows, strict=True)]
    for batch in range(1, 41):
        start = int(rng.integers(0, 41 - batch))
        part = slice(start, start + batch)
        together = compute(z[part], mask[part], int(rng.integers(1, batch + 1)))
        for got, want in zip(together, alone, strict=True):
            np.testing.assert_array_equal(got.view(np.int32), want[part].view(np.int32))
    z[3] = np.nan
    for got, want in zip(compute(z, mask), alone, strict=True):
        np.testing.assert_array_equal(np.delete(got, 3, 0), np.delete(want, 3, 0))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("leaf", [rnn, gru])
def test_without_sequence_or_last_output(isa, leaf):
    rng = np.random.default_rng(10)
    width = 8 if leaf is rnn else 24
    z, u = values(rng, (3, 4, width), False), values(rng, (8, width), False)
    full, bare = leaf(isa, z, u), leaf(isa, z, u, kept=False)
    assert np.isnan(bare[0]).all()
    assert np.isnan(bare[1]).all()
    np.testing.assert_array_equal(bare[2], full[2])
