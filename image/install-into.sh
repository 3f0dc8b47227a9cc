#!/bin/sh
# Puts hekte into the root of an image that is being built: program, unit, user, configuration.
#
#     image/install-into.sh ROOT BINARY
#
# ROOT is the root of the image (pi-gen: "$ROOTFS_DIR"; rpi-image-gen: "$1" of a customize hook),
# BINARY a hekte for the image's processor. Run it again for a newer program: the configuration
# that is there is kept. It starts nothing and needs no network.
set -eu

if [ $# -ne 2 ] || [ ! -d "$1" ] || [ ! -x "$2" ]; then
    echo "usage: $0 ROOT BINARY (a folder, and a program that may be executed)" >&2
    exit 64
fi
root=$1 binary=$2
here=$(cd "$(dirname "$0")/.." && pwd)
unit=$root/usr/lib/systemd/system/hekte.service
config=$root/etc/hekte/hekte.toml
examples=$root/usr/share/doc/hekte/examples
wants=$root/etc/systemd/system/multi-user.target.wants

mkdir -p "$root/usr/bin" "$root/usr/lib/sysusers.d" "$root/usr/lib/tmpfiles.d" "${unit%/*}" \
    "${config%/*}" "$wants" "$examples"
# beside the old one and then in its place: a program that is running cannot be written to
install -m 0755 "$binary" "$root/usr/bin/.hekte.new"
mv -f "$root/usr/bin/.hekte.new" "$root/usr/bin/hekte"
sed 's|/usr/local/bin/hekte|/usr/bin/hekte|' "$here/systemd/hekte.service" > "$unit"
chmod 0644 "$unit"
install -m 0644 "$here/systemd/hekte.sysusers" "$root/usr/lib/sysusers.d/hekte.conf"
install -m 0644 "$here/systemd/hekte.tmpfiles" "$root/usr/lib/tmpfiles.d/hekte.conf"
install -m 0644 "$here/systemd/hekte.socket" "$here/systemd/bitcoind.conf" "$examples/"
[ -e "$config" ] || install -m 0644 "$here/systemd/hekte.toml" "$config"
ln -sfn /usr/lib/systemd/system/hekte.service "$wants/hekte.service"
echo "hekte is in $root; its block files need: setfacl -R -m u:hekte:rX,d:u:hekte:rX BLOCKS_FOLDER"
