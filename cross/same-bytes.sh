#!/usr/bin/env bash
# Two builds from nothing, in other folders and with another cargo home, must be equal.
#
#     cross/same-bytes.sh [aarch64|x86_64|armv7]
set -euo pipefail
cd "$(dirname "$0")/.."
task="same-bytes"
# shellcheck source=tools/lib.sh
. tools/lib.sh
machine=${1:-aarch64}
case $machine in
    armv7) triple=armv7-unknown-linux-musleabihf ;;
    *) triple=$machine-unknown-linux-musl ;;
esac
TARGET=$(target_dir)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
dir=$(mktemp -d "$TARGET/same-bytes.XXXXXX")
trap 'rm -rf "$dir"' EXIT

build() { # folder of the sources, cargo home
    mkdir -p "$1"
    git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$1"
    (
        cd "$1"
        env CHECK=no "CARGO_HOME=$2" "CARGO_TARGET_DIR=$1/target" cross/build.sh "$machine" >&2
        cp "target/$triple/release/hekte" "$1.hekte"
    )
    rm -rf "$1"
}
build "$dir/a" "${CARGO_HOME:-$HOME/.cargo}"
build "$dir/another/place" "$dir/cargo-home"
one=$(sha256sum <"$dir/a.hekte") two=$(sha256sum <"$dir/another/place.hekte")
echo "same-bytes: $one / $two"
cmp "$dir/a.hekte" "$dir/another/place.hekte"
