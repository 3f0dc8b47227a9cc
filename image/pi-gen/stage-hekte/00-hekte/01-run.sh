#!/bin/bash -e
# Adds hekte to the image's bitcoind, whose data folder is BITCOIN_DIR of pi-gen's config.

files/add-package.sh "${ROOTFS_DIR}" files/hekte.deb "${BITCOIN_DIR:-/var/lib/bitcoind}"
