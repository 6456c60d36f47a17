"""Cases of products of two run-time operands, of equations, and of normalisation by a sample's own statistics."""

from __future__ import annotations

from cases.problem import OpCase, w, x

RELU = ("relu", 0.0, 0.0, 0.0)


def equations() -> list[OpCase]:
    def case(equation: str, *operands: object, tag: str = "", **attrs: object) -> OpCase:
        return OpCase("einsum", operands, {"equation": equation, **attrs}, tag or equation)  # type: ignore[arg-type]

    heads = (x(3, 5, 2, 4), x(3, 7, 2, 4))
    return [
        case("btnh,bsnh->bnts", *heads),
        case("bsnh,btnh->bnts", heads[1], heads[0]),
        case("bnts,bsnh->btnh", x(3, 2, 5, 7), heads[1]),
        case("bnts,bsnh->btnh", x(3, 2, 1, 37), x(3, 37, 2, 33), tag="one_row"),
        case("aecd,abcd->acbe", x(2, 65, 3, 8), x(2, 66, 3, 8), tag="wide"),
        case("abcdf,abedf->abdce", x(2, 3, 4, 2, 5), x(2, 3, 6, 2, 5)),
        case("abc,acd->abd", x(2, 3, 4), x(2, 4, 5), activation=RELU),
        case("abc,cde->abde", x(2, 3, 4), w(4, 2, 5)),
        case("abc,dce->abde", x(3, 3, 4), w(2, 4, 5)),
        case("kn,bk->bn", w(6, 9), x(4, 6)),
        case("bij,ijk->bik", x(3, 4, 5), w(4, 5, 6)),
        case("ab,ab->ab", x(3, 4), x(3, 4)),
        case("ab,ac->abc", x(3, 4), x(3, 5)),
        case("ab,ab->a", x(3, 4), x(3, 4)),
        case("abc,ab->ac", x(3, 4, 5), x(3, 4)),
        case("abc,cbd->ad", x(3, 4, 5), w(5, 4, 6)),
        case("abc,acb->a", x(3, 4, 5), x(3, 5, 4)),
        case("abc,acd->adb", x(3, 4, 5), x(3, 5, 2)),
        case("abc,cad->abd", x(3, 4, 5), x(5, 3, 2, batch=False)),
        case("abc,ac->ab", x(3, 4, 5), x(3, 1), broadcast="c"),
        case("azb,aybz->ay", x(3, 4, 5), x(3, 2, 5, 4)),
        case("abcdef,afg->abcdeg", x(2, 2, 3, 2, 3, 4), x(2, 4, 3)),
        case("agdchb,aehcgbf->acfedb", x(2, 2, 7, 3, 3, 5), x(2, 4, 3, 3, 2, 5, 3), tag="seven_axes_transposed"),
        case("aab->ab", x(3, 3, 4, batch=False)),
        case("ab,bcc->ac", x(3, 4), w(4, 2, 2)),
        case("abc,acd->abd", x(2, 3, 0), x(2, 0, 5), tag="no_depth"),
        case("abc,acd->abd", x(0, 3, 2), x(0, 2, 5), tag="no_rows"),
        case("abc,acd->abd", x(2, 3, 4, dtype="float64"), x(2, 4, 5, dtype="float64"), tag="double"),
        case("abc,acd->abd", x(2, 3, 4, dtype="int32"), x(2, 4, 5, dtype="int32"), tag="integers"),
    ]


def products() -> list[OpCase]:
    return [
        OpCase("matmul", (x(3, 4, 1, 5, 6), x(3, 1, 2, 6, 7)), {}, "broadcast"),
        OpCase("matmul", (x(3, 2, 5, 6), x(6, 7, batch=False)), {}, "shared"),
        OpCase("matmul", (x(2, 5, 33), x(2, 33, 65)), {"activation": RELU}, "relu"),
        OpCase("matmul", (x(2, 1, 300), x(2, 300, 300)), {}, "one_row"),
        OpCase("matmul", (x(2, 3, 1, 2, 1, 3, 4), x(2, 1, 3, 1, 2, 4, 5)), {}, "many_loops"),
        OpCase("dense", (x(5, 6), x(6, 9, batch=False), x(9, batch=False), None), {"activation": RELU}, "moving"),
        OpCase("dense", (x(5, 40), x(40, 70, batch=False), None, None), {}, "moving_wide"),
        OpCase("dense", (x(5, 6), x(6, 9, batch=False), None, x(5, 9)), {}, "moving_residual"),
    ]


