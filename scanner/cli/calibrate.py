"""``scanner calibrate``: measure a lens, from a printed board or from a walk."""

import argparse
import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scanner.app import REPLAY_RATE, Recording, lens_model, open_recording
from scanner.cli import add_config_option, config_of
from scanner.cli.text import Progress, json_line
from scanner.core.lens import calibration
from scanner.core.lens.calibration import NotCalibrated, WornLens
from scanner.core.lens.lenses import Calibration, calibration_from_lens, encode
from scanner.errors import StoreError, UsageError, from_checkout
from scanner.frame import Pixels
from scanner.pipeline import find_all
from scanner.records import NotLocated, Track
from scanner.replay.frames import PICTURES, VideoFrames, check_rate, open_frames, read_picture

MIN_VIEWS: Final = 8
MAX_VIEWS: Final = 60
MAX_RMS_PX: Final = 2.0
VIDEO_RATE: Final = 1.0  # frames per second in which the board is looked for
BETTER: Final = 0.95  # what a further coefficient must make of the residual to be worth its noise
A4_MM: Final = (297.0, 210.0)

Corners = NDArray[np.float32]  # (n, 1, 2) pixels
Size = tuple[int, int]  # width, height


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("calibrate", help="measure the lens, by a board or a walk")
    parser.add_argument(
        "pictures", nargs="*", type=Path, metavar="PICTURE|VIDEO", help="the board, many ways"
    )
    parser.add_argument(
        "--board",
        type=_board,
        default=(10, 7),
        metavar="COLSxROWS",
        help="squares of the chessboard, across and down (10x7)",
    )
    parser.add_argument(
        "--square-mm", type=float, default=25.0, metavar="MM", help="side of a square (25)"
    )
    parser.add_argument("--print-board", type=Path, metavar="FILE.svg", help="write it, for A4")
    parser.add_argument("--walk", type=Path, metavar="VIDEO|FOLDER", help="a walk past cameras")
    parser.add_argument("--track", type=Path, metavar="FILE", help="GPX or NMEA of the walk")
    parser.add_argument("--rate", type=float, default=REPLAY_RATE, help="frames per second to see")
    parser.add_argument(
        "--offset-s", type=float, default=0.0, metavar="S", help="first fix to first frame (0)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the calibration")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    add_config_option(parser)
    parser.set_defaults(run=run)


def _board(text: str) -> Size:
    match = re.fullmatch(r"(\d{1,2})[xX](\d{1,2})", text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if min(size) < 4:  # noqa: PLR2004 - three corners a side, else there is no board to be found
        raise argparse.ArgumentTypeError(f"{text}: squares as COLSxROWS, at least 4x4, are wanted")
    return size


def run(args: argparse.Namespace) -> int:
    """Do the one that is asked for."""
    if not 1 <= args.square_mm <= 1000:  # noqa: PLR2004
        raise UsageError(f"--square-mm {args.square_mm:g}: 1 to 1000 is wanted")
    asked = [bool(args.print_board), bool(args.walk), bool(args.pictures)]
    if sum(asked) != 1:
        raise UsageError("one of --print-board, --walk or pictures of a board is wanted")
    if args.print_board:
        _write(args.print_board, board_svg(args.board, args.square_mm))
        print(f"wrote {args.print_board}; print it at 100 % and measure a square")
        return 0
    return _by_walk(args) if args.walk else _by_board(args)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise StoreError(f"{path}: cannot be written: {e.strerror}") from e


def board_svg(board: Size, square_mm: float) -> str:
    """A chessboard in the middle of a landscape A4 page, in real millimetres."""
    width, height = board[0] * square_mm, board[1] * square_mm
    left, top = (A4_MM[0] - width) / 2, (A4_MM[1] - height) / 2
    if min(left, top) < 10:  # noqa: PLR2004 - millimetres of white that printers and finders need
        raise UsageError(
            f"{board[0]}x{board[1]} squares of {square_mm:g} mm do not fit A4",
            hint="fewer or smaller squares",
        )
    squares = "".join(
        f'<rect x="{left + x * square_mm:g}" y="{top + y * square_mm:g}"'
        f' width="{square_mm:g}" height="{square_mm:g}"/>\n'
        for y in range(board[1])
        for x in range(board[0])
        if (x + y) % 2 == 0
    )
    label = f"scanner calibrate --board {board[0]}x{board[1]} --square-mm {square_mm:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{A4_MM[0]:g}mm" height="{A4_MM[1]:g}mm"'
        f' viewBox="0 0 {A4_MM[0]:g} {A4_MM[1]:g}">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{squares}'
        f'<text x="{left:g}" y="{A4_MM[1] - 4:g}" font-size="4" font-family="sans-serif"'
        f">{label} - print at 100 %, measure a square, glue it flat</text>\n</svg>\n"
    )


