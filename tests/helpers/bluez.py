"""A BlueZ with one receiver in reach, on a D-Bus daemon of its own.

Its objects and signals are those that bluetoothd shows for a GATT client; beneath them there is no
radio. ``address`` goes into DBUS_SYSTEM_BUS_ADDRESS, where real bleak finds it.
"""

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.helpers.gpsd import program

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true"/><allow receive_type="method_call"/>
<allow receive_type="signal"/><allow receive_requested_reply="true"/></policy></busconfig>"""
ADAPTER, DEVICE = "/org/bluez/hci0", "/org/bluez/hci0/dev_C8_8E_81_FD_9B_CA"
MAC, NAME = "C8:8E:81:FD:9B:CA", "Walker GNSS"
NORDIC = ("6e400001-b5a3-f393-e0a9-e50e24dcca9e", "6e400003-b5a3-f393-e0a9-e50e24dcca9e")
LOCATION = ("00001819-0000-1000-8000-00805f9b34fb", "00002a67-0000-1000-8000-00805f9b34fb")
ADVERTISE_S = 0.2


class Bluez:
    """Start it, then ``appear`` and ``vanish`` the receiver and let it ``notify``.

    ``profile``: UUIDs of its service and of the characteristic that notifies.
    """

    def __init__(self, folder: Path, profile: tuple[str, str] = NORDIC) -> None:
        self.address = f"unix:path={folder / 'bus'}"
        (folder / "bus.conf").write_text(BUS.format(path=folder / "bus"))
        self._folder = folder
        self._profile = profile
        self._objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self._scanning = False
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.calls: list[str] = []

    def appear(self) -> None:
        """The receiver is switched on."""
        self._soon(self._appear)

    def vanish(self) -> None:
        """It is switched off or out of reach."""
        self._soon(self._vanish)

    def notify(self, data: bytes) -> None:
        """The receiver sends; lost unless a client has subscribed."""
        self._soon(lambda: self._notify(data))

    def _soon(self, what: Callable[[], None]) -> None:
        assert self._loop
        self._loop.call_soon_threadsafe(what)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._bus = await MessageBus(bus_address=self.address).connect()
        self._objects[ADAPTER] = {
            "org.bluez.Adapter1": {
                "Address": Variant("s", "00:11:22:33:44:55"),
                "Powered": Variant("b", True),
                "Discovering": Variant("b", False),
                "Roles": Variant("as", ["central"]),
            }
        }
        self._bus.add_message_handler(self._answer)
        await self._bus.request_name("org.bluez")
        self._ready.set()
        while not self._stop.is_set():
            if self._scanning and DEVICE in self._objects:
                self._change(DEVICE, "org.bluez.Device1", RSSI=Variant("n", -60))
            await asyncio.sleep(ADVERTISE_S)
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()

    def _answer(self, call: Message) -> Message | bool:
        if call.message_type is not MessageType.METHOD_CALL:
            return False
        self.calls.append(call.member)
        if call.member == "GetManagedObjects":
            return Message.new_method_return(call, "a{oa{sa{sv}}}", [self._objects])
        if call.path not in self._objects:
            gone = "org.freedesktop.DBus.Error.UnknownObject"
            return Message.new_error(call, gone, f"no {call.path}")
        acts: dict[str, Callable[[], None]] = {
            "StartDiscovery": lambda: self._scan(True),
            "StopDiscovery": lambda: self._scan(False),
            "Connect": self._connect,
            "Disconnect": self._disconnect,
            "StartNotify": lambda: self._subscribe(True),
            "StopNotify": lambda: self._subscribe(False),
        }
        acts.get(call.member, lambda: None)()
        return Message.new_method_return(call)

    def _scan(self, on: bool) -> None:  # noqa: FBT001
        self._scanning = on

    def _appear(self) -> None:
        self._add(
            DEVICE,
            "org.bluez.Device1",
            Address=Variant("s", MAC),
            AddressType=Variant("s", "random"),
            Name=Variant("s", NAME),
            Alias=Variant("s", NAME),
            Adapter=Variant("o", ADAPTER),
            UUIDs=Variant("as", [self._profile[0]]),
            Paired=Variant("b", False),
            Connected=Variant("b", False),
            ServicesResolved=Variant("b", False),
            RSSI=Variant("n", -60),
        )

    def _connect(self) -> None:
        service, characteristic = f"{DEVICE}/service0010", f"{DEVICE}/service0010/char0011"
        self._change(DEVICE, "org.bluez.Device1", Connected=Variant("b", True))
        self._add(
            service,
            "org.bluez.GattService1",
            UUID=Variant("s", self._profile[0]),
            Device=Variant("o", DEVICE),
            Primary=Variant("b", True),
            Includes=Variant("ao", []),
        )
        self._add(
            characteristic,
            "org.bluez.GattCharacteristic1",
            UUID=Variant("s", self._profile[1]),
            Service=Variant("o", service),
            Flags=Variant("as", ["notify"]),
            Notifying=Variant("b", False),
            MTU=Variant("q", 247),
        )
        self._change(DEVICE, "org.bluez.Device1", ServicesResolved=Variant("b", True))

    def _disconnect(self) -> None:
        for path in [p for p in self._objects if p.startswith(f"{DEVICE}/")]:
            self._remove(path)
        down = Variant("b", False)
        self._change(DEVICE, "org.bluez.Device1", Connected=down, ServicesResolved=down)

    def _vanish(self) -> None:
        if DEVICE in self._objects:
            self._disconnect()
            self._remove(DEVICE)

    def _subscribe(self, on: bool) -> None:  # noqa: FBT001
        path = f"{DEVICE}/service0010/char0011"
        self._change(path, "org.bluez.GattCharacteristic1", Notifying=Variant("b", on))

    def _notify(self, data: bytes) -> None:
        path, interface = f"{DEVICE}/service0010/char0011", "org.bluez.GattCharacteristic1"
        if path in self._objects and self._objects[path][interface]["Notifying"].value:
            self._change(path, interface, Value=Variant("ay", data))

    def _add(self, path: str, interface: str, **properties: Variant) -> None:
        self._objects[path] = {interface: properties}
        manager = "org.freedesktop.DBus.ObjectManager"
        self._signal("/", manager, "InterfacesAdded", "oa{sa{sv}}", [path, self._objects[path]])

    def _remove(self, path: str) -> None:
        interfaces = list(self._objects.pop(path))
        manager = "org.freedesktop.DBus.ObjectManager"
        self._signal("/", manager, "InterfacesRemoved", "oas", [path, interfaces])

    def _change(self, path: str, interface: str, **properties: Variant) -> None:
        self._objects[path][interface].update(properties)
        changed = "org.freedesktop.DBus.Properties"
        body = [interface, properties, []]
        self._signal(path, changed, "PropertiesChanged", "sa{sv}as", body)

    def _signal(self, path: str, interface: str, member: str, form: str, body: list[Any]) -> None:
        self._bus.send(Message.new_signal(path, interface, member, form, body))

    def __enter__(self) -> Self:
        daemon = program("dbus-daemon", "dbus")
        self._daemon = subprocess.Popen(
            [daemon, f"--config-file={self._folder / 'bus.conf'}", "--nofork", "--nopidfile"]
        )
        deadline = time.monotonic() + 30
        while not (self._folder / "bus").exists():
            assert self._daemon.poll() is None, "dbus-daemon has ended"
            assert time.monotonic() < deadline, "dbus-daemon does not listen"
            time.sleep(0.02)
        self._thread.start()
        assert self._ready.wait(30), "the stand-in for BlueZ did not get on its bus"
        return self

    def __exit__(self, *_: object) -> None:
        self._soon(self._stop.set)
        self._thread.join(10)
        self._daemon.terminate()
        self._daemon.wait(10)
