#!/bin/sh
# Brings electrs 0.10.10 and ElectrumX 2.0.0 to target/peers, to be compared with; minutes, once.
#
# `get-peers.sh electrumx` brings the second one only, which needs no compiler. As root, missing
# Debian packages are installed; otherwise they are named. Nothing is installed outside of target.
set -eu
cd "$(dirname "$0")/.."

say() { echo "get-peers: $*" >&2; }
die() { say "$*"; exit 1; }

peers="${CARGO_TARGET_DIR:-target}/peers"
mkdir -p "$peers"
peers=$(cd "$peers" && pwd)

packages() {
    missing=""
    for package in "$@"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || die "please install:$missing (as root: apt-get install$missing)"
    say "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $missing >&2 </dev/null
}

electrumx() {
    [ -e "$peers/electrumx/complete" ] && return 0
    packages python3-venv
    say "fetching ElectrumX 2.0.0"
    rm -rf "$peers/electrumx"
    python3 -m venv "$peers/electrumx"
    "$peers/electrumx/bin/pip" install --quiet 'e-x==2.0.0' plyvel >&2
    touch "$peers/electrumx/complete"
}

electrs() {
    [ -x "$peers/electrs-0.10.10/bin/electrs" ] && return 0
    packages clang libclang-dev librocksdb-dev
    # it wants just this RocksDB; another one is left aside and its own compiled, for long
    library=$(dpkg -L librocksdb-dev | grep 'librocksdb\.so$' | head -n 1)
    case "$(dpkg-query -W -f '${Version}' librocksdb-dev)" in
        7.8.3*) ROCKSDB_LIB_DIR=$(dirname "$library"); export ROCKSDB_LIB_DIR ;;
        *) say "librocksdb-dev is not 7.8.3: compiling it, too"; packages g++ make ;;
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
