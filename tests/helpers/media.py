"""Small real videos, pictures and tracks."""

from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
from PIL import Image


def picture(number: int, width: int = 64, height: int = 48) -> "np.ndarray":
    """Reddish pixels that differ from frame to frame."""
    pixels = np.full((height, width, 3), (200, 40, 10), np.uint8)
    pixels[: 8 + number % 8, :16] = (10, 200, 40)
    return pixels


def write_video(path: Path, *, count: int, rate: int, width: int = 64, height: int = 48) -> Path:
    """An H.264 video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number, width, height), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_pictures(folder: Path, *, count: int) -> Path:
    """PNG files 0.png, 1.png, ... 11.png: their names do not sort like their numbers."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.fromarray(picture(number)).save(folder / f"{number}.png")
    return folder


def write_gpx(path: Path, points: list[tuple[float, float, float]]) -> Path:
    """Points of (seconds since 1970, latitude, longitude)."""
    rows = "".join(
        f'<trkpt lat="{lat:.8f}" lon="{lon:.8f}"><time>'
        f"{datetime.fromtimestamp(t, UTC).isoformat().replace('+00:00', 'Z')}</time></trkpt>"
        for t, lat, lon in points
    )
    path.write_text(
        '<?xml version="1.0"?><gpx version="1.1" creator="test" '
        f'xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{rows}</trkseg></trk></gpx>'
    )
    return path


def nmea(body: str) -> str:
    """A sentence with its checksum."""
    total = 0
    for byte in body.encode():
        total ^= byte
    return f"${body}*{total:02X}"


def write_nmea(path: Path, points: list[tuple[float, float, float]], course: float = 0.0) -> Path:
    """RMC, GGA and GST per point of (seconds since 1970, latitude, longitude)."""
    lines = []
    for t, lat, lon in points:
        moment = datetime.fromtimestamp(t, UTC)
        clock, day = moment.strftime("%H%M%S.%f")[:9], moment.strftime("%d%m%y")
        where = f"{_dm(lat, 2)},{'N' if lat >= 0 else 'S'},{_dm(lon, 3)},{'E' if lon >= 0 else 'W'}"
        lines += [
            nmea(f"GNRMC,{clock},A,{where},2.72,{course:.1f},{day},,,A"),
            nmea(f"GNGGA,{clock},{where},1,10,0.9,150.0,M,14.0,M,,"),
            nmea(f"GNGST,{clock},1.9,,,,1.7,2.0,4.0"),
        ]
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def _dm(degrees: float, digits: int) -> str:
    whole, part = divmod(abs(degrees), 1)
    return f"{int(whole):0{digits}d}{part * 60:010.7f}"
