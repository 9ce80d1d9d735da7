"""Numbers on the command line that are what they have to be, or refused by the option's name."""

import argparse
from collections.abc import Callable
from typing import Final

PORT_MAX: Final = 65535
LINE_MAX: Final = 2**53  # beyond it no database and no browser counts


def between(least: int, most: int) -> Callable[[str], int]:
    """For ``type=``: a whole number from ``least`` to ``most``."""

    def whole(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text}: {least} to {most} is wanted")
        return number

    return whole


port = between(0, PORT_MAX)  # 0: a free one
line_number = between(0, LINE_MAX)
