"""Which file holds the detector. Loads nothing that starts threads: needed before the fence."""

from pathlib import Path
from typing import Final

from scanner.errors import ModelError

SHIPPED: Final = "detector.tflite"
COMPILED: Final = "_edgetpu.tflite"  # as Coral's compiler names what it makes of a .tflite


def shipped_model() -> Path:
    """The detector that comes with the package, or with the checkout it runs from."""
    package = Path(__file__).parents[1]
    for path in (package / SHIPPED, package.parent / "models" / SHIPPED):
        if path.is_file():
            return path
    raise ModelError(
        "the shipped detector is missing", hint="set detector.model in scanner.toml to a .tflite"
    )


def model_file(named: str) -> Path:
    """The detector that ``detector.model`` names, the shipped one if it is empty."""
    return Path(named) if named else shipped_model()


def compiled_form(model: Path) -> Path | None:
    """The file's form for the Edge TPU (``detector_edgetpu.tflite``), if it lies beside it."""
    path = model.with_name(model.stem.removesuffix(COMPILED[:-7]) + COMPILED)
    return path if path.is_file() else None
