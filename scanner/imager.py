"""What Raspberry Pi Imager writes on a boot partition, read and never run.

Its customisation comes in one of three forms: ``user-data`` and ``network-config`` (cloud-init;
Imager 1.x and 2.x where the list of images says so), ``firstrun.sh`` (a script; Imager 1.x with a
file from one's own disk), ``custom.toml`` (written by other tools for Raspberry Pi OS). Known are
the shapes that rpi-imager's ``customization_generator.cpp`` writes; anything else is refused.

Of all wishes one is fulfilled: a wireless network. Each of the others has its reason here.
"""

import hashlib
import re
import shlex
import tomllib
from collections.abc import Mapping
from typing import Final

import msgspec

from scanner.errors import UsageError

NETWORK, USER, SCRIPT, TOML, META = (
    "network-config", "user-data", "firstrun.sh", "custom.toml", "meta-data",
)  # fmt: skip
FILES: Final = (NETWORK, USER, SCRIPT, TOML, META)
CONF: Final = "wifi.conf"  # beside scanner.toml: what wpa_supplicant reads

LOGIN: Final = "user and password"
SSH: Final = "ssh"
REASONS: Final[Mapping[str, str]] = {
    LOGIN: "nobody can log in to this device, so it has no users and no passwords",
    SSH: "there is no ssh in this system; what it says is read with the card in a computer",
    "host name": "it tells no network a name, so that nobody can follow it by one",
    "time zone": "it counts in UTC, and records hold a day at most",
    "keyboard": "it has none",
    "Raspberry Pi Connect": "nobody reaches this device from outside",
    "interfaces": "they are set in config.txt",
    "packages and commands": "its system is read-only and signed: nothing is added to it",
}
# Wishes after whose refusal the device is not what its person expects.
GRAVE: Final = frozenset({LOGIN, SSH, "Raspberry Pi Connect"})
_KEYS: Final = {  # of user-data, as Imager writes them
    "hostname": "host name", "manage_etc_hosts": "host name",
    # These two come along with a host name, unasked.
    "packages": "", "apt": "", "timezone": "time zone", "keyboard": "keyboard",
    "enable_ssh": SSH, "ssh_pwauth": SSH, "users": LOGIN, "user": LOGIN,
    "rpi": "interfaces", "runcmd": "packages and commands",
}  # fmt: skip
_SCRIPT: Final = {
    "set_hostname": "host name", "enable_ssh": SSH, "set_keymap": "keyboard",
    "set_timezone": "time zone",
}  # fmt: skip
_TABLES: Final = {
    "system": "host name", "user": LOGIN, "ssh": SSH, "locale": "time zone",
}  # fmt: skip
_AVAHI: Final = "avahi-daemon"
_LINE: Final = re.compile(r'^(?P<indent> *)(?P<key>"(?:[^"\\]|\\.)*"|[\w-]+):(?: (?P<value>.*))?$')
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
LONGEST: Final = 65_536  # characters of a file
LONGEST_LINE: Final = 2_000  # reading dotted keys takes time and memory with their square
_SSID_BYTES: Final = 32
_PASSPHRASE: Final = range(8, 64)


class Wifi(msgspec.Struct, frozen=True):
    """A wireless network; ``key`` is 64 hexadecimal digits, a passphrase, or empty if open."""

    ssid: str
    key: str
    hidden: bool = False
    country: str = ""


class Wishes(msgspec.Struct, frozen=True):
    """What was set in Imager."""

    wifi: Wifi | None = None
    others: frozenset[str] = frozenset()  # keys of REASONS


def wishes(files: Mapping[str, str]) -> Wishes:
    """Of all files together; raises UsageError naming the file that is not as Imager writes it."""
    found: list[Wishes] = []
    for name, text in files.items():
        if len(text) > LONGEST or max(map(len, text.splitlines()), default=0) > LONGEST_LINE:
            raise UsageError(f"{name}: longer than Raspberry Pi Imager writes it")
    if NETWORK in files:
        found.append(Wishes(_network(files[NETWORK])))
    if USER in files:
        found.append(Wishes(others=_user(files[USER])))
    if SCRIPT in files:
        found.append(_script(files[SCRIPT]))
    if TOML in files:
        found.append(_toml(files[TOML]))
    others = frozenset[str]().union(*(one.others for one in found))
    return Wishes(next((one.wifi for one in found if one.wifi), None), others)


def _strange(name: str, line: str) -> UsageError:
    return UsageError(
        f"{name}: not as Raspberry Pi Imager writes it, at {line.strip()[:40]!r}",
        hint="write the card anew, or remove the file",
    )


def _network(text: str) -> Wifi | None:
    """Netplan's version 2: the first access point of the first radio."""
    said: dict[str, str] = {}
    point = ""
    points_at = -1
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if not match:
            raise _strange(NETWORK, line)
        indent, key, value = len(match["indent"]), match["key"], match["value"] or ""
        if 0 <= points_at < indent and not point:
            if not key.startswith('"') or value:
                raise _strange(NETWORK, line)
            point = _unquoted(key)
        elif key == "access-points":
            points_at = indent
        elif key in ("password", "hidden", "regulatory-domain"):
            said.setdefault(key, _unquoted(value))
    if not point:
        return None
    return _wifi(
        NETWORK,
        Wifi(point, said.get("password", ""), said.get("hidden") == "true",
             said.get("regulatory-domain", "")),
    )  # fmt: skip


