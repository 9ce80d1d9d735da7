"""Render the demo walk and write its files: `python -m models.walk --out scanner/demo`.

The walk is a rendered street with known cameras. Rendering may be stopped and started again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from PIL import Image

from models import walk_path
from models.render import blender_command, smoothed

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAMES_PER_S = 4
FRAMES = 148
LAST_FIX_S = 37
START = datetime(2026, 6, 1, 9, 0, 0, tzinfo=UTC)
VIDEO_KBIT_PER_S = 1200


class Sighting(TypedDict):
    """A camera in one frame: its number, its box's long side in pixels and the share seen."""

    camera: int
    long_px: float
    visible: float


class TrueCamera(TypedDict):
    """A camera as built: kind and place in the local frame, metres."""

    kind: str
    x_m: float
    y_m: float
    z_m: float


def sentence(body: str) -> str:
    """Return an NMEA sentence with its checksum and line end."""
    return f"${body}*{reduce(lambda total, letter: total ^ ord(letter), body, 0):02X}\r\n"


def nmea_angle(degrees: float, digits: int, hemispheres: str) -> str:
    """Return "dddmm.mmmmmm,H" for an angle; hemispheres holds the letters for + and -."""
    minutes = round(abs(degrees) * 60, 6)
    letter = hemispheres[0 if degrees >= 0 else 1]
    return f"{int(minutes // 60):0{digits}d}{minutes % 60:09.6f},{letter}"


def write_nmea(fixes: Sequence[walk_path.Fix], out: Path) -> None:
    """Write GNRMC, GNGGA and GNGST for each second."""
    lines = []
    for fix in fixes:
        moment = START + timedelta(seconds=fix.second)
        knots = fix.speed_mps / 0.514444
        clock, day = moment.strftime("%H%M%S.00"), moment.strftime("%d%m%y")
        place = nmea_angle(fix.lat_deg, 2, "NS") + "," + nmea_angle(fix.lon_deg, 3, "EW")
        lines.append(
            sentence(f"GNRMC,{clock},A,{place},{knots:.3f},{fix.course_deg:.2f},{day},,,A")
        )
        lines.append(
            sentence(
                f"GNGGA,{clock},{place},1,14,0.80,{fix.altitude_m:.3f},M,{walk_path.GEOID_SEPARATION_M:.1f},M,,"
            )
        )
        lines.append(sentence(f"GNGST,{clock},1.6,1.5,1.5,0.0,1.5,1.5,2.2"))
    out.write_text("".join(lines), newline="")


