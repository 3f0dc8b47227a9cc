#!/usr/bin/env bash
# Makes a small chain, indexes it, serves it and asks it what the README asks; cleans up after.
set -eu
cd "$(dirname "$0")/.."
TARGET=${CARGO_TARGET_DIR:-target}

# a script of the made chain: the chain is the same on every machine, so are all answers
SCRIPT=7e7f920871bec61a14a81e9389c6f395263f1cb9493cfdd785f81bf32c8ec28a

say() { printf '\n== %s\n' "$*"; }
die() { echo "demo: $*" >&2; exit 1; }

# --- what a fresh Debian machine lacks ---
missing=""
command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
command -v cargo >/dev/null 2>&1 || missing="$missing rustup"
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || die "please install first:$missing"
    say "installing$missing"
    apt-get update -q </dev/null
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $missing </dev/null
fi

say "building"
cargo build --locked --release --workspace --bins
hekte=$TARGET/release/hekte

dir=$(mktemp -d "${TMPDIR:-/tmp}/hekte-demo.XXXXXX")
server=""
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$dir"
}
trap finish EXIT

say "making a chain of 300 blocks in bitcoind's files"
"$TARGET/release/chaingen" --out "$dir/bitcoin" --blocks 300 --txs-per-block 60 --stale 3 --xor

settings=(--network regtest --bitcoin-dir "$dir/bitcoin" --data-dir "$dir/hekte" --offline)

say "indexing it: hekte --offline --sync-only"
"$hekte" "${settings[@]}" --sync-only

say "checking every row of the index: hekte verify, hekte digest"
"$hekte" "${settings[@]}" verify | tail -n 1
"$hekte" "${settings[@]}" digest

say "serving it"
"$hekte" "${settings[@]}" --listen 127.0.0.1:0 --log-timestamps no 2>"$dir/log" &
server=$!
port=""
for _ in $(seq 100); do
    port=$(sed -n 's/.*serving Electrum RPC on 127.0.0.1:\([0-9]*\).*/\1/p' "$dir/log")
    [ -n "$port" ] && break
    sleep 0.1
done
[ -n "$port" ] || { cat "$dir/log"; die "the server did not start"; }
exec 3<>"/dev/tcp/127.0.0.1/$port" || die "cannot connect to port $port"

ANSWER=""
ask() { # method, parameters
    local question="{\"id\":$((++asked)),\"method\":\"$1\",\"params\":[$2]}"
    printf '\n-> %s\n' "$question"
    printf '%s\n' "$question" >&3
    read -r -t 20 ANSWER <&3 || die "no answer"
    printf '<- %s\n' "$ANSWER" | fold -w 100
    case $ANSWER in
        *'"error"'*) die "that was an error" ;;
    esac
}
asked=0

# until the last block is read the index answers headers only
for _ in $(seq 100); do
    "$hekte" "${settings[@]}" --listen "127.0.0.1:$port" status >"$dir/status" && break
    sleep 0.1
done
grep -E 'height|synced' "$dir/status"

ask server.version '"demo",["1.4","1.6"]'
ask blockchain.headers.subscribe ''
ask blockchain.scripthash.get_balance "\"$SCRIPT\""
ask blockchain.scripthash.get_history "\"$SCRIPT\""
ask blockchain.scripthash.listunspent "\"$SCRIPT\""
ask blockchain.scripthash.subscribe "\"$SCRIPT\""
ask blockchain.transaction.id_from_pos '200,1'
tx=$(printf '%s' "$ANSWER" | grep -oE '[0-9a-f]{64}' | head -n 1)
ask blockchain.transaction.get "\"$tx\""
ask blockchain.transaction.get_merkle "\"$tx\",200"
ask blockchain.transaction.get_confirmed_blockhash "\"$tx\""
ask blockchain.block.header '200,300'
ask hekte.status ''

say "stopping it"
exec 3>&-
kill "$server"
wait "$server" || die "it ended with an error"
server=""
tail -n 1 "$dir/log"
say "done: all answers came from the block files and an index twenty times smaller"
