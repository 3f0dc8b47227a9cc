#!/bin/sh
# Puts hekte's Debian package into the root of an image that is being built, beside its bitcoind.
#
#     image/add-package.sh ROOT DEB BITCOIN_DIR
#
# BITCOIN_DIR is bitcoind's data folder in the running image. Run it again for a newer package: a
# configuration that was changed is kept. It needs root, a way to run the image's programs (qemu's
# binfmt where the processors differ) and no network.
set -eu

if [ $# -ne 3 ] || [ ! -d "$1" ] || [ ! -f "$2" ]; then
    echo "usage: $0 ROOT DEB BITCOIN_DIR (a folder, a package, a path in the image)" >&2
    exit 64
fi
root=$1 deb=$2 bitcoin_dir=$3
here=$(cd "$(dirname "$0")" && pwd)

cp "$deb" "$root/tmp/hekte.deb"
# --force-confold: a configuration that the image changed is not asked about, and stays
chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
    dpkg --force-confold -i /tmp/hekte.deb
rm -f "$root/tmp/hekte.deb"
sed -i "s|^bitcoin_dir = \"/var/lib/bitcoind\"|bitcoin_dir = \"$bitcoin_dir\"|" \
    "$root/etc/hekte/hekte.toml"

install -D -m 0755 "$here/block-access.sh" "$root/usr/lib/hekte/block-access"
units=$root/etc/systemd/system
mkdir -p "$units/hekte.service.d" "$units/multi-user.target.wants"
sed "s|@BITCOIN_DIR@|$bitcoin_dir|" "$here/hekte-blocks.service" >"$units/hekte-blocks.service"
ln -sfn /etc/systemd/system/hekte-blocks.service "$units/multi-user.target.wants/"
# the cookie is for bitcoind's group, where bitcoin.conf says rpccookieperms=group
group=$(sed -n 's/^\(bitcoin\|bitcoind\):.*/\1/p' "$root/etc/group" | head -n 1)
if [ -n "$group" ]; then
    printf '# The group that may read the cookie.\n[Service]\nSupplementaryGroups=%s\n' "$group" \
        >"$units/hekte.service.d/bitcoind.conf"
else
    echo "add-package: no group bitcoin in $root: see README about the cookie" >&2
fi
echo "hekte is in $root, for the bitcoind in $bitcoin_dir"
