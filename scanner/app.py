"""The composition root: builds the parts a command needs from the configuration."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec
from nacl.public import PrivateKey, PublicKey

from scanner import sealing
from scanner.config import Config, Lens
from scanner.core.geometry import LensModel
from scanner.core.lens.lenses import PRESETS, decode
from scanner.core.privacy import PROFILES
from scanner.errors import ConfigError
from scanner.front import Front, no_attention
from scanner.hardware.closeup import CloseUp, closeup_beside
from scanner.hardware.edgetpu import EdgeTpu
from scanner.hardware.modelfile import model_file
from scanner.hardware.tflite import TfliteDetector
from scanner.looking import Watcher
from scanner.pipeline import Attention, Counts, Finder, watch_walks
from scanner.ports import PositionSource
from scanner.replay.frames import FolderFrames, VideoFrames, open_frames
from scanner.replay.tracks import RecordedTrack
from scanner.reporting import Sealer
from scanner.storage.known import Known
from scanner.storage.outbox import OWN_FOLDER, Outbox
from scanner.storage.tokens import Tokens, good_months, has_tokens

LEAST_HFOV_DEG: Final = 10.0
# Of the odds at the threshold, which is for one picture; a walk shows a camera in many. The last
# two were set on the demo's walk, before there was a second look.
FIRST_ODDS: Final = 0.23  # what is worth a second look
FAINT_ODDS: Final = 0.43  # what is enough in one frame, for both looks together
TRACK_ODDS: Final = 0.7  # what is enough on average of a track's best views
LEAST_SCORE: Final = 0.05  # below it everything looks a little like a camera
REPLAY_RATE: Final = 5.0  # frames per second looked at, as on the device


def open_detector(
    config: Config, *, odds: float = 1.0, twice: bool = False, tpu: EdgeTpu | None = None
) -> TfliteDetector:
    """The detector that the configuration names, or the shipped one.

    A detection needs ``odds`` times the odds at the threshold. With ``twice`` it answers all that
    a second look could still lift to the threshold. ``tpu`` as in TfliteDetector.
    """
    settings = config.detector
    threshold = at_odds(settings.threshold, odds)
    return TfliteDetector(
        model_file(settings.model),
        threads=settings.threads,
        threshold=max(LEAST_SCORE, 2 * threshold - 1) if twice else threshold,
        tpu=tpu,
    )


def open_closeup(config: Config) -> CloseUp | None:
    """The close-up network of that detector, if there is one."""
    beside = closeup_beside(model_file(config.detector.model))
    return CloseUp(beside) if beside else None


def at_odds(score: float, times: float) -> float:
    """The score whose odds, itself against its rest to 1, are so many times those of ``score``."""
    return times * score / (1 - score + times * score)


def model_version(config: Config) -> str:
    """Short name of the detector file that goes into each record: its first bytes' digest."""
    import hashlib  # noqa: PLC0415 - only here

    path = model_file(config.detector.model)
    return hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest()


def lens_model(lens: Lens) -> LensModel:
    """The lens of the configuration; raises ConfigError if no picture can come through it."""
    if lens.calibration and (lens.hfov_deg or lens.distortion):
        raise ConfigError(
            "lens.calibration already says what lens.hfov_deg and lens.distortion say",
            hint="remove the one or the others",
        )
    try:
        optics = _calibrated(Path(lens.calibration)) if lens.calibration else _named(lens)
        model = msgspec.structs.replace(
            optics.resized(lens.width_px, lens.height_px),
            mount_yaw_deg=lens.mount_yaw_deg,
            mount_pitch_deg=lens.mount_pitch_deg,
            mount_roll_deg=lens.mount_roll_deg,
            height_m=lens.height_m,
        )
        model.check()
    except ValueError as e:
        what = lens.calibration or "[lens]"
        raise ConfigError(f"{what}: {e}", hint="`scanner calibrate` measures a lens") from e
    return model


def _named(lens: Lens) -> LensModel:
    """The preset, with what is set beside it."""
    preset = PRESETS[lens.preset]
    if 0 < lens.hfov_deg <= LEAST_HFOV_DEG:
        raise ConfigError(
            f"lens.hfov_deg: {lens.hfov_deg:g} degrees is no lens of ours, above"
            f" {LEAST_HFOV_DEG:g} is wanted",
            hint="0: that of the preset",
        )
    k1, k2, k3 = (*lens.distortion, 0.0, 0.0, 0.0)[:3] if lens.distortion else preset.distortion
    return LensModel(
        width_px=lens.width_px,
        height_px=lens.height_px,
        hfov_deg=lens.hfov_deg or preset.hfov_deg,
        k1=k1,
        k2=k2,
        k3=k3,
    )


