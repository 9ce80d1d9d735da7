#!/bin/sh
# Debian 13 with libcamera and picamera2 under build/, and the lens' tests in it.
#
#   tests/lens/tree.sh            build what is missing (about 830 MB), then test
#   tests/lens/tree.sh COMMAND    run another command in it, in the project's folder
#
# MIRROR is the Debian mirror. Root is needed only to enter it; without, user namespaces are used.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
tree=${LENS_TREE:-$here/build/lens-tree}
mirror=${MIRROR:-http://deb.debian.org/debian}
packages=ca-certificates,python3,python3-venv,python3-pip,python3-dev,gcc,libc6-dev
packages=$packages,python3-libcamera,libcamera-ipa,python3-numpy,python3-piexif,python3-pil
packages=$packages,python3-av,python3-prctl
# What picamera2 asks for, less what only previews and encoders need.
lens="picamera2==0.3.38 PiDNG simplejpeg videodev2 libarchive-c tqdm jsonschema attrs referencing
      rpds-py jsonschema-specifications"
ours="pytest pytest-timeout msgspec PyNaCl paho-mqtt ai-edge-litert hypothesis"

enter() {
	if [ "$(id -u)" = 0 ]; then as="unshare --mount --pid --fork --kill-child"; else
		as="unshare --user --map-root-user --map-auto --mount --pid --fork --kill-child"; fi
	$as sh -eu -c '
		tree=$1 here=$2; shift 2
		mount --rbind /dev "$tree/dev"; mount -t proc proc "$tree/proc"
		mount --rbind /sys "$tree/sys"
		mount --bind /etc/ssl/certs "$tree/etc/ssl/certs"
		cat /etc/resolv.conf > "$tree/etc/resolv.conf"
		mkdir -p "$tree/src"; mount --bind "$here" "$tree/src"
		exec chroot "$tree" env HOME=/root PYTHONDONTWRITEBYTECODE=1 \
			PYTHONPATH=/src sh -eu -c "cd /src; exec \"\$@\"" sh "$@"
	' sh "$tree" "$here" "$@"
}

if [ ! -e "$tree/.ready" ]; then
	command -v mmdebstrap >/dev/null || { echo "sudo apt-get install mmdebstrap uidmap" >&2; exit 1; }
	mkdir -p "$(dirname "$tree")"
	[ -e "$tree/etc/debian_version" ] ||
		mmdebstrap --variant=minbase --include="$packages" trixie "$tree" "$mirror"
	enter python3 -m venv --system-site-packages /opt/v
	enter env PIP_FIND_LINKS= /opt/v/bin/pip install --quiet --no-cache-dir --no-deps $lens
	enter env PIP_FIND_LINKS= /opt/v/bin/pip install --quiet --no-cache-dir $ours
	touch "$tree/.ready"
fi
mkdir -p "$tree/usr/share/libcamera/pipeline/virtual"
cp "$here/tests/lens/virtual.yaml" "$tree/usr/share/libcamera/pipeline/virtual/"
# picamera2 imports its previews, and they the display's library, which no test needs.
cp "$here/tests/lens/pykms.py" "$tree"/opt/v/lib/python3*/site-packages/
if [ $# -gt 0 ]; then enter "$@"; else
	enter /opt/v/bin/python -m pytest -o addopts=--import-mode=importlib -o filterwarnings=default -p no:cacheprovider \
		tests/lens -q --tb=short --timeout 280
fi
