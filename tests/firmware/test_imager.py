"""What Raspberry Pi Imager writes is read, done or refused with its reason, and never run.

The files are those of rpi-imager 2's customization_generator.cpp and of Imager 1.8's page of
options, byte for byte but for names and keys.
"""

import hashlib
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.layering import FOLDER
from scanner import imager
from scanner.cli import main
from scanner.errors import UsageError
from scanner.imager import Wifi, supplicant, wishes

KEY = "1b6c3f1a2e5d8c7b9a0f1e2d3c4b5a69788766554433221100ffeeddccbbaa99"
SECOND_NETWORK = f"""\
network:
  version: 2
  wifis:
    wlan0:
      dhcp4: true
      regulatory-domain: "DE"
      access-points:
        "Street 5":
          hidden: true
          password: "{KEY}"
      optional: true
"""
FIRST_NETWORK = f"""\
version: 2
wifis:
  renderer: networkd
  wlan0:
    dhcp4: true
    optional: true
    access-points:
      "Street 5":
        password: "{KEY}"
"""
OPEN_NETWORK = SECOND_NETWORK.replace(KEY, "").replace("          hidden: true\n", "")
QUOTED_NETWORK = SECOND_NETWORK.replace("Street 5", 'The \\"Café\\": 5')
USER = """\
#cloud-config
hostname: here
manage_etc_hosts: true
packages:
- avahi-daemon
apt:
  conf: |
    Acquire {
      Check-Date "false";
    };
timezone: Europe/Berlin
keyboard:
  model: pc105
  layout: "de"
enable_ssh: true
users:
- name: somebody
  groups: users,adm,dialout,audio,netdev,video,plugdev,cdrom,games,input,gpio,spi,i2c,render,sudo
  shell: /bin/bash
  lock_passwd: false
  passwd: $5$aaaaaaaa$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
  ssh_authorized_keys:
    - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI somebody@there
  sudo: ALL=(ALL) NOPASSWD:ALL
ssh_pwauth: true
rpi:
  interfaces:
    i2c: true
"""
PLAIN_USER = "#cloud-config\ntimezone: Europe/Berlin\nkeyboard:\n  model: pc105\n"
CONNECT_USER = """\
#cloud-config
runcmd:
  - [ sh, -c, "install -o pi -m 700 -d /home/pi/.config/com.raspberrypi.connect" ]
  - [ sh, -c, "ln -sf /usr/lib/systemd/user/rpi-connect.service /home/pi/.config/systemd/user" ]
"""
CALL = "/usr/lib/raspberrypi-sys-mods/imager_custom"
SCRIPT = f"""\
#!/bin/sh

set +e

CURRENT_HOSTNAME=$(cat /etc/hostname | tr -d " \\t\\n\\r")
if [ -f {CALL} ]; then
   {CALL} set_hostname here
else
   echo here >/etc/hostname
   sed -i "s/127.0.1.1.*$CURRENT_HOSTNAME/127.0.1.1\\there/g" /etc/hosts
fi
FIRSTUSER=$(getent passwd 1000 | cut -d: -f1)
FIRSTUSERHOME=$(getent passwd 1000 | cut -d: -f6)
if [ -f {CALL} ]; then
   {CALL} enable_ssh -k 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI somebody@there'
else
   systemctl enable ssh
fi
if [ -f /usr/lib/userconf-pi/userconf ]; then
   /usr/lib/userconf-pi/userconf 'somebody' '$5$aaaaaaaa$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'
else
   echo "$FIRSTUSER:"'$5$aaaaaaaa$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb' | chpasswd -e
fi
if [ -f {CALL} ]; then
   {CALL} set_wlan  -h 'Street 5' '{KEY}' 'DE'
else
cat >/etc/wpa_supplicant/wpa_supplicant.conf <<'WPAEOF'
country=DE
network={{
\tssid="Street 5"
\tpsk={KEY}
}}
WPAEOF
fi
if [ -f {CALL} ]; then
   {CALL} set_keymap 'de'
   {CALL} set_timezone 'Europe/Berlin'
else
   rm -f /etc/localtime
fi
rm -f /boot/firstrun.sh
sed -i 's| systemd.run.*||g' /boot/cmdline.txt
exit 0
"""
TOML = f"""\
config_version = 1
[system]
hostname = "here"
[user]
name = "somebody"
password = "secret"
[ssh]
enabled = true
[wlan]
ssid = "Street 5"
password = "{KEY}"
password_encrypted = true
hidden = true
country = "DE"
[locale]
keymap = "de"
"""
WANTED = Wifi("Street 5", KEY, hidden=True, country="DE")
EVERYTHING = {"host name", "user and password", "ssh", "time zone", "keyboard"}


