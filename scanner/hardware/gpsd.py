"""gpsd as a PositionSource: its JSON protocol over TCP or a Unix socket.

Fields as in gpsd_json(5). GST tells one sigma in north and east; ``eph`` of TPV is made from the
dilution of precision and meant as 95 %, so it stands in only where there is no GST.
"""

import socket
import time
from datetime import datetime
from typing import Final

import msgspec

from scanner.core.fixes import Fix, Lost
from scanner.core.nmea import HDOP_SIGMA_M
from scanner.errors import UNREADABLE
from scanner.hardware.live import LONGEST_PAUSE_S, POLL_S, SILENCE_S, LivePositions, boot_ns

WATCH: Final = b'?WATCH={"enable":true,"json":true};\n'
CONNECT_S: Final = 5.0
LOCAL_PAUSE_S: Final = 1.5  # a socket in the file system costs nothing to try
MIN_EPH_SIGMA_M: Final = 3.0  # eph knows nothing of walls
GST_LASTS_NS: Final = 5_000_000_000  # the errors told by GST stand so long for the fixes after it
DEVICE_LASTS_NS: Final = 5_000_000_000  # without a fix of it, another receiver may take over
MAX_REPORT: Final = 1 << 20  # bytes; a longer line is not from gpsd
HAS_FIX: Final = 2  # mode of TPV: 0 unknown, 1 none, 2 without height, 3 with


class Report(msgspec.Struct, frozen=True):
    """The fields of TPV, GST and SKY that matter here; others are passed over."""

    kind: str = msgspec.field(name="class", default="")
    device: str = ""
    mode: int = 0
    time: str | None = None
    lat: float | None = None  # TPV: degrees; GST: 1 sigma in north, metres
    lon: float | None = None  # TPV: degrees; GST: 1 sigma in east, metres
    eph: float | None = None  # 95 % of the horizontal error, metres
    epx: float | None = None  # the same in east
    epy: float | None = None  # and in north
    hdop: float | None = None
    speed: float | None = None  # metres per second
    track: float | None = None  # degrees from true north


class ReportReader:
    """Reports of gpsd -> fixes of one receiver at a time."""

    def __init__(self) -> None:
        self._gst: tuple[int, float] | None = None  # when, sigma
        self._hdop_sigma_m: float | None = None
        self._device = ""
        self._device_ns = 0

    def read(self, line: bytes, at_ns: int) -> Fix | Lost | None:
        """What a line says; None if it is no report, is damaged or tells of something else."""
        try:
            report = msgspec.json.decode(line, type=Report)
        except UNREADABLE:
            return None
        if report.kind not in ("TPV", "GST", "SKY") or not self._follows(report, at_ns):
            return None
        if report.kind == "GST" and report.lat is not None and report.lon is not None:
            self._gst = at_ns, max(report.lat, report.lon)
        elif report.kind == "SKY" and report.hdop is not None:
            self._hdop_sigma_m = report.hdop * HDOP_SIGMA_M
        elif report.kind == "TPV":
            return self._fix(report, at_ns)
        return None

    def _follows(self, report: Report, at_ns: int) -> bool:
        """Whether the report is of the receiver that gives the fixes; two would make a zigzag."""
        if report.device != self._device and at_ns - self._device_ns < DEVICE_LASTS_NS:
            return False
        if report.kind == "TPV" and report.mode >= HAS_FIX:
            self._device, self._device_ns = report.device, at_ns
        return True

    def _fix(self, report: Report, at_ns: int) -> Fix | Lost:
        if report.mode < HAS_FIX or report.lat is None or report.lon is None:
            return Lost(at_ns=at_ns)
        return Fix(
            at_ns=at_ns,
            utc_s=_utc_s(report.time),
            lat_deg=report.lat,
            lon_deg=report.lon,
            sigma_m=self._sigma_m(report, at_ns),
            speed_mps=report.speed,
            course_deg=report.track,
        )

    def _sigma_m(self, report: Report, at_ns: int) -> float | None:
        if self._gst and at_ns - self._gst[0] <= GST_LASTS_NS:
            return self._gst[1]
        if report.eph is not None:
            return max(report.eph / 2, MIN_EPH_SIGMA_M)
        if report.epx is not None and report.epy is not None:
            return max(report.epx / 2, report.epy / 2, MIN_EPH_SIGMA_M)
        return self._hdop_sigma_m


def _utc_s(time_text: str | None) -> float | None:
    if time_text is None:
        return None
    try:
        moment = datetime.fromisoformat(time_text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None


class GpsdPositions(LivePositions):
    """Positions from the gpsd at ``address``: host and port, or the path of a Unix socket.

    gpsd may start later and may be restarted. A socket path too long for the system is a
    DeviceError.
    """

    def __init__(self, address: tuple[str, int] | str, *, sigma_m: float = 4.0) -> None:
        name = address if isinstance(address, str) else f"{address[0]}:{address[1]}"
        pause_s = LOCAL_PAUSE_S if isinstance(address, str) else LONGEST_PAUSE_S
        super().__init__(f"gpsd at {name}", sigma_m=sigma_m, longest_pause_s=pause_s)
        self._address = address
        self._start()

    def _connect(self) -> socket.socket:
        if not isinstance(self._address, str):
            return socket.create_connection(self._address, timeout=CONNECT_S)
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(CONNECT_S)
            link.connect(self._address)
        except OSError:
            link.close()
            raise
        return link

    def _listen(self) -> None:
        reader = ReportReader()
        with self._connect() as link:
            link.sendall(WATCH)
            link.settimeout(POLL_S)
            rest = b""
            while data := self._receive(link):
                at_ns = boot_ns()
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > MAX_REPORT:
                    raise ConnectionError("what answers there is not gpsd")
                for line in lines:
                    self._hand_over(reader, line, at_ns)

    def _receive(self, link: socket.socket) -> bytes:
        """The next bytes; none when closed. Raises OSError when gpsd hangs up or is silent."""
        deadline = time.monotonic() + SILENCE_S
        while not self._closed.is_set():
            try:
                data = link.recv(65_536)
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise TimeoutError("silent: is a receiver attached to it?") from None
                continue
            if not data:
                raise ConnectionError("hung up")
            return data
        return b""

    def _hand_over(self, reader: ReportReader, line: bytes, at_ns: int) -> None:
        news = reader.read(line, at_ns)
        if news is not None:
            self._note_heard()
            self._take(news)
