# A made chain, and a hekte that serves it: what demo/run.sh and cross/index-and-ask.sh share.
#
# Both source it after tools/lib.sh. The chain is the same on every machine, so its answers are.
# shellcheck shell=bash

# shellcheck disable=SC2034
SCRIPT=7e7f920871bec61a14a81e9389c6f395263f1cb9493cfdd785f81bf32c8ec28a
server=""

# make_chain CHAINGEN FOLDER: 300 blocks in bitcoind's files.
make_chain() {
    "$1" --out "$2" --blocks 300 --txs-per-block 60 --stale 3 --xor
}

# serve LOG COMMAND ...: starts a hekte and connects file descriptor 3 to it; sets server and port.
serve() {
    local log=$1
    shift
    "$@" --listen 127.0.0.1:0 2>"$log" &
    server=$!
    port=""
    for _ in $(seq 300); do
        port=$(sed -n 's/.*serving Electrum RPC on 127.0.0.1:\([0-9]*\).*/\1/p' "$log")
        [ -z "$port" ] || break
        sleep 0.1
    done
    [ -n "$port" ] || { cat "$log" >&2; die "the server did not start"; }
    exec 3<>"/dev/tcp/127.0.0.1/$port" || die "cannot connect to port $port"
}

# Ends the server as an operator would; it must end without an error.
stop_server() {
    exec 3>&-
    kill "$server"
    wait "$server" || die "the server ended with an error"
    server=""
}

# For the trap at the end of a script: whatever happened, no server is left behind.
kill_server() {
    [ -n "$server" ] || return 0
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
}
