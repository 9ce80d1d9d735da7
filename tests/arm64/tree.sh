#!/bin/sh
# The device's core on arm64: a Debian 12 tree under build/, qemu-user for its processor,
# tflite-runtime from its wheel. Runs the core's and the runtime's tests there, then compares what
# `scanner detect` finds with this machine's answer. Root; most of an hour the first time.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
tree=${ARM64_TREE:-$here/build/arm64-tree}
mirror=${MIRROR:-http://deb.debian.org/debian}
[ "$(id -u)" = 0 ] || { echo "tests/arm64/tree.sh needs root: binfmt_misc and chroot" >&2; exit 1; }

# systemd-binfmt does this where systemd runs; flags F: the interpreter works inside the tree.
if ! arch-test arm64 >/dev/null 2>&1; then
	mountpoint -q /proc/sys/fs/binfmt_misc ||
		mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
	cat /usr/lib/binfmt.d/qemu-aarch64.conf >/proc/sys/fs/binfmt_misc/register
fi

enter() {
	unshare --mount --pid --fork --kill-child sh -eu -c '
		tree=$1 here=$2; shift 2
		mount --rbind /dev "$tree/dev"; mount -t proc proc "$tree/proc"
		mkdir -p "$tree/src"; mount --bind "$here" "$tree/src"
		exec chroot "$tree" env HOME=/root PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/src \
			sh -eu -c "cd /src; exec \"\$@\"" sh "$@"
	' sh "$tree" "$here" "$@"
}

if [ ! -e "$tree/.ready" ]; then
	mkdir -p "$tree.wheels"
	# Resolved for the target by the machine that is here: the tree needs no network.
	"$here/.venv/bin/python" -m pip download --quiet --dest "$tree.wheels" --python-version 311 \
		--platform manylinux_2_34_aarch64 --platform manylinux_2_28_aarch64 \
		--platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
		--only-binary=:all: tflite-runtime==2.14.0 'numpy<2' msgspec PyNaCl paho-mqtt \
		pillow av pytest pytest-timeout hypothesis cffi
	[ -e "$tree/etc/debian_version" ] || mmdebstrap --arch=arm64 --variant=minbase \
		--include=python3,python3-venv bookworm "$tree" "$mirror"
	mkdir -p "$tree/wheels"
	cp "$tree.wheels"/*.whl "$tree/wheels/"
	enter python3 -m venv /opt/v
	enter /opt/v/bin/python -m pip install --quiet --no-index --find-links /wheels \
		tflite-runtime numpy msgspec PyNaCl paho-mqtt pillow av pytest pytest-timeout hypothesis
	touch "$tree/.ready"
fi
enter /opt/v/bin/python -c 'import platform; print("testing on", platform.machine())'
# Emulated, so that a test may take long; what starts a compiler, a broker or a browser stays here.
enter /opt/v/bin/python -m pytest -o addopts=--import-mode=importlib -p no:cacheprovider -q \
	-o timeout=1800 -o filterwarnings=default tests/core tests/contracts/test_detector.py \
	tests/contracts/test_frame_source.py tests/adapters/test_tflite.py \
	tests/adapters/test_picamera.py tests/adapters/test_outbox.py tests/adapters/test_known.py

frames=$tree/src-frames
mkdir -p "$frames"
"$here/.venv/bin/python" "$here/tests/arm64/compare.py" pictures "$frames"
(cd "$here" && .venv/bin/python -m scanner detect --json "$frames"/*.png) >"$tree/here.jsonl"
mkdir -p "$tree/frames"
cp "$frames"/*.png "$tree/frames/"
enter sh -c '/opt/v/bin/python -m scanner detect --json /frames/*.png' >"$tree/there.jsonl"
"$here/.venv/bin/python" "$here/tests/arm64/compare.py" answers "$tree/here.jsonl" "$tree/there.jsonl"
