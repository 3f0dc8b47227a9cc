#!/usr/bin/env bash
# Runs the pi-gen stage and the rpi-image-gen layer against a Debian root, twice each, and looks at
# what they leave: `make image-parts`. Needs root, and what `make deb deb-test` made.
#
# RPI_IMAGE_GEN names a checkout of rpi-image-gen, whose own checks then judge the layer.
set -euo pipefail
cd "$(dirname "$0")/.."
task="image-parts"
# shellcheck source=tools/lib.sh
. tools/lib.sh
TARGET=$(target_dir)

[ "$(id -u)" = 0 ] || die "needs root"
need /usr/lib/python3/dist-packages/yaml:python3-yaml
version=$(hekte_version)
deb=$TARGET/deb/hekte_${version}_amd64.deb
tar=$TARGET/deb/bookworm.tar
if [ ! -s "$deb" ] || [ ! -s "$tar" ]; then
    die "first: make deb deb-test"
fi
tools/shellcheck.sh

dir=$(mktemp -d "${TMPDIR:-/tmp}/hekte-parts.XXXXXX")
trap 'rm -rf "$dir"' EXIT
fresh_root() {
    rm -rf "$1"
    mkdir "$1"
    tar -C "$1" -xf "$tar"
    # an image with a bitcoind has its user
    chroot "$1" /usr/sbin/useradd --system --create-home --home-dir /srv/bitcoin bitcoin
}
snapshot() { # every path with its kind, mode, owner and content, but for dpkg's own notes
    (cd "$1" && find . \( -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache \) -prune \
        -o -printf '%p %y %m %u %g %l\n' | sort
    find "$1/etc" "$1/usr/lib" -type f -name '*hekte*' -print0 | sort -z | xargs -0 sha256sum)
}
look() { # root: what must be there
    grep -q '^bitcoin_dir = "/srv/bitcoin"' "$1/etc/hekte/hekte.toml" || die "$1: bitcoin_dir"
    [ "$(systemctl --root="$1" is-enabled hekte.service)" = enabled ] || die "$1: not enabled"
    [ "$(systemctl --root="$1" is-enabled hekte-blocks.service)" = enabled ] || die "$1: blocks"
    grep -q 'SupplementaryGroups=bitcoin' "$1/etc/systemd/system/hekte.service.d/bitcoind.conf" ||
        die "$1: the cookie's group"
    [ "$(chroot "$1" /usr/bin/hekte --version)" = "hekte $version" ] || die "$1: does not run"
    # the first boot: what bitcoind makes afterwards, under its own umask, hekte can read
    chroot "$1" /usr/lib/hekte/block-access
    chroot "$1" /usr/sbin/runuser -u bitcoin -- sh -c \
        'umask 077; mkdir -p /srv/bitcoin/blocks/index; echo block >/srv/bitcoin/blocks/blk00000.dat
        echo secret >/srv/bitcoin/wallet.dat'
    local as_hekte=(chroot "$1" /usr/sbin/runuser -u hekte --)
    [ "$("${as_hekte[@]}" cat /srv/bitcoin/blocks/blk00000.dat)" = block ] ||
        die "$1: hekte cannot read the blocks"
    if "${as_hekte[@]}" cat /srv/bitcoin/wallet.dat 2>/dev/null; then
        die "$1: hekte can read more than the blocks"
    fi
}
twice() { # name, what does it
    local name=$1 root=$dir/$1
    shift
    fresh_root "$root"
    "$@" "$root" >"$dir/log" 2>&1 || { cat "$dir/log"; die "$name fails"; }
    snapshot "$root" >"$dir/once"
    "$@" "$root" >"$dir/log" 2>&1 || { cat "$dir/log"; die "$name fails the second time"; }
    snapshot "$root" >"$dir/again"
    diff "$dir/once" "$dir/again" || die "$name is not the same the second time"
    look "$root"
    echo "image-parts: $name: twice the same, and as it should be"
    rm -rf "$root"
}

image/pi-gen/make-stage.sh "$dir/stage" "$deb" >/dev/null
stage() { # what pi-gen's build.sh does with it, packages left out: there is no network in a test
    export ROOTFS_DIR=$1 BITCOIN_DIR=/srv/bitcoin
    (cd "$dir/stage" && ./prerun.sh && cd 00-hekte && ./01-run.sh)
}
twice pi-gen stage

python3() { /usr/bin/python3 "$@"; }
python3 - >"$dir/hook" <<'READ'
import yaml
layer = yaml.safe_load(open("image/rpi-image-gen/layer/hekte.yaml"))
print("\n".join(layer["mmdebstrap"]["customize-hooks"]))
READ
layer() {
    IGconf_hekte_tools=$PWD/image IGconf_hekte_deb=$deb IGconf_hekte_bitcoindir=/srv/bitcoin \
        sh -c "$(cat "$dir/hook")" hook "$1"
}
twice rpi-image-gen layer

if [ -n "${RPI_IMAGE_GEN:-}" ]; then
    layer=$PWD/image/rpi-image-gen/layer/hekte.yaml
    (cd "$RPI_IMAGE_GEN" && PATH=/usr/bin:$PATH python3 bin/ig metadata --lint "$layer")
    echo "image-parts: rpi-image-gen finds no fault with the layer"
else
    echo "image-parts: RPI_IMAGE_GEN is not set: the layer's head was not judged by rpi-image-gen"
fi
