"""A model's file is held whole before a runtime may follow its offsets."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.hardware import soundness
from scanner.hardware.tflite import shipped_model

GOLDEN = Path(__file__).parents[1] / "golden"
WHOLE = (GOLDEN / "two_heads.tflite").read_bytes()


@pytest.mark.parametrize(
    "path", [shipped_model(), *sorted(GOLDEN.glob("*.tflite"))], ids=lambda path: path.name
)
def test_a_whole_file_is_taken(path: Path) -> None:
    soundness.check(path.read_bytes())


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.1, 0.5, 0.9, 0.99])
def test_a_part_of_a_file_is_refused(share: float) -> None:
    data = shipped_model().read_bytes()
    with pytest.raises(ValueError, match=r"begin|cut short"):
        soundness.check(data[: int(share * len(data))])


@given(st.integers(8, len(WHOLE) - 5), st.binary(min_size=4, max_size=4))
def test_a_damaged_file_is_taken_or_refused_in_words(at: int, noise: bytes) -> None:
    words = ""
    try:
        soundness.check(WHOLE[:at] + noise + WHOLE[at + 4 :])
    except ValueError as e:
        words = str(e)
    assert words in {"", "it is damaged or cut short"}


def test_an_offset_beyond_the_end_is_refused() -> None:
    beyond = (len(WHOLE) + 1).to_bytes(4, "little")
    with pytest.raises(ValueError, match="damaged"):
        soundness.check(beyond + WHOLE[4:])
