"""The compiled modules; everything else about the package is in pyproject.toml."""

import os
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

FLAGS = [
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=off",
    "-falign-loops=32",
    "-fvisibility=hidden",
    "-g0",
]
"""Loops begin at 32 bytes, so that their speed does not depend on what stands before them."""
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O1", "-g1"]
"""What `make sanitize` adds, in a folder of its own; the order of the flags lets these have the last word."""
if os.environ.get("GRAPHFLOW_SANITIZE"):
    FLAGS += SANITIZE
HEADERS = sorted(str(path) for path in Path("kernels").glob("*.h"))


def extension(module: str, *sources: str) -> Extension:
    return Extension(
        module,
        [str(Path("kernels", source)) for source in sources],
        include_dirs=["kernels", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=HEADERS,
        extra_compile_args=FLAGS,
        extra_link_args=["-pthread", *(SANITIZE[:1] if os.environ.get("GRAPHFLOW_SANITIZE") else ())],
    )


setup(
    ext_modules=cythonize(
        [
            extension("graphflow.kernels._leaf", "leaf.pyx", "leaf_base.c", "leaf_avx2.c", "leaf_avx512.c"),
            extension("graphflow.runtime._executor", "executor.pyx", "loop.c", "threads.c"),
        ],
        build_dir="build/cython",
        include_path=["kernels", "."],
    )
)
