#!/usr/bin/env bash
# Fails unless a binary is static, stripped, small, for the right machine, runs, indexes, answers.
#
#     cross/check-binary.sh BINARY [aarch64|x86_64|armv7]
set -euo pipefail
task="check-binary"
# shellcheck source=tools/lib.sh
. "$(dirname "$0")/../tools/lib.sh"
binary=${1:?which binary}
machine=${2:-aarch64}
MAX_BYTES=$((8 << 20))

die() { say "$binary: $*"; exit 1; }

case $machine in # ELF: 02 is 64 bits, 01 is 32; then the number of the machine
    aarch64) class=02 number=183 emulator=qemu-aarch64-static ;;
    x86_64) class=02 number=62 emulator=qemu-x86_64-static ;;
    armv7) class=01 number=40 emulator=qemu-arm-static ;;
    *) die "no such machine: $machine" ;;
esac
[ -f "$binary" ] || die "is not there"
need readelf:binutils

start=$(od -An -tx1 -N6 "$binary" | tr -d ' ')
[ "$start" = "7f454c46${class}01" ] || die "is no ELF file of class $class, little end first"
found=$(od -An -tu2 -j18 -N2 "$binary" | tr -d ' ')
[ "$found" = "$number" ] || die "is for machine $found, not for $machine ($number)"

headers=$(readelf -lW "$binary")
case $headers in *INTERP*) die "wants an interpreter, so it is not static" ;; esac
needed=$(readelf -dW "$binary" | grep NEEDED || true)
[ -z "$needed" ] || die "needs shared libraries: $needed"
sections=$(readelf -SW "$binary")
case $sections in *.symtab* | *.debug_*) die "is not stripped" ;; esac
if [ "$machine" = aarch64 ]; then
    # the Pi 5's kernel has pages of 16 KiB: segments must not be aligned to less
    while read -r align; do
        [ $((align)) -ge $((0x4000)) ] || die "has a segment aligned to $align, less than 16 KiB"
    done < <(printf '%s\n' "$headers" | awk '$1 == "LOAD" { print $NF }')
fi
bytes=$(wc -c <"$binary")
[ "$bytes" -le "$MAX_BYTES" ] || die "has $bytes bytes, more than $MAX_BYTES"

run=()
if [ "$(uname -m)" != "$machine" ]; then
    need "$emulator:qemu-user-static"
    run=("$emulator")
fi
version=$("${run[@]}" "$binary" --version) || die "does not run"
[ "${version%% *}" = hekte ] || die "says $version"
cross/index-and-ask.sh "$binary" "${run[@]}" || die "does not index and answer as it should"
echo "$binary: $bytes bytes, static, $machine, says: $version"
