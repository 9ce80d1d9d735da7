"""Bluetooth hints: BlueZ is asked to call when a device with a published signature advertises.

BlueZ's advertisement monitor listens passively (nothing is sent) and calls for matching data only,
so nobody else's device is ever named to this process. It is spoken to through dbus-fast, which
comes with bleak, and not through bleak: bleak keeps the properties of every device that BlueZ
knows for as long as it runs. Here one device is looked at, judged and dropped; what stays is that
a hint was heard, and when.

Interfaces: org.bluez.AdvertisementMonitorManager1, org.bluez.AdvertisementMonitor1 (BlueZ 5.56 and
later, with ``--experimental``: ``systemd/bluetooth.service.d``). Advertising data types: Bluetooth
SIG, Assigned Numbers 2.3.
"""

import asyncio
import contextlib
import importlib
import os
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from scanner.core.hints import Advertisement, Signature, match
from scanner.errors import DeviceError, from_checkout
from scanner.hardware.live import CLOSE_S, POLL_S, boot_ns

ADAPTER: Final = "/org/bluez/hci0"
MANAGER: Final = "org.bluez.AdvertisementMonitorManager1"
MONITOR: Final = "org.bluez.AdvertisementMonitor1"
OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
BLUEZ: Final = "org.bluez"
BUS: Final = "org.freedesktop.DBus"
# A BlueZ that has crashed says no Release, and a new one knows nothing of our monitor.
OWNERS: Final = f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{BLUEZ}'"
LISTENING: Final = "listening"
SERVICES_16: Final = (0x02, 0x03)  # incomplete and complete list
NAMES: Final = (0x08, 0x09)  # shortened and complete
MAKER_DATA: Final = 0xFF
UUID_PLACES: Final = (0, 2, 4)  # offsets in the list of services
AGAIN_S: Final = 10.0
ANSWER_S: Final = 10.0
KEPT: Final = 32
BASE_UUID: Final = "-0000-1000-8000-00805f9b34fb"

Pattern = tuple[int, int, bytes]  # offset, type, content


def patterns(signatures: Iterable[Signature]) -> list[Pattern]:
    """What BlueZ is to call for: any signal of any signature that it can look for."""
    found: set[Pattern] = set()
    for signature in signatures:
        for name in (*signature.names, *signature.name_starts):
            found |= {(0, kind, name.encode()) for kind in NAMES}
        for company in signature.companies:
            found.add((0, MAKER_DATA, int(company, 16).to_bytes(2, "little")))
        for service in signature.services:
            content = int(service, 16).to_bytes(2, "little")
            found |= {(at, kind, content) for kind in SERVICES_16 for at in UUID_PLACES}
    return sorted(found)


def advertisement(properties: Mapping[str, Any]) -> Advertisement:
    """What BlueZ tells of a device, org.bluez.Device1, as far as it is judged."""

    def of(name: str, default: Any) -> Any:
        return properties[name].value if name in properties else default

    services = {
        int(uuid[4:8], 16)
        for uuid in of("UUIDs", [])
        if uuid.startswith("0000") and uuid.lower().endswith(BASE_UUID)
    }
    return Advertisement(
        address=of("Address", ""),
        public=of("AddressType", "") == "public",
        name=of("Name", ""),
        companies=frozenset(of("ManufacturerData", {})),
        services=frozenset(services),
    )


