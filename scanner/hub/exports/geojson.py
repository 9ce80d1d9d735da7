"""GeoJSON (RFC 7946): one FeatureCollection, a feature per line."""

from collections.abc import Iterable, Iterator

from scanner.core.wire import CameraFeature, encode_json
from scanner.hub.exports import LICENCE, NOTICE


def chunks(cameras: Iterable[CameraFeature]) -> Iterator[str]:
    """The text, piece by piece; licence and notice stand in front, as foreign members."""
    head = {"licence": LICENCE, "notice": NOTICE}
    yield '{"type":"FeatureCollection",' + encode_json(head).decode()[1:-1] + ',"features":['
    between = "\n"
    for camera in cameras:
        yield between + encode_json(camera).decode()
        between = ",\n"
    yield "\n]}\n"
