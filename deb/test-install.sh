#!/usr/bin/env bash
# Installs, upgrades, removes and purges the amd64 package in a Debian root of its own: `make
# deb-test`. Needs root; fetches the root once (target/deb/bookworm.tar).
set -euo pipefail
cd "$(dirname "$0")/.."
task="deb-test"
# shellcheck source=tools/lib.sh
. tools/lib.sh
TARGET=$(target_dir)
SUITE=${SUITE:-bookworm}
ROOT_TAR=$TARGET/deb/$SUITE.tar

[ "$(id -u)" = 0 ] || die "needs root"
need mmdebstrap "$DEBIAN_KEYRING:debian-archive-keyring"
version=$(hekte_version)
deb=$TARGET/deb/hekte_${version}_amd64.deb
[ -s "$deb" ] || die "no $deb: make deb"

if [ ! -s "$ROOT_TAR" ]; then
    mirror=$(debian_mirror)
    new=${ROOT_TAR%.tar}.new.tar # the end of the name decides what it makes
    mmdebstrap --quiet --variant=minbase --include=systemd-sysv,acl "$SUITE" "$new" \
        "deb [signed-by=$DEBIAN_KEYRING] $mirror $SUITE main"
    mv "$new" "$ROOT_TAR"
fi
root=$(mktemp -d "${TMPDIR:-/tmp}/hekte-deb.XXXXXX")
trap 'rm -rf "$root"' EXIT
tar -C "$root" -xf "$ROOT_TAR"
inside() {
    chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
}
is() { # what is checked, what it must be, what it is
    [ "$2" = "$3" ] || die "$1: $3 instead of $2"
    echo "deb-test: $1: $3"
}
there() { if [ -e "$root$1" ]; then echo yes; else echo no; fi; }
later=$root/tmp/later.deb

# a package that differs in its version, its program and its packaged configuration
mkdir "$root/tmp/later"
dpkg-deb -R "$deb" "$root/tmp/later"
sed -i "s/^Version: .*/Version: $version+later/" "$root/tmp/later/DEBIAN/control"
echo "# a line that is new" >>"$root/tmp/later/etc/hekte/hekte.toml"
dpkg-deb --root-owner-group -Zgzip --build "$root/tmp/later" "$later" >/dev/null
cp "$deb" "$root/tmp/first.deb"

inside dpkg -i /tmp/first.deb
is "the program" "hekte $version" "$(inside hekte --version)"
is "the user's home" /var/lib/hekte "$(inside getent passwd hekte | cut -d : -f 6)"
is "the user's shell" /usr/sbin/nologin "$(inside getent passwd hekte | cut -d : -f 7)"
is "the folder of the index" "hekte:hekte 750" "$(inside stat -c '%U:%G %a' /var/lib/hekte)"
is "the service" enabled "$(inside systemctl is-enabled hekte)"
is "the unit's faults" "" "$(inside systemd-analyze verify hekte.service 2>&1 | grep hekte || true)"
is "files that are not root's" "" "$(inside dpkg -L hekte | while read -r path; do
    find "$root$path" -maxdepth 0 ! -uid 0 -o -maxdepth 0 ! -gid 0; done)"
for example in hekte.socket bitcoind.conf; do
    is "the example $example" yes "$(there "/usr/share/doc/hekte/examples/$example")"
done
is "the socket" no "$(there /usr/lib/systemd/system/hekte.socket)"
inside bash -n /usr/share/bash-completion/completions/hekte
# the first thing that it misses is the cookie
is "what check says without bitcoind" 69 "$(
    inside hekte check --config /etc/hekte/hekte.toml >"$root/tmp/check" 2>&1 || echo $?)"

echo "# mine" >>"$root/etc/hekte/hekte.toml"
mkdir -p "$root/var/lib/hekte/bitcoin/index" "$root/var/lib/hekte/mine"
echo index >"$root/var/lib/hekte/bitcoin/index/index.sqlite"
inside systemctl disable hekte
inside dpkg --force-confold -i /tmp/later.deb
is "the service after an upgrade, disabled before" disabled \
    "$(inside systemctl is-enabled hekte || true)"
inside systemctl enable hekte
is "my configuration after an upgrade" "# mine" "$(tail -n 1 "$root/etc/hekte/hekte.toml")"
is "the index after an upgrade" yes "$(there /var/lib/hekte/bitcoin/index/index.sqlite)"

inside dpkg -r hekte
is "the program after a removal" no "$(there /usr/bin/hekte)"
is "the index after a removal" yes "$(there /var/lib/hekte/bitcoin/index/index.sqlite)"
is "my configuration after a removal" yes "$(there /etc/hekte/hekte.toml)"
inside dpkg -i /tmp/later.deb
is "the service when installed again" enabled "$(inside systemctl is-enabled hekte)"

inside dpkg -P hekte
is "the index after a purge" no "$(there /var/lib/hekte/bitcoin)"
is "what is not hekte's" yes "$(there /var/lib/hekte/mine)"
is "the configuration after a purge" no "$(there /etc/hekte)"
is "what is left" "" "$(find "$root/etc" "$root/usr" "$root/var/lib" -name '*hekte*' \
    ! -path "$root/var/lib/hekte*")"
echo "deb-test: all passed, $(basename "$deb")"
