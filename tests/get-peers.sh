#!/usr/bin/env bash
# Brings electrs 0.10.10 and ElectrumX 2.0.0 to target/peers, to be compared with; minutes, once.
#
# `get-peers.sh electrumx` brings the second one only, which needs no compiler. As root, missing
# Debian packages are installed; otherwise they are named. Nothing is installed outside of target.
set -euo pipefail
cd "$(dirname "$0")/.."
task="get-peers"
# shellcheck source=tools/lib.sh
. tools/lib.sh
peers=$(target_dir)/peers
mkdir -p "$peers"

electrumx() {
    [ -e "$peers/electrumx/complete" ] && return 0
    need python3-venv
    say "fetching ElectrumX 2.0.0"
    rm -rf "$peers/electrumx"
    python3 -m venv "$peers/electrumx"
    "$peers/electrumx/bin/pip" install --quiet 'e-x==2.0.0' plyvel >&2
    touch "$peers/electrumx/complete"
}

electrs() {
    [ -x "$peers/electrs-0.10.10/bin/electrs" ] && return 0
    need clang libclang-dev librocksdb-dev
    # it wants just this RocksDB; another one is left aside and its own compiled, for long
    library=$(dpkg -L librocksdb-dev | grep 'librocksdb\.so$' | head -n 1)
    case "$(dpkg-query -W -f "\${Version}" librocksdb-dev)" in
        7.8.3*) ROCKSDB_LIB_DIR=$(dirname "$library"); export ROCKSDB_LIB_DIR ;;
        *) say "librocksdb-dev is not 7.8.3: compiling it, too"; need g++ make ;;
    esac
    say "compiling electrs 0.10.10"
    CARGO_TARGET_DIR="$peers/build" "${CARGO:-cargo}" install electrs --version 0.10.10 --locked \
        --quiet --root "$peers/electrs-0.10.10" >&2
    rm -rf "$peers/build"
}

case "${1:-all}" in
    electrumx) electrumx ;;
    all) electrumx; electrs ;;
    *) die "get-peers.sh [electrumx]" ;;
esac
say "ready: $peers"