def write_gpx(fixes: Sequence[walk_path.Fix], out: Path) -> None:
    """Write the same fixes as a GPX 1.1 track."""
    points = [
        f'<trkpt lat="{fix.lat_deg:.8f}" lon="{fix.lon_deg:.8f}"><ele>{fix.altitude_m:.3f}</ele>'
        f"<time>{START + timedelta(seconds=fix.second):%Y-%m-%dT%H:%M:%SZ}</time></trkpt>"
        for fix in fixes
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="models.walk" xmlns="http://www.topografix.com/GPX/1/1">\n'
    out.write_text(
        head
        + "<trk><name>Rendered demo walk</name><trkseg>\n"
        + "\n".join(points)
        + "\n</trkseg></trk>\n</gpx>\n"
    )


def write_truth(cameras: Sequence[TrueCamera], out: Path) -> None:
    """Write where the cameras really are, as GeoJSON points."""
    features = []
    for number, camera in enumerate(cameras):
        lat, lon = walk_path.geodetic(camera["x_m"], camera["y_m"])
        properties = {"id": number, "kind": camera["kind"], "height_m": round(camera["z_m"], 2)}
        point = {"type": "Point", "coordinates": [round(lon, 8), round(lat, 8)]}
        features.append({"type": "Feature", "geometry": point, "properties": properties})
    out.write_text(json.dumps({"type": "FeatureCollection", "features": features}, indent=1) + "\n")


def run_blender(work: Path, mode: str, frames: Sequence[int], processes: int) -> None:
    """Run the walk's scene in Blender: mode "survey" measures, "render" draws frames."""
    work.mkdir(parents=True, exist_ok=True)
    poses = [asdict(walk_path.lens_pose(k / FRAMES_PER_S)) for k in range(FRAMES)]
    (work / "poses.json").write_text(json.dumps(poses))
    running = []
    for share in range(processes):
        listing = work / f"frames-{share}.json"
        listing.write_text(json.dumps(list(frames[share::processes])))
        arguments = ["--work", str(work), "--mode", mode, "--frames", str(listing)]
        with (work / f"blender-{share}.log").open("ab") as sink:
            running.append(
                subprocess.Popen(
                    blender_command("walk_scene.py", arguments), stdout=sink, stderr=sink
                )
            )
    started = time.monotonic()
    while any(process.poll() is None for process in running):
        time.sleep(3)
        done = len(list(work.glob("raw-*.png")))
        print(
            f"\r{mode}: {done}/{FRAMES} frames, {time.monotonic() - started:.0f} s",
            end="",
            flush=True,
        )
    print()
    if any(process.returncode for process in running):
        raise SystemExit(f"blender failed: see {work}/blender-*.log")


def check_sightings(work: Path, cameras: Sequence[TrueCamera], *, strict: bool) -> None:
    """Print how well each camera can be seen; where strict, stop if one cannot."""
    frames: list[list[Sighting]] = json.loads((work / "sightings.json").read_text())
    poor = []
    for number, camera in enumerate(cameras):
        sizes = [
            s["long_px"]
            for frame in frames
            for s in frame
            if s["camera"] == number and s["visible"] >= 0.6
        ]
        enough = sum(size >= 14 for size in sizes)
        largest = max(sizes, default=0.0)
        place = f"camera {number:2d} {camera['kind']:6s} up {camera['z_m']:.1f} m"
        print(f"{place}: {enough:3d} frames >= 14 px, largest {largest:.0f} px")
        if enough < 8 or largest < 16:
            poor.append(number)
    if poor and strict:
        raise SystemExit(f"cameras {poor} cannot be seen well enough")


def encode(work: Path, out: Path) -> None:
    """Smooth the frames and make the video of them."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise SystemExit("ffmpeg is missing: apt-get install blender python3-numpy ffmpeg")
    for raw in sorted(work.glob("raw-*.png")):
        clean = raw.with_name(raw.name.replace("raw", "clean"))
        if not clean.exists():
            with Image.open(raw) as picture:
                smoothed(picture).save(clean)
    command = [program, "-y", "-loglevel", "error", "-framerate", str(FRAMES_PER_S)]
    command += ["-i", str(work / "clean-%04d.png"), "-r", str(FRAMES_PER_S), "-an"]
    command += ["-c:v", "libx264", "-preset", "slow", "-pix_fmt", "yuv420p"]
    # Two passes spend a fixed size, which a repository cares about, where it is needed.
    command += ["-b:v", f"{VIDEO_KBIT_PER_S}k", "-passlogfile", str(work / "pass")]
    subprocess.run([*command, "-pass", "1", "-f", "null", "-"], check=True)
    part = work / "walk.mp4"
    subprocess.run([*command, "-pass", "2", "-movflags", "+faststart", str(part)], check=True)
    shutil.move(part, out)


def main(argv: Sequence[str] | None = None) -> None:
    """Survey the scene, render what is missing and write the four files."""
    parser = argparse.ArgumentParser(prog="python -m models.walk", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the demo files")
    parser.add_argument("--work", type=Path, default=Path("build/walk"), help="folder for frames")
    parser.add_argument("--seed", type=int, default=3, help="seed of the simulated GNSS error")
    parser.add_argument(
        "--processes", type=int, default=2, help="Blender processes at a time, one core each"
    )
    parser.add_argument("--only", type=int, nargs="*", help="render just these frames and stop")
    args = parser.parse_args(argv)
    run_blender(args.work, "survey", [], 1)
    cameras: list[TrueCamera] = json.loads((args.work / "cameras.json").read_text())
    check_sightings(args.work, cameras, strict=args.only is None)
    wanted = args.only if args.only is not None else range(FRAMES)
    missing = [k for k in wanted if not (args.work / f"raw-{k:04d}.png").exists()]
    if missing:
        run_blender(args.work, "render", missing, min(args.processes, len(missing)))
    if args.only is not None:
        return
    args.out.mkdir(parents=True, exist_ok=True)
    fixes = walk_path.simulated_fixes(LAST_FIX_S, args.seed)
    write_nmea(fixes, args.out / "walk.nmea")
    write_gpx(fixes, args.out / "walk.gpx")
    write_truth(cameras, args.out / "truth.geojson")
    encode(args.work, args.out / "walk.mp4")


if __name__ == "__main__":
    main(sys.argv[1:])
