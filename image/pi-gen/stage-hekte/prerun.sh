#!/bin/bash -e
# Begins with what the stage before it made.

if [ ! -d "${ROOTFS_DIR}" ]; then
	copy_previous
fi
