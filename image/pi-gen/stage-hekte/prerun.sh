#!/bin/bash -e
# Starts from the result of the previous stage.

if [ ! -d "${ROOTFS_DIR}" ]; then
	copy_previous
fi