def _calibrated(path: Path) -> LensModel:
    """The lens that a calibration file describes; raises ValueError."""
    try:
        return decode(path.read_text(encoding="utf-8")).lens()
    except OSError as e:
        raise ValueError(f"cannot be read: {e.strerror}") from e


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded walk: pictures and their track."""

    source: Path
    track: Path
    rate: float = REPLAY_RATE
    offset_s: float = 0.0


@contextmanager
def open_recording(
    recording: Recording, config: Config, *, remember: bool = False, tpu: EdgeTpu | None = None
) -> Iterator[tuple[VideoFrames | FolderFrames, RecordedTrack, Finder]]:
    """Frames, positions and a finder; ``remember`` as in ``Finder``, ``tpu`` in TfliteDetector."""
    with ExitStack() as stack:
        positions = RecordedTrack(
            recording.track, sigma_m=config.position.sigma_m, offset_s=recording.offset_s
        )
        stack.callback(positions.close)
        source = open_frames(recording.source, rate=recording.rate)
        stack.callback(source.close)
        budget = config.detector.inferences_per_s / recording.rate
        detector = open_detector(config, odds=FIRST_ODDS, tpu=tpu)
        watcher = Watcher(detector, budget, least=at_odds(config.detector.threshold, FAINT_ODDS))
        yield source, positions, finder_of(config, watcher, positions, remember=remember)


def finder_of(
    config: Config,
    watcher: Watcher,
    positions: PositionSource,
    *,
    attention: Attention = no_attention,
    remember: bool = False,
) -> Finder:
    """A finder with the configured lens; ``attention`` and ``remember`` as in ``Finder``."""
    return Finder(
        watcher,
        positions,
        lens_model(config.lens),
        min_score=at_odds(config.detector.threshold, TRACK_ODDS),
        attention=attention,
        remember=remember,
    )


def watch_recording(
    recording: Recording,
    config: Config,
    store: Outbox,
    key: PublicKey | sealing.HubKeys,
    front: Front,
    *,
    close_door: Callable[[], None] = lambda: None,
    tpu: EdgeTpu | None = None,
) -> Counts:
    """The device from files: fill the outbox with what the walk shows, until ``front`` says stop.

    ``close_door`` is called when all is open and nothing has been looked at yet.
    """
    with (
        sealer_over(config, store, key) as sealer,
        open_recording(recording, config, tpu=tpu) as (source, _, finder),
    ):
        close_door()
        walks = front.steering.walks(source)
        counts = watch_walks(walks, finder, sealer, front.panel, walk_over=store.settle)
        for line in source.skipped if isinstance(source, FolderFrames) else ():
            front.panel.show("trouble", f"skipped: {line}")
        return counts


@contextmanager
def sealer_over(
    config: Config, store: Outbox, key: PublicKey | sealing.HubKeys
) -> Iterator[Sealer]:
    """The one sealer for all walks of a run; all its files are open."""
    policy = PROFILES[config.privacy.profile]
    store.settle()  # a walk that was cut off left its order there
    with (
        closing(Known(store.folder, policy)) as known,
        sealing_of(config, store.folder, key) as seal,
    ):
        yield Sealer(
            store,
            seal,
            policy,
            model=model_version(config),
            uniform=random.SystemRandom().random,
            known=known,
        )


@contextmanager
def sealing_of(
    config: Config, data: Path, key: PublicKey | sealing.HubKeys
) -> Iterator[sealing.Sealing]:
    """How records are sealed: with a cohort's token while there are any, and for their finder.

    All files are opened here: once the door is closed, none can be. Raises ConfigError for a copy
    of one's own in the profile ``hostile``.
    """
    own_key = own_key_of(config)
    with ExitStack() as stack:
        tokens = stack.enter_context(closing(Tokens(data))) if has_tokens(data) else None
        own = stack.enter_context(closing(Outbox(data / OWN_FOLDER))) if own_key else None
        if own:
            own.settle()
            stack.callback(own.settle)
        yield sealing.Sealing(
            key,
            token=(lambda days: tokens.spend(good_months(days))) if tokens else lambda _: b"",
            own_key=own_key,
            keep=own.add if own else lambda _: None,
        )


def own_key_of(config: Config) -> PublicKey | None:
    """The volunteer's own key, if one is configured; raises ConfigError."""
    if config.privacy.own_key and config.privacy.profile == "hostile":
        raise ConfigError(
            "privacy.own_key: not in the profile hostile: whoever has a key can be made to use it",
            hint="remove it from scanner.toml",
        )
    text = config.privacy.own_key
    return sealing.key_from_text(text, "privacy.own_key") if text else None


def hub_key(config: Config) -> sealing.HubKeys | PublicKey | None:
    """What records are sealed to, if anything is configured; raises ConfigError."""
    return sealing.hub_keys_of(config.privacy.hub_key, config.privacy.hub_keys)


def nobodys_key() -> PublicKey:
    """A key whose private half is thrown away: what is sealed to it can never be read."""
    return PrivateKey.generate().public_key