@pytest.mark.parametrize(
    ("name", "text", "wifi", "others"),
    [
        ("network-config", SECOND_NETWORK, WANTED, set()),
        ("network-config", FIRST_NETWORK, Wifi("Street 5", KEY), set()),
        ("network-config", OPEN_NETWORK, Wifi("Street 5", "", country="DE"), set()),
        ("network-config", QUOTED_NETWORK,
         Wifi('The "Café": 5', KEY, hidden=True, country="DE"), set()),
        ("network-config", "", None, set()),
        ("network-config", "version: 2\nwifis:\n  renderer: networkd\n", None, set()),
        ("user-data", USER, None, EVERYTHING | {"interfaces"}),
        ("user-data", PLAIN_USER, None, {"time zone", "keyboard"}),
        ("user-data", CONNECT_USER, None, {"Raspberry Pi Connect"}),
        ("user-data", "#cloud-config\n", None, set()),
        ("user-data", "#cloud-config\nruncmd:\n- [ rm, -rf, / ]\n", None,
         {"packages and commands"}),
        ("user-data", "#cloud-config\nwrite_files:\n", None, {"packages and commands"}),
        ("firstrun.sh", SCRIPT, WANTED, EVERYTHING),
        ("custom.toml", TOML, WANTED, EVERYTHING - {"keyboard"}),
        ("meta-data", "instance-id: rpi-imager-1787532598498\n", None, set()),
    ],
)  # fmt: skip
def test_what_was_set_is_found(name: str, text: str, wifi: Wifi | None, others: set[str]) -> None:
    found = wishes({name: text})
    assert found.wifi == wifi
    assert found.others == others
    assert others <= set(imager.REASONS)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("network-config", "\0\0\0\0", "not as Raspberry Pi Imager writes it"),
        ("network-config", SECOND_NETWORK.replace('"Street 5":', "- Street 5"), "not as"),
        ("network-config", SECOND_NETWORK.replace("Street 5", "x" * 33), "1 to 32 bytes"),
        ("network-config", SECOND_NETWORK.replace(KEY, "short"), "8 to 63 characters"),
        ("network-config", SECOND_NETWORK.replace("DE", "Germany"), "no country"),
        ("user-data", "#cloud-config\n<html>\n", "not as"),
        ("firstrun.sh", "hello", "not as"),
        ("firstrun.sh", SCRIPT.replace(f"'{KEY}' 'DE'", "'"), "not as"),
        ("firstrun.sh", SCRIPT.replace(f"'{KEY}' 'DE'", ""), "not as"),
        ("custom.toml", "[wlan\n", "custom.toml"),
        ("custom.toml", "[wlan]\nssid = 5\n", "custom.toml"),
    ],
)
def test_what_is_not_as_imager_writes_it_is_told(name: str, text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"{name}.*{reason}|{reason}.*{name}|{reason}") as told:
        wishes({name: text})
    assert name in str(told.value)
    assert KEY not in str(told.value)


PIECES = st.sampled_from(
    [*"\n\n:: \"'#-[]{}", "network:", "access-points:", '"a":', "password: ", "hidden: true",
     "#!/bin/sh\n", f"{CALL} set_wlan ", f"{CALL} ", "'x' ", "[wlan]\n", "ssid = ", "ü", "\0"]
)  # fmt: skip


@given(st.sampled_from(imager.FILES), st.lists(PIECES | st.text(max_size=4)).map("".join))
def test_whatever_lies_there_is_read_or_refused(name: str, text: str) -> None:
    told = ""
    try:
        others = wishes({name: text}).others
    except UsageError as e:
        others, told = frozenset(), str(e)
    assert others <= set(imager.REASONS)
    assert told == "" or told.startswith(name)


