#!/usr/bin/env bash
# Puts hekte into the root of an image that is being built: program, unit, user, configuration.
#
#     image/install-into.sh ROOT BINARY
#
# ROOT is the root of the image (pi-gen: "$ROOTFS_DIR"; rpi-image-gen: "$1" of a customize hook),
# BINARY a hekte for the image's processor. Run it again for a newer program: the configuration
# that is there is kept. It starts nothing and needs no network.
set -euo pipefail

if [ $# -ne 2 ] || [ ! -d "$1" ] || [ ! -x "$2" ]; then
    echo "usage: $0 ROOT BINARY (a folder, and a program that may be executed)" >&2
    exit 64
fi
root=$(realpath "$1") binary=$(realpath "$2")
wants=$root/etc/systemd/system/multi-user.target.wants

"$(dirname "$0")/../tools/install-files.sh" "$root" "$binary" image
mkdir -p "$wants"
ln -sfn /usr/lib/systemd/system/hekte.service "$wants/hekte.service"
echo "hekte is in $root; its block files need: setfacl -R -m u:hekte:rX,d:u:hekte:rX BLOCKS_FOLDER"
