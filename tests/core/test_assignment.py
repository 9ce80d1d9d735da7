import itertools

from hypothesis import given
from hypothesis import strategies as st

from scanner.core.assignment import FORBIDDEN, assign

costs = st.one_of(st.floats(0, 10), st.just(FORBIDDEN))


def total(table: list[list[float]], chosen: tuple[int | None, ...], unmatched: float) -> float:
    return sum(unmatched if j is None else table[i][j] for i, j in enumerate(chosen))


@given(st.integers(1, 4), st.integers(0, 4), st.data())
def test_no_other_assignment_is_cheaper(rows: int, columns: int, data: st.DataObject) -> None:
    table = [[data.draw(costs) for _ in range(columns)] for _ in range(rows)]
    chosen = tuple(assign(table, 3.0))
    used = [j for j in chosen if j is not None]
    assert len(set(used)) == len(used)
    options = [None, *range(columns)]
    best = min(
        total(table, other, 3.0)
        for other in itertools.product(options, repeat=rows)
        if len({j for j in other if j is not None}) == sum(j is not None for j in other)
    )
    assert abs(total(table, chosen, 3.0) - best) < 1e-6


def test_forbidden_pairs_are_never_made() -> None:
    assert assign([[FORBIDDEN]], unmatched=FORBIDDEN / 2) == [None]


def test_nothing_to_assign() -> None:
    assert assign([], 1.0) == []
    assert assign([[], []], 1.0) == [None, None]
