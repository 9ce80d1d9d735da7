#!/bin/sh
# Debian 12 for arm64 under build/, its programs started through qemu-user, with the packages that
# `make setup` installs on such a machine: tflite-runtime comes from its aarch64 wheel.
#
#   tests/arm64/tree.sh            make what is missing (1.5 GB), bring the sources up to date
#   tests/arm64/tree.sh COMMAND    run a command in it, in the project's folder
#
# Root, for binfmt_misc and chroot. MIRROR is the Debian mirror, ARM64_TREE the folder.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
tree=${ARM64_TREE:-$here/build/arm64/tree}
mirror=${MIRROR:-http://deb.debian.org/debian}
packages="ca-certificates python3 python3-distutils mosquitto gpsd dbus libfaketime systemd gcc libc6-dev"
[ "$(id -u)" = 0 ] || { echo "tests/arm64/tree.sh needs root: binfmt_misc and chroot" >&2; exit 1; }

# systemd-binfmt does this where systemd runs; flags F: the interpreter works inside the tree.
if ! arch-test arm64 >/dev/null 2>&1; then
	mountpoint -q /proc/sys/fs/binfmt_misc ||
		mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
	cat /usr/lib/binfmt.d/qemu-aarch64.conf >/proc/sys/fs/binfmt_misc/register
fi

# The processor is a Pi 4's: an instruction that is newer ends the program. The shell stays as the
# first process, as that one cannot be ended by a signal of its own.
enter() {
	unshare --mount --pid --fork --kill-child sh -eu -c '
		tree=$1; shift
		mount --rbind /dev "$tree/dev"; mount -t proc proc "$tree/proc"
		mount --rbind /sys "$tree/sys"
		mount -t tmpfs tmpfs "$tree/tmp"; mount -t tmpfs tmpfs "$tree/run"
		chroot "$tree" env -i HOME=/root LANG=C.UTF-8 QEMU_CPU=cortex-a72 \
			PATH=/opt/v/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 \
			sh -eu -c "cd /src; exec \"\$@\"" sh "$@" || exit
	' sh "$tree" "$@"
}

if [ $# -gt 0 ]; then
	enter "$@"
	exit
fi

# Compiled Python is the same on any processor, and a slow one is not to do it at each start.
compile() {
	if "$here/.venv/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
		for one; do
			"$here/.venv/bin/python" -m compileall -q -s "$tree" -p / "$tree$one" >/dev/null || true
		done
	else
		enter python3 -m compileall -q "$@" >/dev/null || true
	fi
}

mkdir -p "$(dirname "$tree")"
if [ ! -e "$tree/.debian" ]; then
	[ ! -e "$tree" ] || { echo "$tree is half made: remove it" >&2; exit 1; }
	# Unpacked and set up by this machine's own dpkg, as far as that goes: emulated it takes an hour.
	# gpsd-clients is wanted for gpsfake alone, which takes python3-distutils, without scipy; the kernel
	# for what an emulated program cannot have: system call filters, Landlock, a clock of its own.
	options=$(mktemp)
	DPKG_OPTIONS=$options mmdebstrap --arch=arm64 --variant=essential \
		--aptopt='Acquire::Retries "3"' --dpkgopt=force-unsafe-io \
		--customize-hook="$here/firmware/install.sh \"\$1\" $packages" \
		--customize-hook='cd "$1/var/tmp"; export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
			kernel=$(apt-cache depends linux-image-cloud-arm64 |
				sed -n "s/.*Depends: //p" | head -n 1)
			apt-get download -qq gpsd-clients python3-gps "$kernel"
			for one in gpsd-clients python3-gps; do dpkg-deb --extract ${one}_*.deb "$1"; done
			dpkg-deb --fsys-tarfile linux-image-*.deb | tar -C "$1" -x ./boot
			mv "$1"/boot/vmlinuz-* "$1/boot/vmlinuz"
			rm ./*.deb' \
		bookworm "$tree" "$mirror"
	rm "$options"
	touch "$tree/.debian"
fi

# A copy: a run takes long, and sources that change under it would prove nothing.
rm -rf "$tree/src"
mkdir "$tree/src"
git -c safe.directory="$here" -C "$here" ls-files -z --cached --others --exclude-standard |
	tar -C "$here" --null --ignore-failed-read --warning=no-failed-read -T - -c |
	tar -C "$tree/src" -x

if ! cmp -s "$tree/.installed" "$here/pyproject.toml"; then
	# Debian's python3-venv cannot be set up by the dpkg of another processor; pip is not needed either.
	enter python3 -m venv --without-pip --clear /opt/v
	"$here/.venv/bin/python" "$here/tests/arm64/packages.py" "$tree"
	enter python -m pip --disable-pip-version-check check
	compile /usr/lib/python3.11 /opt/v/lib
	cp "$here/pyproject.toml" "$tree/.installed"
fi
compile /src/scanner /src/tests/helpers