def _by_board(args: argparse.Namespace) -> int:
    cv2 = _opencv()
    inner = (args.board[0] - 1, args.board[1] - 1)
    views: list[Corners] = []
    size: Size | None = None
    looked = 0
    progress = Progress()
    for name, pixels in _pictures(args.pictures):
        looked += 1
        here = pixels.shape[1], pixels.shape[0]
        size = size or here
        if here != size:
            raise UsageError(f"{name}: {here[0]}x{here[1]}, the others {size[0]}x{size[1]}")
        corners = _corners(cv2, pixels, inner)
        if corners is not None:
            views.append(corners)
        progress.show(f"{looked} looked at, {len(views)} show the board")
    progress.clear()
    if size is None or len(views) < MIN_VIEWS:
        raise UsageError(
            f"{len(views)} of {looked} pictures show the whole board of {inner[0] + 1}x"
            f"{inner[1] + 1} squares, {MIN_VIEWS} are wanted",
            hint="near and far, tilted, into each corner of the frame",
        )
    keep = np.unique(np.linspace(0, len(views) - 1, MAX_VIEWS).round().astype(int))
    found = _solve(cv2, [views[i] for i in keep], inner, args.square_mm, size)
    _report(args, found, {"views": len(views), "pictures": looked}, [])
    return 0


def _opencv() -> Any:
    """OpenCV, which only this command needs: the scanner itself does without."""
    try:
        return importlib.import_module("cv2")
    except ImportError as e:
        raise UsageError("finding a board needs OpenCV", hint=from_checkout("calibrate")) from e


def _pictures(paths: Sequence[Path]) -> Iterator[tuple[str, Pixels]]:
    for path in paths:
        if path.is_dir() or path.suffix.lower() in PICTURES:
            if path.is_dir():
                yield from ((f"{path}/{f.number}", f.pixels) for f in open_frames(path).frames())
            else:
                yield str(path), read_picture(path)
            continue
        video = VideoFrames(path, rate=VIDEO_RATE)
        try:
            yield from ((f"{path} {f.at_ns / 1e9:.0f} s", f.pixels) for f in video.frames())
        finally:
            video.close()


