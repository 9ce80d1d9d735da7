#!/bin/sh
# install.sh TREE PACKAGE...: Debian packages into a tree of another processor. apt and dpkg are this
# machine's own, so that only the packages' own scripts are emulated; the slowest tools that those
# call are put aside meanwhile and their work is done here.
set -eu
tree=$1
shift
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" DEBIAN_FRONTEND=noninteractive
aside="usr/bin/py3compile usr/sbin/update-ca-certificates bin/systemd-hwdb sbin/depmod
	usr/sbin/update-initramfs"
for tool in $aside; do
	dpkg-divert --quiet --root "$tree" --local --rename --add "/$tool"
	mkdir -p "$tree/$(dirname "$tool")"
	printf '#!/bin/sh\nexit 0\n' >"$tree/$tool"
	chmod 755 "$tree/$tool"
done
# Nothing is started in a tree.
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
set -- "$@"
options=
while read -r option; do
	options="$options -oDPkg::Options::=--$option"
done <"$DPKG_OPTIONS"
for name in dev proc; do
	mountpoint -q "$tree/$name" || { mount --rbind "/$name" "$tree/$name" && mounted="$name ${mounted:-}"; }
done
code=0
# shellcheck disable=SC2086 - no option has a blank
apt-get --yes --no-install-recommends -oDPkg::Use-Pty=false -oDPkg::Chroot-Directory= \
	"-oDPkg::Options::=--root=$tree" -oDPkg::Options::=--force-unsafe-io \
	"-oDPkg::Options::=--log=$tree/var/log/dpkg.log" $options install "$@" || code=$?
for name in ${mounted:-}; do
	umount --lazy "$tree/$name"
done
rm "$tree/usr/sbin/policy-rc.d"
for tool in $aside; do
	rm "$tree/$tool"
	dpkg-divert --quiet --root "$tree" --local --rename --remove "/$tool"
done
exit "$code"
