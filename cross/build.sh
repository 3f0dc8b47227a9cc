#!/usr/bin/env bash
# Builds a static binary: cross/build.sh [aarch64|x86_64|armv7] [PACKAGE ...], then checks it.
#
# With `cross` where it and Docker are there (STATIC_BUILD=cross|zig decides otherwise), else with
# zig as the C compiler. Both ways take the same flags and the linker and musl that rustc brings.
set -euo pipefail
cd "$(dirname "$0")/.."
task=cross
# shellcheck source=tools/lib.sh
. tools/lib.sh
CROSS_VERSION=0.2.5
machine=${1:-aarch64}
shift || true
TARGET=$(target_dir)

# shellcheck source=cross/flags.sh
. cross/flags.sh "$machine"

by_cross() {
    case ${STATIC_BUILD:-auto} in
        zig) return 1 ;;
        cross) return 0 ;;
    esac
    command -v cross >/dev/null 2>&1 && docker info >/dev/null 2>&1
}

if command -v rustup >/dev/null 2>&1; then
    rustup -q target add "$TRIPLE" || die "rustup cannot add the target $TRIPLE"
fi
if by_cross; then
    # the version of cross says which version of its images it takes
    case $(cross --version 2>/dev/null) in
        "cross $CROSS_VERSION"*) ;;
        *) die "needs cross $CROSS_VERSION: cargo install --locked cross@$CROSS_VERSION" ;;
    esac
    builder=cross
else
    # shellcheck source=cross/zig.sh
    . cross/zig.sh
    builder=cargo
fi
# one after the other: what one package wants of a dependency must not change the other's
for package in hekte "$@"; do
    "$builder" build --locked --release --target "$TRIPLE" -p "$package" --bins
done
[ "${CHECK:-yes}" = no ] || cross/check-binary.sh "$TARGET/$TRIPLE/release/hekte" "$machine"
