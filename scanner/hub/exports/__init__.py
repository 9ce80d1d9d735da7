"""The map as files: each module turns cameras into the text of one format, piece by piece."""

from typing import Final

from scanner.core.wire import Cell

LICENCE: Final = Cell(features=[]).licence
LICENCE_URL: Final = "https://opendatacommons.org/licenses/odbl/1-0/"
NOTICE: Final = Cell(features=[]).notice
GENERATOR: Final = "cctv-scanner"
