"""KML 2.2 (OGC 07-147r2): a placemark per camera, a style per kind."""

from collections.abc import Iterable, Iterator
from typing import Final

from scanner.core.wire import CameraFeature
from scanner.hub.exports import LICENCE, LICENCE_URL, NOTICE
from scanner.hub.exports.xml import attribute, text
from scanner.records import Kind

_COLOURS: Final = {  # alpha, blue, green, red
    Kind.BULLET: "ff1f77e0",
    Kind.DOME: "ffb4771f",
    Kind.PTZ: "ffbd6794",
    Kind.ALPR: "ff2827d6",
    Kind.UNKNOWN: "ff7f7f7f",
}
SAID: Final = f"{NOTICE} Licence {LICENCE}: {LICENCE_URL}"


def chunks(cameras: Iterable[CameraFeature]) -> Iterator[str]:
    """The text, piece by piece."""
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>\n'
        f"<name>Surveillance cameras</name><description>{text(SAID)}</description>\n"
    )
    for kind, colour in _COLOURS.items():
        yield (f'<Style id="{kind.value}"><IconStyle><color>{colour}</color></IconStyle></Style>\n')
    for camera in cameras:
        yield _placemark(camera)
    yield "</Document></kml>\n"


def _placemark(camera: CameraFeature) -> str:
    lon_deg, lat_deg = camera.geometry.coordinates
    p = camera.properties
    data: dict[str, object] = {
        "id": camera.id,
        "status": p.status,
        "sigma_m": p.sigma_m,
        "confirmations": p.confirmations,
        **({} if p.direction_deg is None else {"direction_deg": p.direction_deg}),
        **({} if p.height_m is None else {"height_m": p.height_m}),
        **({} if p.cluster is None else {"cluster": p.cluster}),
        **p.tags,
    }
    told = "".join(
        f"<Data name={attribute(name)}><value>{text(str(value))}</value></Data>"
        for name, value in data.items()
    )
    return (
        f"<Placemark><name>{p.kind.value}</name>"
        f"<TimeSpan><begin>{p.first_seen}</begin><end>{p.last_seen}</end></TimeSpan>"
        f"<styleUrl>#{p.kind.value}</styleUrl><ExtendedData>{told}</ExtendedData>"
        f"<Point><coordinates>{lon_deg:.7f},{lat_deg:.7f}</coordinates></Point></Placemark>\n"
    )
