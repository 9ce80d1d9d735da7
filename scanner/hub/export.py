"""The map as a file."""

from scanner.core.wire import Cell, encode_json
from scanner.hub.features import Policy, feature, publishable
from scanner.hub.store import Store


def geojson(store: Store, policy: Policy, *, everything: bool = False) -> bytes:
    """One FeatureCollection of the published cameras, or of all with their status."""
    shown = [s for s in store.cameras() if everything or publishable(s, policy)]
    return encode_json(Cell(features=[feature(s, policy) for s in shown]))
