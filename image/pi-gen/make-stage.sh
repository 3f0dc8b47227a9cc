#!/usr/bin/env bash
# Makes a stage for pi-gen that holds all it needs: make-stage.sh FOLDER DEB
set -euo pipefail
if [ $# -ne 2 ] || [ ! -f "$2" ]; then
    echo "usage: $0 FOLDER DEB (where the stage goes, and hekte's package for arm64)" >&2
    exit 64
fi
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cp -r "$here/stage-hekte/." "$1/"
files=$1/00-hekte/files
mkdir -p "$files"
for file in add-package.sh block-access.sh hekte-blocks.service; do
    cp "$here/../$file" "$files/"
done
cp "$2" "$files/hekte.deb"
echo "the stage is in $1: name it in pi-gen's STAGE_LIST"