def _unquoted(value: str) -> str:
    """As Imager quotes: in double quotes, of which only itself is escaped, or bare."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"')
    return value


def _user(text: str) -> frozenset[str]:
    """cloud-config: its keys say what was set; what they hold is not looked at."""
    found = set()
    for line in text.splitlines():
        if not line.strip() or line[0] in " #-":
            if line.startswith("- ") and not line.startswith(("- name:", f"- {_AVAHI}")):
                found.add("packages and commands")
            elif "ssh_authorized_keys" in line:
                found.add(SSH)
            elif "rpi-connect" in line:
                found.add("Raspberry Pi Connect")
            continue
        match = _LINE.match(line)
        if not match:
            raise _strange(USER, line)
        found.add(_KEYS.get(match["key"], "packages and commands"))
    if "Raspberry Pi Connect" in found:
        found.discard("packages and commands")
    return frozenset(found - {""})


def _script(text: str) -> Wishes:
    """Calls of Raspberry Pi OS's own helpers; what stands between them is for other systems."""
    if not text.startswith("#!"):
        raise _strange(SCRIPT, text.partition("\n")[0])
    wifi, found = None, set()
    for line in text.splitlines():
        command = line.strip()
        if "com.raspberrypi.connect" in command:
            found.add("Raspberry Pi Connect")
        if not re.match(r"/usr/lib/(?:raspberrypi-sys-mods/imager_custom|userconf-pi/userconf) ",
                        command):  # fmt: skip
            continue
        try:
            program, *words = shlex.split(command)
        except ValueError as e:
            raise _strange(SCRIPT, line) from e
        if program.endswith("userconf"):
            found.add(LOGIN)
        elif words[:1] == ["set_wlan"]:
            hidden = words[1:2] == ["-h"]
            values = words[2 if hidden else 1 :]
            if len(values) not in (2, 3):
                raise _strange(SCRIPT, "set_wlan")
            wifi = _wifi(SCRIPT, Wifi(values[0], values[1], hidden, "".join(values[2:])))
        elif words:
            found.add(_SCRIPT.get(words[0], "packages and commands"))
    return Wishes(wifi, frozenset(found))


class _Wlan(msgspec.Struct):
    ssid: str
    password: str = ""
    password_encrypted: bool = False
    hidden: bool = False
    country: str = ""


def _toml(text: str) -> Wishes:
    try:
        tables = tomllib.loads(text)
        wlan = msgspec.convert(tables["wlan"], _Wlan) if "wlan" in tables else None
    except (ValueError, RecursionError) as e:  # of a number with thousands of digits, too
        raise UsageError(f"{TOML}: {e}") from e
    known = {"wlan", "config_version"}
    found = {_TABLES.get(name, "packages and commands") for name in tables if name not in known}
    wifi = _wifi(TOML, Wifi(wlan.ssid, wlan.password, wlan.hidden, wlan.country)) if wlan else None
    return Wishes(wifi, frozenset(found))


def _wifi(name: str, wifi: Wifi) -> Wifi:
    """As given, if it can be joined; raises UsageError, which never repeats the key."""
    if not 0 < len(wifi.ssid.encode()) <= _SSID_BYTES:
        raise UsageError(f"{name}: a network's name has 1 to {_SSID_BYTES} bytes")
    if wifi.key and not _HEX.fullmatch(wifi.key) and len(wifi.key) not in _PASSPHRASE:
        raise UsageError(f"{name}: the password of the wireless network has not 8 to 63 characters")
    if wifi.country and not _COUNTRY.fullmatch(wifi.country.upper()):
        raise UsageError(f"{name}: {wifi.country!r} is no country: two letters")
    return wifi


def supplicant(wifi: Wifi) -> str:
    """wpa_supplicant's file: name and key as hexadecimal digits, so that nothing needs quoting.

    The key is PBKDF2 of IEEE 802.11-2020, annex J.4. Another address at every start.
    """
    lines = ["ctrl_interface=", "mac_addr=1", "preassoc_mac_addr=1"]
    if wifi.country:
        lines.append(f"country={wifi.country.upper()}")
    name = wifi.ssid.encode()
    lines += ["network={", f"\tssid={name.hex()}"]
    if wifi.hidden:
        lines.append("\tscan_ssid=1")
    if wifi.key:
        key = wifi.key.lower()
        if not _HEX.fullmatch(key):
            key = hashlib.pbkdf2_hmac("sha1", wifi.key.encode(), name, 4096, 32).hex()
        lines += ["\tkey_mgmt=WPA-PSK SAE", f"\tpsk={key}", "\tieee80211w=1"]
    else:
        lines.append("\tkey_mgmt=NONE")
    return "\n".join([*lines, "}", ""])
