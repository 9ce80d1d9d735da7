"""Several processes of a hub that start at once on a database with nothing in it."""

import threading
from pathlib import Path

import pytest

from scanner.errors import StoreError
from scanner.hub.stores import open_store
from tests.helpers.maps import STORES, database


@pytest.mark.parametrize("kind", STORES)
def test_one_makes_the_tables_and_the_others_find_them(kind: str, tmp_path: Path) -> None:
    wrong: list[str] = []
    for turn in range(4):
        (tmp_path / f"{turn}").mkdir()
        with database(kind, tmp_path / f"{turn}") as url:
            together = threading.Barrier(4)

            def begin(url: str = url, together: threading.Barrier = together) -> None:
                together.wait()
                try:
                    open_store(url).close()
                except StoreError as e:
                    wrong.append(str(e))

            starts = [threading.Thread(target=begin) for _ in range(4)]
            for start in starts:
                start.start()
            for start in starts:
                start.join()
    assert wrong == []
