#!/usr/bin/env bash
# Boots the image of `make image` in qemu and puts it through tests/board: `make image-test`.
set -euo pipefail
cd "$(dirname "$0")/../.."
task="image-test"
# shellcheck source=tools/lib.sh
. tools/lib.sh
TARGET=$(target_dir)
need qemu-system-aarch64:qemu-system-arm mke2fs:e2fsprogs
[ -s "$TARGET/image/board.img" ] || die "make image first"
export BOARD_IMAGE=$TARGET/image
if [ ! -d "$BOARD_IMAGE/chain" ]; then # for the second test; 430 MB, kept
    rm -rf "$BOARD_IMAGE/chain.new"
    cargo run --locked --release -p hekte-testkit --bin chaingen -- \
        --out "$BOARD_IMAGE/chain.new" --blocks 1000 --txs-per-block 800
    mv "$BOARD_IMAGE/chain.new" "$BOARD_IMAGE/chain"
fi
# one board after the other: emulation takes all the processors there are
cargo test --locked --test board -- --nocapture --test-threads 1 "$@"
