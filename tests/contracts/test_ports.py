"""`make check` has the type checker compare every adapter with its port."""

from typing import TYPE_CHECKING

from scanner.hardware.ble import BlePositions
from scanner.hardware.gpsd import GpsdPositions
from scanner.hardware.nmea import SerialPositions
from scanner.hardware.panel import GpioPanel
from scanner.hardware.picamera import PicameraFrames
from scanner.hardware.tflite import TfliteDetector
from scanner.network.session import MqttPublisher
from scanner.phone.link import PageLink
from scanner.replay import standins
from scanner.replay.frames import FolderFrames, VideoFrames
from scanner.replay.tracks import RecordedTrack
from scanner.storage.outbox import Outbox

if TYPE_CHECKING:
    from scanner import ports

    frame_sources: list[type[ports.FrameSource]] = [
        VideoFrames,
        FolderFrames,
        PicameraFrames,
        standins.ScriptedFrames,
    ]
    detectors: list[type[ports.Detector]] = [TfliteDetector, standins.ScriptedDetector]
    positions: list[type[ports.PositionSource]] = [
        RecordedTrack,
        standins.ScriptedPositions,
        GpsdPositions,
        SerialPositions,
        BlePositions,
    ]
    stores: list[type[ports.RecordStore]] = [Outbox, standins.MemoryStore]
    publishers: list[type[ports.Publisher]] = [MqttPublisher, standins.RecordingPublisher]
    panels: list[type[ports.Panel]] = [
        standins.ConsolePanel,
        standins.SeveralPanels,
        GpioPanel,
        PageLink,
    ]


def test_each_adapter_has_a_docstring_that_says_what_it_is() -> None:
    for adapter in (
        *(VideoFrames, FolderFrames, PicameraFrames, TfliteDetector, RecordedTrack, Outbox),
        *(GpsdPositions, SerialPositions, BlePositions, MqttPublisher),
    ):
        assert adapter.__doc__
