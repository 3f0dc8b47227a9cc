#!/bin/sh
# Installs hekte's Debian package in the root of an image under construction, with a bitcoind.
#
#     image/add-package.sh ROOT DEB BITCOIN_DIR
#
# BITCOIN_DIR is bitcoind's data folder in the running image. Run the script again for a newer
# package: a configuration that was changed is kept. It needs root, a way to run the image's
# programs (qemu's binfmt if the processors differ), and no network.
set -eu

if [ $# -ne 3 ] || [ ! -d "$1" ] || [ ! -f "$2" ]; then
    echo "usage: $0 ROOT DEB BITCOIN_DIR (a folder, a package, a path in the image)" >&2
    exit 64
fi
root=$1 deb=$2 bitcoin_dir=$3
here=$(cd "$(dirname "$0")" && pwd)

cp "$deb" "$root/tmp/hekte.deb"
# --force-confold: keeps a configuration that the image changed, without asking
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
# if bitcoin.conf has rpccookieperms=group, bitcoind's group can read the cookie
group=$(sed -n 's/^\(bitcoin\|bitcoind\):.*/\1/p' "$root/etc/group" | head -n 1)
if [ -n "$group" ]; then
    printf '# The group that may read the cookie.\n[Service]\nSupplementaryGroups=%s\n' "$group" \
        >"$units/hekte.service.d/bitcoind.conf"
else
    echo "add-package: no group bitcoin in $root: see README about the cookie" >&2
fi
echo "hekte is in $root, for the bitcoind in $bitcoin_dir"