def own_statistics() -> list[OpCase]:
    cases = []
    for rms in (False, True):
        for shape, axes in (((3, 7), 1), ((2, 3, 65), 1), ((2, 3, 4, 5), 2), ((4, 1), 1), ((0, 3), 1), ((2, 2500), 1)):
            attrs = {"last": axes, "epsilon": 1e-3, "rms": rms}
            tail = shape[-axes:]
            cases += [
                OpCase("layer_norm", (x(*shape), w(*tail), w(*tail)), attrs, f"{axes}{rms}"),
                OpCase("layer_norm", (x(*shape), None, None), attrs, f"bare{axes}{rms}"),
            ]
        attrs = {"last": 1, "epsilon": 1e-3, "rms": rms}
        cases += [
            OpCase("layer_norm", (x(3, 9), w(9), None), attrs, f"scale{rms}"),
            OpCase("layer_norm", (x(3, 9), None, w(9)), attrs, f"shift{rms}"),
            OpCase("layer_norm", (x(3, 9, dtype="float64"), None, None), attrs, f"double{rms}"),
        ]
    for shape, groups in (
        ((3, 6), 3),
        ((2, 4, 5, 6), 2),
        ((2, 4, 5, 6), 6),
        ((2, 3, 8), 1),
        ((0, 3, 4), 2),
        ((2, 70, 9), 3),
    ):
        attrs = {"groups": groups, "epsilon": 1e-3}
        cases += [
            OpCase("group_norm", (x(*shape), w(shape[-1]), w(shape[-1])), attrs, f"{groups}"),
            OpCase("group_norm", (x(*shape), None, None), attrs, f"bare{groups}"),
        ]
    cases += [
        OpCase("group_norm", (x(2, 3, 4, dtype="float64"), w(4, dtype="float64"), None), {"groups": 2, "epsilon": 0.1})
    ]
    seed = w(2, dtype="int64", low=1, high=99)
    cases += [OpCase("random_normal", (x(5, 7), seed), {"shape": None})]
    return cases


def masks() -> list[OpCase]:
    cases = [
        OpCase("not_equal", (x(3, 9, dtype="int32"), x(dtype="int32", batch=False)), {}, "scalar"),
        OpCase("less", (x(3, 1, 4, 1, dtype="int64"), x(3, 2, 1, 5, dtype="int64"))),
        OpCase("equal", (x(3, 4, dtype="float64", kind="integers"), x(3, 4, dtype="float64", kind="integers"))),
        OpCase("greater", (x(3, 4, dtype="bool"), x(3, 4, dtype="bool"))),
        OpCase("equal", (x(2, 3, 1, 2, 1, 3, dtype="int32"), x(2, 1, 4, 2, 5, 3, dtype="int32"))),
        OpCase("logical_not", (x(3, 4, 5, dtype="bool"),)),
        OpCase("logical_and", (x(3, 1, 7, dtype="bool"), x(1, 5, 7, dtype="bool", batch=False))),
        OpCase("where", (x(3, 1, 5, 7, dtype="bool"), x(3, 2, 5, 7), x(batch=False))),
        OpCase("where", (x(3, 1, 1, 1, dtype="bool"), x(batch=False), x(3, 2, 5, 7))),
        OpCase("where", (x(3, 4, dtype="bool"), x(3, 4, kind="special"), x(4, batch=False))),
        OpCase("where", (x(2, 3, 1, 2, 1, 3, dtype="bool"), x(2, 1, 4, 2, 5, 3), x(2, 1, 4, 2, 5, 3))),
        OpCase("cast", (x(3, 5, dtype="int64"),), {"dtype": "float32"}),
        OpCase("cast", (x(3, 5, dtype="int64", low=0, high=3),), {"dtype": "bool"}),
        OpCase("cast", (x(3, 8, kind="special"),), {"dtype": "bool"}, "special"),
    ]
    bounds = {"row_axis": 1, "column_axis": 2}
    cases += [
        OpCase(
            "band", (x(3, 5, 7, batch=False), x(3, 5, 7, batch=False)), {**bounds, "low": 0, "high": 2**62}, "causal"
        ),
        OpCase("band", (x(3, 5, 2, batch=False), x(3, 2, 7, batch=False)), {**bounds, "low": -1, "high": 2}, "window"),
        OpCase("band", (x(3, 0, 2, batch=False), x(3, 2, 7, batch=False)), {**bounds, "low": -1, "high": 2}, "no_rows"),
    ]
    for name in ("any", "all"):
        cases += [
            OpCase(name, (x(3, 4, 5, dtype="bool"),), {"axes": (1,), "keepdims": True}, "middle"),
            OpCase(name, (x(3, 4, 5, dtype="bool"),), {"axes": (1, 2), "keepdims": False}, "two"),
            OpCase(name, (x(3, 4, 5, 2, dtype="bool"),), {"axes": (1, 3), "keepdims": False}, "apart"),
        ]
    return cases
