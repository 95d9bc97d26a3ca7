"""Random streams by name: what one choice draws never shifts another."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

Stream = Callable[[str], np.random.Generator]


def streams(seed: int, index: int) -> Stream:
    """Random streams by name: what one of them draws never shifts another."""

    def stream(name: str) -> np.random.Generator:
        return np.random.default_rng([seed & 0xFFFFFFFF, index, zlib.crc32(name.encode())])

    return stream
