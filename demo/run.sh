#!/usr/bin/env bash
# Makes a small chain, indexes it, serves it and asks it what the README asks; cleans up after.
set -euo pipefail
cd "$(dirname "$0")/.."
task=demo
# shellcheck source=tools/lib.sh
. tools/lib.sh
# shellcheck source=tools/serve.sh
. tools/serve.sh
TARGET=$(target_dir)

step() { printf '\n== %s\n' "$*"; }

# what a fresh Debian machine lacks
command -v cc >/dev/null 2>&1 || need gcc libc6-dev
need cargo:rustup

step "building"
cargo build --locked --release --workspace --bins
hekte=$TARGET/release/hekte

dir=$(mktemp -d "${TMPDIR:-/tmp}/hekte-demo.XXXXXX")
finish() {
    kill_server
    rm -rf "$dir"
}
trap finish EXIT

step "making a chain of 300 blocks in bitcoind's files"
make_chain "$TARGET/release/chaingen" "$dir/bitcoin"

settings=(--network regtest --bitcoin-dir "$dir/bitcoin" --data-dir "$dir/hekte" --offline)

step "indexing it: hekte --offline --sync-only"
"$hekte" "${settings[@]}" --sync-only

step "checking every row of the index: hekte verify, hekte digest"
"$hekte" "${settings[@]}" verify | tail -n 1
"$hekte" "${settings[@]}" digest

step "serving it"
serve "$dir/log" "$hekte" "${settings[@]}" --log-timestamps no

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

step "stopping it"
stop_server
tail -n 1 "$dir/log"
step "done: all answers came from the block files and an index twenty times smaller"
