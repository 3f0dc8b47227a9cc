#!/usr/bin/env bash
# Fails unless a binary is for aarch64, fully static, small, and runs.
set -eu
binary=${1:?which binary}
MAX_BYTES=$((12 << 20))

die() { echo "check-binary: $binary: $*" >&2; exit 1; }

[ -f "$binary" ] || die "is not there"
# the first bytes of an ELF file: class 64, little end first; at 18 the machine, 183 is aarch64
[ "$(od -An -tx1 -N6 "$binary" | tr -d ' ')" = 7f454c460201 ] || die "is no 64-bit ELF file"
machine=$(od -An -tu2 -j18 -N2 "$binary" | tr -d ' ')
[ "$machine" = 183 ] || die "is for machine $machine, not for aarch64 (183)"

if command -v readelf >/dev/null 2>&1; then
    headers=$(readelf -lW "$binary")
    case $headers in *INTERP*) die "wants an interpreter, so it is not static" ;; esac
    # the Pi 5's kernel has pages of 16 KiB: segments must not be aligned to less
    while read -r align; do
        [ $((align)) -ge $((0x4000)) ] || die "has a segment aligned to $align, less than 16 KiB"
    done < <(printf '%s\n' "$headers" | awk '$1 == "LOAD" { print $NF }')
    needed=$(readelf -dW "$binary" | grep NEEDED || true)
    [ -z "$needed" ] || die "needs shared libraries: $needed"
fi

bytes=$(wc -c <"$binary")
[ "$bytes" -le "$MAX_BYTES" ] || die "has $bytes bytes, more than $MAX_BYTES"

run=()
if [ "$(uname -m)" != aarch64 ]; then
    emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)
    if [ -z "$emulator" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -q >&2 </dev/null
        apt-get install -q -y --no-install-recommends qemu-user-static >&2 </dev/null
        emulator=$(command -v qemu-aarch64-static || true)
    fi
    [ -n "$emulator" ] || die "cannot be run here: install qemu-user-static"
    run=("$emulator")
fi
version=$("${run[@]}" "$binary" --version) || die "does not run"
echo "$binary: $bytes bytes, static, aarch64, says: $version"