def _corners(cv2: Any, pixels: Pixels, inner: Size) -> Corners | None:
    """Inner corners of the board in our pixels, whose origin is the frame's corner."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_ACCURACY | cv2.CALIB_CB_EXHAUSTIVE
    found, corners = cv2.findChessboardCornersSB(grey, inner, flags=flags)
    # OpenCV counts from the middle of the first pixel.
    return np.asarray(corners, np.float32).reshape(-1, 1, 2) + np.float32(0.5) if found else None


def _solve(
    cv2: Any, views: Sequence[Corners], inner: Size, square_mm: float, size: Size
) -> Calibration:
    """Fit the lens (Z. Zhang, IEEE Trans. PAMI 22, 2000); raises UsageError if it fits badly.

    A coefficient more is taken only where the corners ask for it: one that they do not determine
    bends the picture where no board was shown.
    """
    board = np.zeros((inner[0] * inner[1], 3), np.float32)
    board[:, :2] = np.mgrid[: inner[0], : inner[1]].T.reshape(-1, 2) * square_mm
    plain = cv2.CALIB_ZERO_TANGENT_DIST
    fixed = (cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3, cv2.CALIB_FIX_K3, 0)
    best: Calibration | None = None
    for flags in fixed:
        rms, matrix, distortion, *_ = cv2.calibrateCamera(
            [board] * len(views), list(views), size, None, None, flags=plain | flags
        )
        found = _calibration(float(rms), matrix, np.ravel(distortion), size)
        if _is_lens(found) and (best is None or found.rms_px < BETTER * best.rms_px):
            best = found
    if best is None:
        raise UsageError("no lens fits", hint="show the board in the corners of the frame too")
    if not best.rms_px <= MAX_RMS_PX:
        raise UsageError(
            f"the board's corners are {best.rms_px:.1f} pixels off, {MAX_RMS_PX:g} at most",
            hint="is it flat, sharp and of the size that --board says?",
        )
    return best


def _calibration(rms: float, matrix: Any, distortion: Any, size: Size) -> Calibration:
    k1, k2, _, _, k3 = (float(v) for v in distortion[:5])
    return Calibration(
        width_px=size[0],
        height_px=size[1],
        fx_px=float(matrix[0, 0]),
        fy_px=float(matrix[1, 1]),
        cx_px=float(matrix[0, 2]),
        cy_px=float(matrix[1, 2]),
        k1=k1,
        k2=k2,
        k3=k3,
        rms_px=rms,
    )


def _is_lens(found: Calibration) -> bool:
    try:
        found.lens()
    except ValueError:
        return False
    return True


def _by_walk(args: argparse.Namespace) -> int:
    if args.track is None:
        raise UsageError("--walk needs --track FILE")
    check_rate(args.rate)
    config = config_of(args)
    first = open_frames(args.walk)
    try:
        height, width = next(iter(first.frames())).pixels.shape[:2]
    finally:
        first.close()
    recording = Recording(
        source=args.walk, track=args.track, rate=args.rate, offset_s=args.offset_s
    )
    progress = Progress()
    with open_recording(recording, config, remember=True) as (source, _, finder):
        for number, _ in find_all(source, finder):
            progress.show(f"frame {number}, {len(finder.outcomes)} tracks")
    progress.clear()
    tracks: list[Track] = [
        track
        for track, outcome in finder.outcomes
        if not isinstance(outcome, NotLocated) or "faint" not in outcome.reason
    ]
    result = calibration.calibrate(tracks, lens_model(config.lens).resized(width, height))
    if isinstance(result, NotCalibrated):
        raise UsageError(f"{args.walk}: {result.reason}", hint="a printed board tells more")
    _report_walk(args, result)
    return 0


def _report_walk(args: argparse.Namespace, result: WornLens) -> None:
    lens = result.lens
    found = calibration_from_lens(lens, result.rms_px)
    facts = {
        "hfov_sigma_deg": round(result.hfov_sigma_deg, 2),
        "mount_yaw_deg": round(lens.mount_yaw_deg, 1),
        "yaw_sigma_deg": round(result.yaw_sigma_deg, 2),
        "mount_pitch_deg": round(lens.mount_pitch_deg, 1),
        "pitch_sigma_deg": round(result.pitch_sigma_deg, 2),
        "mount_roll_deg": round(lens.mount_roll_deg, 1),
        "roll_sigma_deg": round(result.roll_sigma_deg, 2),
        "tracks": result.tracks,
        "glimpses": result.glimpses,
    }
    lines = [
        f"{result.tracks} tracks, {result.glimpses} glimpses",
        f"field of view +- {result.hfov_sigma_deg:.1f} degrees; as worn on this walk, for [lens]:",
        f"mount_yaw_deg = {lens.mount_yaw_deg:.1f}    # +- {result.yaw_sigma_deg:.1f}",
        f"mount_pitch_deg = {lens.mount_pitch_deg:.1f}    # +- {result.pitch_sigma_deg:.1f}",
        f"mount_roll_deg = {lens.mount_roll_deg:.1f}    # +- {result.roll_sigma_deg:.1f}",
    ]
    _report(args, found, facts, lines)


def _report(
    args: argparse.Namespace, found: Calibration, facts: dict[str, float], lines: Sequence[str]
) -> None:
    """Write the file and say what is in it."""
    hfov_deg = found.lens().hfov_deg
    if args.out:
        _write(args.out, encode(found))
    if args.json:
        print(json_line(msgspec.structs.asdict(found) | {"hfov_deg": round(hfov_deg, 2)} | facts))
        return
    print(f"rms {found.rms_px:.2f} px, horizontal field of view {hfov_deg:.1f} degrees")
    for line in lines:
        print(line)
    print(f'wrote {args.out}; in scanner.toml: lens.calibration = "{args.out}"' if args.out else "")