def test_a_key_is_the_one_that_wpa_passphrase_makes() -> None:
    # IEEE 802.11-2020, J.4.2: the first of its test vectors.
    text = supplicant(Wifi("IEEE", "password"))
    assert "psk=f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e" in text


@pytest.mark.parametrize("ssid", ["plain", 'a"b', "a\nnetwork={", "ü" * 16, "\\x41", "#"])
def test_no_name_of_a_network_can_say_anything_else_to_wpa_supplicant(ssid: str) -> None:
    lines = supplicant(Wifi(ssid, "a passphrase\n}", hidden=True, country="de")).splitlines()
    values = dict(line.strip().split("=", 1) for line in lines if "=" in line)
    assert bytes.fromhex(values["ssid"]).decode() == ssid
    assert re.fullmatch(r"[0-9a-f]{64}", values["psk"])
    assert (values["scan_ssid"], values["country"], values["mac_addr"]) == ("1", "DE", "1")
    assert lines.count("network={") == lines.count("}") == 1


def test_an_open_network_is_joined_without_a_key() -> None:
    assert "key_mgmt=NONE" in supplicant(Wifi("open", ""))


CONFIG = "os_prefix=a/\n# ours\ndtoverlay=disable-bt\ndtoverlay=disable-wifi\ngpu_mem=64\n"


class Device:
    """A boot partition as Imager leaves it, and the folder of settings."""

    def __init__(self, folder: Path) -> None:
        self.boot, self.etc, self._leds = folder / "boot", folder / "etc", folder / "leds"
        for path in (self.boot, self.etc, self._leds):
            path.mkdir()
        (self.boot / "config.txt").write_text(CONFIG)

    @property
    def wifi(self) -> Path:
        return self.etc / "wifi.conf"

    def start(self) -> int:
        words = ["firstboot", "--boot", self.boot, "--config", self.etc / "scanner.toml"]
        words += ["--leds", self._leds, "--blink-s", 0]
        return main([str(word) for word in words])

    def left(self) -> set[str]:
        return {path.name for path in self.boot.iterdir()} - {"config.txt"}

    def text(self, name: str) -> str:
        return (self.boot / name).read_text()


@pytest.fixture
def device(tmp_path: Path) -> Device:
    device = Device(tmp_path)
    (device.boot / "meta-data").write_text("instance-id: rpi-imager-1787532598498\n")
    (device.boot / "network-config").write_text(SECOND_NETWORK)
    (device.boot / "user-data").write_text(PLAIN_USER)
    return device


def test_a_wireless_network_is_taken_and_its_radio_is_on(device: Device) -> None:
    device.start()
    assert f"psk={KEY}" in device.wifi.read_text()
    assert stat.S_IMODE(device.wifi.stat().st_mode) == 0o600
    assert device.text("config.txt") == CONFIG.replace("dtoverlay=disable-wifi\n", "")
    assert device.left() == {"scanner-imager.txt", "scanner-taken.txt"}
    told = device.text("scanner-imager.txt")
    assert "wireless network: taken" in told
    assert "time zone: not taken: it counts in UTC" in told
    assert KEY not in told


def test_wishes_that_cannot_be_fulfilled_are_told_as_a_problem_and_leave_the_card(
    device: Device,
) -> None:
    (device.boot / "user-data").write_text(USER)
    device.start()
    assert device.left() == {"scanner-imager.txt", "scanner-problem.txt", "scanner-taken.txt"}
    problem = device.text("scanner-problem.txt")
    assert "ssh, set in Imager: there is no ssh" in problem
    assert "user and password, set in Imager: nobody can log in" in problem
    assert "time zone" not in problem
    assert "host name: not taken" in device.text("scanner-imager.txt")
    everything = "".join(p.read_text() for p in device.boot.iterdir()) + device.wifi.read_text()
    assert "$5$" not in everything
    assert "somebody" not in everything


def test_in_the_hostile_profile_no_network_is_kept(device: Device) -> None:
    (device.boot / "scanner.toml").write_text('[privacy]\nprofile = "hostile"\n')
    device.start()
    assert not device.wifi.exists()
    assert device.text("config.txt") == CONFIG
    assert "wireless network, set in Imager: the name of a network says where it stands" in (
        device.text("scanner-problem.txt")
    )
    assert "network-config" not in device.left()