class Beacons:
    """Listens for signatures until closed; Bluetooth may come late, go away and come back.

    Raises DeviceError when dbus-fast is not installed.
    """

    def __init__(self, signatures: Iterable[Signature]) -> None:
        self._signatures = tuple(signatures)
        try:
            self._dbus: Any = importlib.import_module("dbus_fast")
            self._errors: Any = importlib.import_module("dbus_fast.errors")
            self._aio: Any = importlib.import_module("dbus_fast.aio")
        except ModuleNotFoundError as e:
            raise DeviceError("Bluetooth hints need bleak", hint=from_checkout("pi")) from e
        self._heard: deque[int] = deque(maxlen=KEPT)
        self._looking: set[asyncio.Task[None]] = set()
        self._state = "not there yet"
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
        self._thread.start()

    @property
    def state(self) -> str:
        """One line for people."""
        return f"Bluetooth hints: {self._state}"

    def take(self) -> list[int]:
        """When hints were heard since the last call, on the boot clock."""
        heard = []
        while self._heard:
            heard.append(self._heard.popleft())
        return heard

    def close(self) -> None:
        """Stop listening; may be called twice."""
        self._closed.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                asyncio.run(self._session())
            except (OSError, EOFError, self._errors.DBusFastError) as e:
                self._state = str(e) or type(e).__name__
            self._closed.wait(AGAIN_S)
        self._state = "closed"

    async def _session(self) -> None:
        """Register and listen until closed or until BlueZ goes; raises what dbus-fast raises."""
        bus = await self._aio.MessageBus(bus_type=self._dbus.BusType.SYSTEM).connect()
        path = f"/scanner/hints/{os.getpid()}"
        bus.add_message_handler(lambda call: self._answer(bus, path, call))
        try:
            await self._call(bus, "/org/freedesktop/DBus", f"{BUS}.AddMatch", "s", OWNERS, to=BUS)
            await self._call(bus, ADAPTER, f"{MANAGER}.RegisterMonitor", "o", path)
            # After registering: BlueZ takes notice of a monitor when it appears.
            bus.send(
                self._dbus.Message.new_signal(
                    path, OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, {MONITOR: self._told()}]
                )
            )
            self._state = LISTENING
            while not self._closed.is_set():
                await asyncio.sleep(POLL_S)
                if not bus.connected:
                    raise ConnectionError("BlueZ or the message bus hung up")
            with contextlib.suppress(OSError, self._errors.DBusFastError):
                await self._call(bus, ADAPTER, f"{MANAGER}.UnregisterMonitor", "o", path)
        finally:
            bus.disconnect()

    def _told(self) -> dict[str, Any]:
        """Properties of our monitor."""
        wanted = [list(pattern) for pattern in patterns(self._signatures)]
        return {
            "Type": self._dbus.Variant("s", "or_patterns"),
            "Patterns": self._dbus.Variant("a(yyay)", wanted),
        }

    def _answer(self, bus: Any, path: str, call: Any) -> Any:
        """What BlueZ calls our monitor for; False: not for us."""
        message = self._dbus.Message
        if (call.sender, call.member) == (BUS, "NameOwnerChanged"):
            name, before, _ = call.body
            if name == BLUEZ and before:
                bus.disconnect()
            return False
        if call.message_type is not self._dbus.MessageType.METHOD_CALL or call.path != path:
            return False
        if (call.interface, call.member) == (OBJECTS, "GetManagedObjects"):
            return message.new_method_return(call, "a{oa{sa{sv}}}", [{}])
        if (call.interface, call.member) == (PROPERTIES, "GetAll"):
            return message.new_method_return(call, "a{sv}", [self._told()])
        if call.interface != MONITOR:
            return False
        if call.member == "DeviceFound":
            task = asyncio.get_running_loop().create_task(self._look(bus, call.body[0]))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)
        if call.member == "Release":
            bus.disconnect()
        return message.new_method_return(call)

    async def _look(self, bus: Any, path: str) -> None:
        """Look at one device, once; only that a hint was heard is kept."""
        with contextlib.suppress(OSError, EOFError, self._errors.DBusFastError):
            properties = await self._call(
                bus, path, f"{PROPERTIES}.GetAll", "s", "org.bluez.Device1"
            )
            if match(self._signatures, advertisement(properties)):
                self._heard.append(boot_ns())

    async def _call(
        self, bus: Any, path: str, method: str, form: str, argument: str, *, to: str = BLUEZ
    ) -> Any:
        """The answer; raises ConnectionError for an error, TimeoutError for none."""
        interface, _, member = method.rpartition(".")
        message = self._dbus.Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature=form,
            body=[argument],
        )
        reply = await asyncio.wait_for(bus.call(message), ANSWER_S)
        if reply.message_type is self._dbus.MessageType.ERROR:
            error = reply.error_name.rpartition(".")[2]
            if error in ("UnknownMethod", "UnknownInterface"):
                raise ConnectionError("this BlueZ has no advertisement monitor: 5.56 or later has")
            raise ConnectionError(f"{member}: {error}")
        return reply.body[0] if reply.body else None
