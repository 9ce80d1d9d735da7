"""A BlueZ with one receiver in reach, on a D-Bus daemon of its own.

Its objects and signals are those that bluetoothd shows for a GATT client; beneath them there is no
radio. ``address`` goes into DBUS_SYSTEM_BUS_ADDRESS, where real bleak finds it.
"""

import asyncio
import socket
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

    ``profile``: UUIDs of its service and of the characteristic that notifies. ``monitors``: whether
    it is new enough for advertisement monitors; ``advertise`` then lets a device be heard.
    """

    def __init__(
        self, folder: Path, profile: tuple[str, str] = NORDIC, *, monitors: bool = True
    ) -> None:
        self.monitors = monitors
        self.address = f"unix:path={folder / 'bus'}"
        (folder / "bus.conf").write_text(BUS.format(path=folder / "bus"))
        self._folder = folder
        self._profile = profile
        self._objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self._scanning = False
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.calls: list[str] = []
        self._monitors: dict[str, str] = {}  # path of a client's monitor: the client
        self._patterns: dict[str, list[Any]] = {}
        self.named: list[str] = []  # devices that a monitor was called for

    def restart(self) -> None:
        """It crashes and is started again: the bus goes on, nobody is told, monitors are gone."""
        self._soon(self._stop.set)
        self._thread.join(10)
        self._stop.clear()
        self._ready.clear()
        for remembered in (self._objects, self._monitors, self._patterns):
            remembered.clear()
        self._begin()

    def appear(self) -> None:
        """The receiver is switched on."""
        self._soon(self._appear)

    def vanish(self) -> None:
        """It is switched off or out of reach."""
        self._soon(self._vanish)

    def notify(self, data: bytes) -> None:
        """The receiver sends; lost unless a client has subscribed."""
        self._soon(lambda: self._notify(data))

    def advertise(self, address: str, *parts: tuple[int, bytes], kind: str = "public") -> None:
        """A device sends these parts (type, content), once, as bluetoothd would take them in."""
        self._soon(lambda: self._advertised(address, parts, kind))

    @property
    def monitored(self) -> bool:
        """Whether a client's advertisement monitor is active."""
        return bool(self._patterns)

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
        rule = "type='signal',member='InterfacesAdded'"
        await self._bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=[rule],
            )
        )
        await self._bus.request_name("org.bluez")
        self._ready.set()
        while not self._stop.is_set():
            if self._scanning and DEVICE in self._objects:
                self._change(DEVICE, "org.bluez.Device1", RSSI=Variant("n", -60))
            await asyncio.sleep(ADVERTISE_S)
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()

    def _answer(self, call: Message) -> Message | bool:
        if call.message_type is MessageType.SIGNAL and call.path in self._monitors:
            self._activate(call)
        if call.message_type is not MessageType.METHOD_CALL:
            return False
        self.calls.append(call.member)
        if call.member == "GetManagedObjects":
            return Message.new_method_return(call, "a{oa{sa{sv}}}", [self._objects])
        if call.path not in self._objects:
            gone = "org.freedesktop.DBus.Error.UnknownObject"
            return Message.new_error(call, gone, f"no {call.path}")
        if call.member == "GetAll":
            return Message.new_method_return(
                call, "a{sv}", [self._objects[call.path][call.body[0]]]
            )
        if call.interface == "org.bluez.AdvertisementMonitorManager1" and not self.monitors:
            unknown = "org.freedesktop.DBus.Error.UnknownMethod"
            return Message.new_error(call, unknown, "no monitors")
        acts: dict[str, Callable[[], None]] = {
            "RegisterMonitor": lambda: self._monitors.update({call.body[0]: call.sender or ""}),
            "UnregisterMonitor": lambda: self._unregister(call.body[0]),
            "StartDiscovery": lambda: self._scan(True),
            "StopDiscovery": lambda: self._scan(False),
            "Connect": self._connect,
            "Disconnect": self._disconnect,
            "StartNotify": lambda: self._subscribe(True),
            "StopNotify": lambda: self._subscribe(False),
        }
        acts.get(call.member, lambda: None)()
        return Message.new_method_return(call)

    def _activate(self, added: Message) -> None:
        """A monitor has appeared: its patterns are looked for from now on."""
        path, interfaces = added.body
        properties = interfaces["org.bluez.AdvertisementMonitor1"]
        assert properties["Type"].value == "or_patterns"
        self._patterns[path] = properties["Patterns"].value
        self._call_monitor(path, "Activate", "", [])

    def _unregister(self, path: str) -> None:
        self._monitors.pop(path, None)
        self._patterns.pop(path, None)

    def _call_monitor(self, path: str, member: str, form: str, body: list[Any]) -> None:
        self._bus.send(
            Message(
                destination=self._monitors[path], path=path, member=member, signature=form,
                interface="org.bluez.AdvertisementMonitor1", body=body,
            )
        )  # fmt: skip

    def _advertised(self, address: str, parts: tuple[tuple[int, bytes], ...], kind: str) -> None:
        path = f"{ADAPTER}/dev_{address.replace(':', '_')}"
        names = [content.decode() for type_, content in parts if type_ in (8, 9)]
        makers = {
            int.from_bytes(content[:2], "little"): Variant("ay", content[2:])
            for type_, content in parts
            if type_ == 0xFF
        }
        uuids = [
            f"0000{int.from_bytes(content[at : at + 2], 'little'):04x}-0000-1000-8000-00805f9b34fb"
            for type_, content in parts
            if type_ in (2, 3)
            for at in range(0, len(content), 2)
        ]
        self._add(
            path,
            "org.bluez.Device1",
            Address=Variant("s", address),
            AddressType=Variant("s", kind),
            Adapter=Variant("o", ADAPTER),
            Alias=Variant("s", names[0] if names else address.replace(":", "-")),
            UUIDs=Variant("as", uuids),
            **({"Name": Variant("s", names[0])} if names else {}),
            **({"ManufacturerData": Variant("a{qv}", makers)} if makers else {}),
        )
        for monitor, wanted in self._patterns.items():
            if any(
                type_ == kind_ and content[at:].startswith(bytes(start))
                for at, kind_, start in wanted
                for type_, content in parts
            ):
                self.named.append(address)
                self._call_monitor(monitor, "DeviceFound", "o", [path])

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
        while not listens(self._folder / "bus"):
            assert self._daemon.poll() is None, "dbus-daemon has ended"
            assert time.monotonic() < deadline, "dbus-daemon does not listen"
            time.sleep(0.02)
        self._begin()
        return self

    def _begin(self) -> None:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(30), "the stand-in for BlueZ did not get on its bus"

    def __exit__(self, *_: object) -> None:
        self._soon(self._stop.set)
        self._thread.join(10)
        self._daemon.terminate()
        self._daemon.wait(10)


def listens(path: Path) -> bool:
    """Whether somebody takes connections there: the name of a socket appears before that."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as there:
        return there.connect_ex(str(path)) == 0
