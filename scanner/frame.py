"""The one type that holds pixels. Code that reaches the network must not import this file."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (height, width, 3), red green blue


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from a lens. It lives for one turn of the loop and is never written anywhere."""

    number: int  # counts from 0
    at_ns: int  # boot clock at the start of exposure
    pixels: Pixels
    small: Callable[[], Pixels] | None = None  # the same at half the size, where the lens has it
