#!/usr/bin/env bash
# Builds the static aarch64 binary on a machine without Docker, with zig as the C compiler.
#
# zig comes as a Python package, so no cross toolchain is installed on the machine; rustc brings the
# linker and musl itself.
set -eu
cd "$(dirname "$0")/.."
ZIG_VERSION=0.15.2
TRIPLE=aarch64-unknown-linux-musl
TARGET=${CARGO_TARGET_DIR:-$PWD/target}

die() { echo "cross: $*" >&2; exit 1; }

if [ ! -x "$TARGET/zig-$ZIG_VERSION/bin/python" ]; then
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
        [ "$(id -u)" = 0 ] || die "please install python3-venv"
        apt-get update -q </dev/null && apt-get install -q -y python3-venv </dev/null
    fi
    python3 -m venv "$TARGET/zig-$ZIG_VERSION.new"
    "$TARGET/zig-$ZIG_VERSION.new/bin/python" -m pip install -q "ziglang==$ZIG_VERSION"
    rm -rf "$TARGET/zig-$ZIG_VERSION"
    mv "$TARGET/zig-$ZIG_VERSION.new" "$TARGET/zig-$ZIG_VERSION"
fi
export HEKTE_ZIG_PYTHON="$TARGET/zig-$ZIG_VERSION/bin/python"
"$HEKTE_ZIG_PYTHON" -m ziglang version >/dev/null || die "zig does not start"

command -v rustup >/dev/null 2>&1 && rustup target add "$TRIPLE" >/dev/null 2>&1

export CC_aarch64_unknown_linux_musl=$PWD/cross/zig-cc
export AR_aarch64_unknown_linux_musl=$PWD/cross/zig-ar
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
cargo build --locked --release --target "$TRIPLE" --bin hekte
cross/check-binary.sh "$TARGET/$TRIPLE/release/hekte"
