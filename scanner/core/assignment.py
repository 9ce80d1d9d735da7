"""The best one-to-one assignment of rows to columns.

Shortest augmenting paths with potentials (R. Jonker and A. Volgenant, Computing 38, 1987), in plain
Python: the tables here have a few rows, and SciPy weighs more than the rest of the device together.
"""

import math
from collections.abc import Sequence
from typing import Final

FORBIDDEN: Final = 1e9  # a cost from which a pair is never made


def assign(costs: Sequence[Sequence[float]], unmatched: float) -> list[int | None]:
    """For each row the column it is matched with, or None.

    ``costs`` has shape (rows, columns). Leaving a row alone costs ``unmatched``; pairs of FORBIDDEN
    or more are never made. The sum of costs is the smallest possible.
    """
    rows = len(costs)
    if not rows:
        return []
    columns = len(costs[0])
    if rows == 1:
        least = min(costs[0], default=math.inf)
        return [costs[0].index(least) if least < min(unmatched, FORBIDDEN) else None]
    # A private column of its own for each row stands for "unmatched".
    table = [
        [min(c, FORBIDDEN) for c in costs[i]]
        + [unmatched if j == i else FORBIDDEN for j in range(rows)]
        for i in range(rows)
    ]
    chosen = _solve(table)
    return [j if j < columns and table[i][j] < FORBIDDEN else None for i, j in enumerate(chosen)]


def _solve(table: list[list[float]]) -> list[int]:
    """Column of each row; there are at least as many columns as rows."""
    rows, columns = len(table), len(table[0])
    row_price, column_price = [0.0] * (rows + 1), [0.0] * (columns + 1)
    owner = [0] * (columns + 1)  # row of each column, from 1; 0: free
    for row in range(1, rows + 1):
        owner[0] = row
        path = _augment(table, owner, row_price, column_price)
        column = path[0]
        while column:
            previous = path[column]
            owner[column] = owner[previous]
            column = previous
    chosen = [0] * rows
    for column in range(1, columns + 1):
        if owner[column]:
            chosen[owner[column] - 1] = column - 1
    return chosen


def _augment(
    table: list[list[float]],
    owner: list[int],
    row_price: list[float],
    column_price: list[float],
) -> list[int]:
    """Predecessor of each column on the cheapest path to a free one, whose number is in slot 0."""
    columns = len(owner) - 1
    infinity = float("inf")
    shortest, before = [infinity] * (columns + 1), [0] * (columns + 1)
    seen = [False] * (columns + 1)
    here = 0
    while owner[here] or here == 0:
        seen[here] = True
        row, step, there = owner[here], infinity, 0
        for column in range(1, columns + 1):
            if seen[column]:
                continue
            cost = table[row - 1][column - 1] - row_price[row] - column_price[column]
            if cost < shortest[column]:
                shortest[column], before[column] = cost, here
            if shortest[column] < step:
                step, there = shortest[column], column
        for column in range(columns + 1):
            if seen[column]:
                row_price[owner[column]] += step
                column_price[column] -= step
            else:
                shortest[column] -= step
        here = there
    before[0] = here
    return before
