"""Every argument of every layer that has an equal in Keras, with values to try: what the parity run multiplies out.

A row gives arguments that are always there (`base`), and for each other argument the values to try, none of them the
default. A test fails when a layer has an argument that no row covers and that is not in `SET_ELSEWHERE`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Config = dict[str, Any]
ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "softplus", "gelu", "silu", "selu", "softsign", "exponential")
COMPOSED = (
    "celu",
    "hard_shrink",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "soft_shrink",
    "sparse_sigmoid",
    "squareplus",
    "tanh_shrink",
)
FORMATS = ("channels_first",)


@dataclass(frozen=True)
class Row:
    """One layer with its arguments.

    Args:
        layer: the class's name, here and in Keras.
        base: arguments that are always given.
        values: for each argument the values to try.
        shapes: shapes of the inputs, batch first, channels last; several shapes are tried in turn.
        integers: how many kinds of integers the input holds, 0 for floats.
        count: how many inputs make a list.
        masked: whether a mask is given in half of the configurations, of shape (batch, steps).
        allowed: whether a combination makes sense.
        oracle: "keras" or "tf_keras".
        spatial: whether outputs have channels last or first as the input has.
        takes: how the layer takes its inputs: "single", a "list", "arguments", or "as is" (formats are not moved).
        native: whether Keras computes channels first by itself.
        channel_axis: where channels are in an input with channels first.
        random: whether Keras' layer has to be told that it is not trained when it is called by itself.
    """

    layer: str
    base: Config = field(default_factory=dict)
    values: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = ((3, 6),)
    integers: int = 0
    count: int = 1
    masked: bool = False
    allowed: Callable[[Config], bool] = lambda config: True
    oracle: str = "keras"
    spatial: bool = False
    takes: str = "single"
    native: bool = False
    channel_axis: int = 1
    random: bool = False


def _largest(value: Any) -> int:
    return max(value) if isinstance(value, (tuple, list)) else int(value)


def _conv_allowed(config: Config) -> bool:
    strided, dilated = _largest(config.get("strides", 1)) > 1, _largest(config.get("dilation_rate", 1)) > 1
    return not (strided and dilated) and not (config.get("groups", 1) > 1 and config["filters"] % config["groups"])


def _output_padding_allowed(config: Config) -> bool:
    strides, extra = config.get("strides", 1), config.get("output_padding", 0)
    smallest = min(strides) if isinstance(strides, tuple) else strides
    dilated = _largest(config.get("dilation_rate", 1)) > 1
    if "output_padding" in config:  # a TensorFlow CPU takes it with strides only
        return smallest > max(1, extra) and not dilated
    return not (dilated and _largest(strides) > 1)


def _square_strides(config: Config) -> bool:
    strides = config.get("strides", 1)
    return not isinstance(strides, tuple) or len(set(strides)) == 1


def _no_dilated_stride(config: Config) -> bool:
    strided, dilated = _largest(config.get("strides", 1)) > 1, _largest(config.get("dilation_rate", 1)) > 1
    return not (strided and dilated) and _square_strides(config)


CONV = {"activation": ("relu", "tanh"), "use_bias": (False,)}
RECURRENT = {
    "use_bias": (False,),
    "return_sequences": (True,),
    "go_backwards": (True,),
    "unroll": (True,),
    "zero_output_for_mask": (True,),
    "return_state": (True,),
}


def conv_rows() -> list[Row]:
    one, two, three = (2, 11, 4), (2, 9, 8, 4), (2, 6, 5, 7, 4)
    return [
        Row(
            "Conv1D",
            {"filters": 6, "kernel_size": 3},
            {
                "filters": (2, 8),
                "kernel_size": (1, 4),
                "strides": (2, 3),
                "padding": ("same", "causal"),
                "data_format": FORMATS,
                "dilation_rate": (2, 3),
                "groups": (2,),
                **CONV,
            },
            (one,),
            allowed=_conv_allowed,
            spatial=True,
        ),
        Row(
            "Conv2D",
            {"filters": 6, "kernel_size": 3},
            {
                "filters": (2, 8),
                "kernel_size": (1, (2, 4)),
                "strides": (2, (1, 3)),
                "padding": ("same",),
                "data_format": FORMATS,
                "dilation_rate": (2, (1, 2)),
                "groups": (2,),
                **CONV,
            },
            (two,),
            allowed=_conv_allowed,
            spatial=True,
        ),
        Row(
            "Conv3D",
            {"filters": 4, "kernel_size": 2},
            {
                "filters": (2, 6),
                "kernel_size": (1, (2, 3, 1)),
                "strides": (2, (1, 2, 1)),
                "padding": ("same",),
                "data_format": FORMATS,
                "dilation_rate": (2,),
                "groups": (2,),
                **CONV,
            },
            (three,),
            allowed=_conv_allowed,
            spatial=True,
        ),
        Row(
            "DepthwiseConv1D",
            {"kernel_size": 3},
            {
                "kernel_size": (1, 4),
                "strides": (2, 3),
                "padding": ("same",),
                "depth_multiplier": (2, 3),
                "data_format": FORMATS,
                "dilation_rate": (2,),
                **CONV,
            },
            (one,),
            allowed=_no_dilated_stride,
            spatial=True,
        ),
        Row(
            "DepthwiseConv2D",
            {"kernel_size": 3},
            {
                "kernel_size": (1, (2, 4)),
                "strides": (2, 3),
                "padding": ("same",),
                "depth_multiplier": (2, 3),
                "data_format": FORMATS,
                "dilation_rate": (2,),
                **CONV,
            },
            (two,),
            allowed=_no_dilated_stride,
            spatial=True,
        ),
        Row(
            "SeparableConv1D",
            {"filters": 5, "kernel_size": 3},
            {
                "filters": (2, 8),
                "kernel_size": (1, 4),
                "strides": (2, 3),
                "padding": ("same",),
                "depth_multiplier": (2, 3),
                "data_format": FORMATS,
                "dilation_rate": (2,),
                **CONV,
            },
            (one,),
            allowed=_no_dilated_stride,
            spatial=True,
        ),
        Row(
            "SeparableConv2D",
            {"filters": 5, "kernel_size": 3},
            {
                "filters": (2, 8),
                "kernel_size": (1, (2, 4)),
                "strides": (2, 3),
                "padding": ("same",),
                "depth_multiplier": (2, 3),
                "data_format": FORMATS,
                "dilation_rate": (2,),
                **CONV,
            },
            (two,),
            allowed=_no_dilated_stride,
            spatial=True,
        ),
        Row(
            "Conv1DTranspose",
            {"filters": 5, "kernel_size": 3},
            {
                "filters": (2, 8),
                "kernel_size": (1, 4),
                "strides": (2, 3),
                "padding": ("same",),
                "data_format": FORMATS,
                "dilation_rate": (2,),
                "output_padding": (0, 1),
                **CONV,
            },
            (one,),
            allowed=_output_padding_allowed,
            spatial=True,
        ),
        Row(
            "Conv2DTranspose",
            {"filters": 5, "kernel_size": 3},
            {
                "filters": (2, 8),
                "kernel_size": (2, (2, 4)),
                "strides": (2, (1, 2)),
                "padding": ("same",),
                "data_format": FORMATS,
                "dilation_rate": (2,),
                "output_padding": (0, 1),
                **CONV,
            },
            (two,),
            allowed=_output_padding_allowed,
            spatial=True,
        ),
        Row(
            "Conv3DTranspose",
            {"filters": 3, "kernel_size": 2},
            {
                "filters": (2, 4),
                "kernel_size": (1, 3),
                "strides": (2, (1, 2, 1)),
                "padding": ("same",),
                "data_format": FORMATS,
                "dilation_rate": (1,),
                "output_padding": (0, 1),
                **CONV,
            },
            (three,),
            allowed=_output_padding_allowed,
            spatial=True,
        ),
        Row(
            "LocallyConnected1D",
            {"filters": 3, "kernel_size": 3},
            {"filters": (2, 5), "kernel_size": (1, 4), "strides": (2, 3), "data_format": FORMATS, **CONV},
            (one,),
            oracle="tf_keras",
            spatial=True,
            native=True,
        ),
        *(
            Row(
                f"LocallyConnected{rank}D",
                {"filters": 3, "kernel_size": 3, "padding": "same", "implementation": 2},
                {"strides": (2, 3), "filters": (2, 5)},
                (shape,),
                oracle="tf_keras",
            )
            for rank, shape in ((1, one), (2, two))
        ),
        Row(
            "LocallyConnected2D",
            {"filters": 3, "kernel_size": 3},
            {"filters": (2, 5), "kernel_size": (1, (2, 4)), "strides": (2, (1, 3)), "data_format": FORMATS, **CONV},
            (two,),
            oracle="tf_keras",
            spatial=True,
            native=True,
        ),
    ]


def window_rows() -> list[Row]:
    shapes = {1: (2, 11, 3), 2: (2, 9, 8, 3), 3: (2, 6, 5, 7, 3)}
    rows = []
    for rank, shape in shapes.items():
        odd = (3,) if rank == 1 else (tuple(range(1, rank + 1)),)
        for kind in ("Max", "Average"):
            rows.append(
                Row(
                    f"{kind}Pooling{rank}D",
                    {"pool_size": 2},
                    {"pool_size": (3, *odd), "strides": (1, 3), "padding": ("same",), "data_format": FORMATS},
                    (shape,),
                    spatial=True,
                )
            )
            rows.append(
                Row(
                    f"Global{kind}Pooling{rank}D",
                    {},
                    {"data_format": FORMATS, "keepdims": (True,)},
                    (shape,),
                    spatial=True,
                )
            )
        pads = {1: (2, (1, 3)), 2: (2, (1, 3), ((1, 0), (2, 3))), 3: (2, (1, 3, 2), ((1, 0), (2, 3), (0, 1)))}[rank]
        crops = {1: (2, (1, 3)), 2: (2, (1, 3), ((1, 0), (2, 3))), 3: (2, (1, 2, 3), ((1, 0), (2, 1), (0, 1)))}[rank]
        formats = {} if rank == 1 else {"data_format": FORMATS}
        rows.append(Row(f"ZeroPadding{rank}D", {}, {"padding": pads, "data_format": FORMATS}, (shape,), spatial=True))
        rows.append(Row(f"Cropping{rank}D", {}, {"cropping": crops, **formats}, (shape,), spatial=True))
        sizes = {1: (1, 3), 2: (3, (1, 2)), 3: (3, (1, 2, 3))}[rank]
        extra = {"interpolation": ("bilinear",)} if rank == 2 else {}
        rows.append(Row(f"UpSampling{rank}D", {}, {"size": sizes, **formats, **extra}, (shape,), spatial=True))
    return rows


def recurrent_rows() -> list[Row]:
    gated = {**RECURRENT, "units": (1, 7), "activation": ("relu", "sigmoid"), "recurrent_activation": ("tanh", "relu")}
    plain = {**RECURRENT, "units": (1, 7), "activation": ("relu", "sigmoid")}
    steps = ((3, 6, 4), (2, 1, 3))
    return [
        Row("SimpleRNN", {"units": 5}, plain, steps, masked=True),
        Row("LSTM", {"units": 5}, gated, steps, masked=True),
        Row("GRU", {"units": 5}, {**gated, "reset_after": (False,)}, steps, masked=True),
        Row(
            "ConvLSTM2D",
            {"filters": 3, "kernel_size": 2, "recurrent_activation": "sigmoid"},
            {
                "filters": (2, 4),
                "kernel_size": (1, (2, 3)),
                "padding": ("same",),
                "activation": ("relu", "sigmoid"),
                "recurrent_activation": ("relu", "tanh"),
                "use_bias": (False,),
                "return_sequences": (True,),
                "return_state": (True,),
                "go_backwards": (True,),
                "strides": (2,),
                "dilation_rate": (2,),
                "data_format": FORMATS,
            },
            ((2, 3, 6, 5, 2),),
            allowed=_conv_allowed,
            masked=True,
            spatial=True,
            channel_axis=2,
        ),
    ]


def plain_rows() -> list[Row]:
    vectors, matrices = (3, 6), (3, 5, 6)
    merged = [
        Row(name, {}, {}, (vectors, matrices), count=count, takes="list")
        for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")
        for count in (2, 3)
    ]
    return [
        Row(
            "Dense",
            {"units": 4},
            {"units": (1, 7), "activation": (*ACTIVATIONS, "softmax"), "use_bias": (False,)},
            (vectors, matrices, (2, 3, 4, 5)),
        ),
        Row(
            "Activation",
            {"activation": "relu"},
            {"activation": (*ACTIVATIONS, *COMPOSED, "softmax", "log_softmax", "linear", "relu6")},
            (vectors, matrices),
        ),
        Row("Dropout", {"rate": 0.3}, {"rate": (0.0, 0.9), "noise_shape": ((3, 1), None), "seed": (1, 2)}, (vectors,)),
        Row("SpatialDropout1D", {"rate": 0.3}, {"rate": (0.1, 0.9), "seed": (1, 2)}, (matrices,)),
        Row(
            "SpatialDropout2D",
            {"rate": 0.3},
            {"rate": (0.1, 0.9), "data_format": FORMATS, "seed": (1, 2)},
            ((2, 4, 5, 3),),
            spatial=True,
        ),
        Row(
            "SpatialDropout3D",
            {"rate": 0.3},
            {"rate": (0.1, 0.9), "data_format": FORMATS, "seed": (1, 2)},
            ((2, 4, 5, 3, 2),),
            spatial=True,
        ),
        Row("GaussianNoise", {"stddev": 0.3}, {"stddev": (0.1, 0.9), "seed": (1, 2)}, (vectors,)),
        Row("GaussianDropout", {"rate": 0.3}, {"rate": (0.1, 0.9), "seed": (1, 2)}, (vectors,)),
        Row("AlphaDropout", {"rate": 0.3}, {"rate": (0.1, 0.9), "noise_shape": ((3, 1),), "seed": (1, 2)}, (vectors,)),
        Row("ActivityRegularization", {}, {"l1": (0.1, 0.2), "l2": (0.1, 0.2)}, (vectors,)),
        Row("Flatten", {}, {"data_format": FORMATS}, (vectors, matrices, (2, 3, 4, 5)), takes="as is"),
        Row("Reshape", {"target_shape": (-1,)}, {"target_shape": ((2, 3, 5), (-1, 10), (30, 1))}, (matrices,)),
        Row("Permute", {"dims": (2, 1)}, {"dims": ((1, 2), (2, 1))}, (matrices,)),
        Row("RepeatVector", {"n": 2}, {"n": (1, 5)}, (vectors,)),
        Row("Masking", {}, {"mask_value": (1.0, -1.0)}, (matrices,)),
        Row("Identity", {}, {}, (vectors, matrices)),
        Row("Rescaling", {"scale": 0.5}, {"scale": (2.0, 0.1), "offset": (1.0, -3.0)}, (vectors, matrices)),
        Row(
            "Embedding",
            {"input_dim": 9, "output_dim": 4},
            {"output_dim": (1, 5), "input_dim": (10, 20), "mask_zero": (True,)},
            ((3, 6), (3, 2, 4)),
            integers=9,
        ),
        Row(
            "ReLU",
            {},
            {"max_value": (1.0, 6.0), "negative_slope": (0.1, 0.5), "threshold": (0.2, 0.5)},
            (vectors, matrices),
        ),
        Row("LeakyReLU", {"negative_slope": 0.3}, {"negative_slope": (0.1, 0.5)}, (vectors, matrices)),
        Row("LeakyReLU", {}, {"alpha": (0.1, 0.5)}, (vectors, matrices), oracle="tf_keras"),
        Row("ELU", {}, {"alpha": (0.1, 2.0)}, (vectors, matrices)),
        Row("PReLU", {}, {"shared_axes": ((1,), (1, 2))}, (matrices, (2, 3, 4, 5))),
        Row("ThresholdedReLU", {}, {"theta": (0.1, 0.5)}, (vectors, matrices), oracle="tf_keras"),
        Row("Softmax", {}, {"axis": (1, (1, 2))}, (matrices, (2, 3, 4, 5))),
        Row(
            "BatchNormalization",
            {},
            {"axis": (1, 2), "momentum": (0.5, 0.9), "epsilon": (0.1, 1e-5), "center": (False,), "scale": (False,)},
            (matrices, (2, 3, 4, 5)),
        ),
        Row(
            "LayerNormalization",
            {},
            {"axis": (1, (1, 2)), "epsilon": (0.1, 1e-5), "center": (False,), "scale": (False,)},
            (matrices, (2, 3, 4, 5)),
        ),
        Row(
            "GroupNormalization",
            {"groups": 2},
            {"groups": (1, 3), "axis": (-1, 1), "epsilon": (0.1, 1e-5), "center": (False,), "scale": (False,)},
            ((2, 6, 6), (2, 6, 4, 6)),
        ),
        Row("UnitNormalization", {}, {"axis": (1, (1, 2))}, (matrices, (2, 3, 4, 5))),
        *merged,
        Row("Subtract", {}, {}, (vectors, matrices), count=2, takes="list"),
        Row("Concatenate", {}, {"axis": (1, 2)}, (matrices, (2, 3, 4, 5)), count=3, takes="list"),
        Row("Dot", {"axes": 1}, {"axes": (2, (1, 1)), "normalize": (True,)}, ((3, 5, 5),), count=2, takes="list"),
        Row("Attention", {}, {"use_scale": (True,), "score_mode": ("concat",)}, ((2, 5, 4),), count=3, takes="list"),
        Row("AdditiveAttention", {}, {"use_scale": (False,)}, ((2, 5, 4),), count=3, takes="list"),
        Row(
            "MultiHeadAttention",
            {"num_heads": 2, "key_dim": 3},
            {"num_heads": (1, 3), "key_dim": (2, 5), "value_dim": (2, 4), "use_bias": (False,), "output_shape": (5, 7)},
            ((2, 5, 4),),
            count=3,
            takes="arguments",
        ),
        Row(
            "MultiHeadAttention",
            {"num_heads": 2, "key_dim": 3},
            {"attention_axes": ((1,), (2,), (1, 2))},
            ((2, 3, 5, 4),),
            count=3,
            takes="arguments",
        ),
        Row(
            "MultiHeadAttention",
            {"num_heads": 2, "key_dim": 3},
            {"use_gate": (True,), "sliding_window": (2, 3)},
            ((2, 5, 4),),
            count=3,
            takes="arguments",
        ),
        Row(
            "EinsumDense",
            {"equation": "abc,cd->abd", "output_shape": (None, 4)},
            {"activation": ("relu", "tanh"), "bias_axes": ("d", "bd")},
            ((2, 5, 6),),
            allowed=lambda c: c.get("bias_axes") != "bd",
        ),
    ]


def image_rows() -> list[Row]:
    images, tall = (2, 9, 8, 3), (2, 12, 5, 2)
    size = {"height": 5, "width": 7}
    filled = {"fill_mode": ("constant", "nearest", "wrap"), "interpolation": ("nearest",), "fill_value": (0.5,)}
    shown: Any = {"shapes": (images, tall), "spatial": True, "random": True}
    rest = {"seed": (1,), "data_format": FORMATS}
    ratios = {"crop_to_aspect_ratio": (True,), "pad_to_aspect_ratio": (True,)}
    return [
        Row(
            "Resizing",
            size,
            {
                "height": (4, 12, 18),
                "width": (3, 16),
                "interpolation": ("nearest", "bicubic", "area", "lanczos3", "lanczos5"),
                **ratios,
                "fill_mode": ("constant",),
                "fill_value": (0.5, -1.0),
                "antialias": (True,),
                "data_format": FORMATS,
            },
            (images, tall),
            allowed=lambda c: not ("crop_to_aspect_ratio" in c and "pad_to_aspect_ratio" in c),
            spatial=True,
        ),
        Row(
            "Resizing",
            size,
            {"interpolation": ("area", "bicubic"), "crop_to_aspect_ratio": (True,), "height": (9,)},
            (images, tall),
            oracle="tf_keras",
        ),
        Row(
            "CenterCrop",
            size,
            {"height": (3, 9, 14), "width": (2, 8), "data_format": FORMATS},
            **{**shown, "random": False},
        ),
        Row("RandomCrop", size, {"height": (3, 14), "width": (4, 8), "seed": (1,)}, **shown, oracle="tf_keras"),
        Row("RandomCrop", {"height": 9, "width": 8}, {"data_format": FORMATS}, (images,), spatial=True, random=True),
        Row("RandomFlip", {}, {"mode": ("horizontal", "vertical"), **rest}, **shown),
        Row("RandomRotation", {"factor": 0.1}, {"factor": ((-0.1, 0.3),), **filled, **rest}, **shown),
        Row(
            "RandomZoom",
            {"height_factor": 0.1},
            {"height_factor": ((-0.1, 0.3),), "width_factor": (0.2,), **filled, **rest},
            **shown,
        ),
        Row(
            "RandomTranslation",
            {"height_factor": 0.1, "width_factor": 0.2},
            {"height_factor": ((-0.1, 0.3),), "width_factor": (0.2,), **filled, **rest},
            **shown,
        ),
        Row("RandomContrast", {"factor": 0.1}, {"factor": ((0.1, 0.3),), "value_range": ((0, 1),), **rest}, **shown),
        Row("RandomBrightness", {"factor": 0.1}, {"factor": ((-0.1, 0.3),), "value_range": ((0, 1),), **rest}, **shown),
        *(
            Row(
                name,
                {"factor": 0.1},
                {"factor": ((-0.1, 0.3),), "interpolation": ("nearest",)},
                **shown,
                oracle="tf_keras",
            )
            for name in ("RandomHeight", "RandomWidth")
        ),
    ]


ROWS = (*plain_rows(), *image_rows(), *conv_rows(), *window_rows(), *recurrent_rows())

SET_ELSEWHERE: dict[str, str] = {
    "name": "of the layer, not of its numbers",
    "dtype": "test_layers",
    "trainable": "test_layers",
    "batch_input_shape": "the model gives the shape",
    "stateful": "test_recurrent: several batches",
    "seed": "noise differs between libraries by nature; test_more_layers",
    "dropout": "training only; test_recurrent",
    "recurrent_dropout": "training only; test_recurrent",
    "unit_forget_bias": "an initial value; test_layers",
    "input_length": "checked, not computed with; test_errors",
    "implementation": "carries no numbers",
    "zero_output_for_mask": "also of ConvLSTM, where Keras does not take it; test_recurrent",
    "unroll": "also of ConvLSTM, which Keras does not unroll; test_recurrent",
    "rms_scaling": "Keras 3.15 takes it no longer; test_more_layers",
}
"""Arguments that another test holds, or that carry no numbers, and where."""