HOSTILE = '[privacy]\nprofile = "hostile"\n'


def test_a_network_that_was_taken_before_the_profile_was_hostile_is_forgotten(
    device: Device, tmp_path: Path
) -> None:
    device.start()
    os.link(device.wifi, tmp_path / "blocks")
    for _ in range(2):
        (device.boot / "scanner.toml").write_text(HOSTILE)
        assert device.start() == 0
        assert not device.wifi.exists()
        # Whatever filter the lines before it are under.
        assert device.text("config.txt") == (
            CONFIG.replace("dtoverlay=disable-wifi\n", "") + "[all]\ndtoverlay=disable-wifi\n"
        )
    assert KEY.encode() not in (tmp_path / "blocks").read_bytes()
    assert "wireless network: not kept: the name of a network" in device.text("scanner-imager.txt")


def test_of_that_the_lamp_and_the_card_tell(device: Device) -> None:
    device.start()
    (device.boot / "scanner.toml").write_text(HOSTILE)
    device.start()
    assert "wireless network, set in Imager: the name" in device.text("scanner-problem.txt")


def test_where_it_cannot_be_forgotten_the_network_is_not_joined(device: Device) -> None:
    (device.boot / "scanner.toml").write_text(HOSTILE)
    device.wifi.mkdir()  # as good as a file that cannot be written
    assert device.start() != 0
    assert "may not be joined" in device.text("scanner-problem.txt")
    unit = (FOLDER / "tree/usr/lib/systemd/system/scanner-wifi.service").read_text()
    assert "Requires=scanner-firstboot.service\n" in unit
    assert "After=scanner-firstboot.service\n" in unit


def test_nothing_of_imagers_files_can_be_read_from_their_blocks(
    device: Device, tmp_path: Path
) -> None:
    (device.boot / "user-data").write_text(USER)
    for name in ("network-config", "user-data"):
        os.link(device.boot / name, tmp_path / name)
    device.start()
    for name in ("network-config", "user-data"):
        blocks = (tmp_path / name).read_text()
        assert blocks
        assert not [word for word in (KEY, "Street 5", "$5$", "somebody") if word in blocks]


def test_what_cannot_be_read_stays_and_changes_nothing(device: Device) -> None:
    (device.boot / "network-config").write_bytes(b"\xff\xfe")
    device.start()
    assert not device.wifi.exists()
    assert device.text("config.txt") == CONFIG
    assert device.left() == {"meta-data", "network-config", "user-data", "scanner-problem.txt"}
    assert "network-config: not text in UTF-8" in device.text("scanner-problem.txt")


def test_a_script_is_read_and_not_run(device: Device, tmp_path: Path) -> None:
    for name in ("network-config", "user-data", "meta-data"):
        (device.boot / name).unlink()
    mark = tmp_path / "it-ran"
    (device.boot / "firstrun.sh").write_text(SCRIPT + f"touch {mark}\n")
    (device.boot / "firstrun.sh").chmod(0o700)
    device.start()
    assert not mark.exists()
    assert f"ssid={b'Street 5'.hex()}" in device.wifi.read_text()
    assert "firstrun.sh" not in device.left()


def test_a_second_network_replaces_the_first_and_a_wipe_removes_it(device: Device) -> None:
    device.start()
    (device.boot / "network-config").write_text(SECOND_NETWORK.replace("Street 5", "Street 6"))
    device.start()
    assert f"ssid={b'Street 6'.hex()}" in device.wifi.read_text()
    words = ["wipe", "--yes", "--config", device.etc / "scanner.toml", "--data", device.etc / "x"]
    assert main([str(word) for word in words]) == 0
    assert not device.wifi.exists()
    device.start()
    assert device.left() == set()


def test_the_vector_is_that_of_hashlib_itself() -> None:
    made = hashlib.pbkdf2_hmac("sha1", b"ThisIsAPassword", b"ThisIsASSID", 4096, 32).hex()
    assert made in supplicant(Wifi("ThisIsASSID", "ThisIsAPassword"))
    # IEEE 802.11-2020, J.4.2: the second one.
    assert made == "0dc0d6eb90555ed6419756b9a15ec3e3209b63df707dd508d14581f8982721af"
