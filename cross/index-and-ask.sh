#!/usr/bin/env bash
# A binary indexes a made chain and answers questions whose answers the README shows.
#
#     cross/index-and-ask.sh BINARY [EMULATOR [ARGUMENT ...]]
set -eu
cd "$(dirname "$0")/.."
binary=$1
shift
TARGET=${CARGO_TARGET_DIR:-$PWD/target}

# the made chain is the same on every machine, so its answers are
SCRIPT=7e7f920871bec61a14a81e9389c6f395263f1cb9493cfdd785f81bf32c8ec28a
BALANCE='"result":{"confirmed":12260352,"unconfirmed":0}'
TX='"result":"f8c3a23a5e9aff64b24c5fa22fda19a82448e09788df3fde4e5cd299650c3bde"'
DIGEST=025189911425500132089d8a6b7d9308be8fe2461358b29d999f02f2163c91a3

dir=$(mktemp -d "${TMPDIR:-/tmp}/hekte-static.XXXXXX")
server=""
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT
die() { echo "index-and-ask: $*" >&2; cat "$dir/log" >&2 2>/dev/null || true; exit 1; }

# without the flags of the static build, which would build everything for this machine anew
env -u RUSTFLAGS -u SOURCE_DATE_EPOCH \
    cargo build -q --locked -p hekte-testkit --bin chaingen
"$TARGET/debug/chaingen" --out "$dir/bitcoin" --blocks 300 --txs-per-block 60 --stale 3 --xor \
    >/dev/null
hekte=("$@" "$binary" --network regtest --bitcoin-dir "$dir/bitcoin" --data-dir "$dir/hekte")
"${hekte[@]}" --offline --sync-only >/dev/null 2>"$dir/log" || die "does not index"
"${hekte[@]}" --offline verify >/dev/null || die "the index does not pass verify"
digest=$("${hekte[@]}" --offline digest) || die "gives no digest"
case $digest in *"$DIGEST"*) ;; *) die "the digest is $digest, not $DIGEST" ;; esac

"${hekte[@]}" --offline --listen 127.0.0.1:0 2>"$dir/log" &
server=$!
port=""
for _ in $(seq 300); do
    port=$(sed -n 's/.*serving Electrum RPC on 127.0.0.1:\([0-9]*\).*/\1/p' "$dir/log")
    [ -n "$port" ] && break
    sleep 0.1
done
[ -n "$port" ] || die "does not serve"
exec 3<>"/dev/tcp/127.0.0.1/$port" || die "cannot connect to port $port"
ask() { # method, parameters, what must be in the answer
    local answer
    for _ in $(seq 300); do
        printf '{"id":1,"method":"%s","params":[%s]}\n' "$1" "$2" >&3
        read -r -t 60 answer <&3 || die "no answer to $1"
        # the files are scanned at every start
        case $answer in *"unavailable index"*) sleep 0.1 ;; *) break ;; esac
    done
    case $answer in *"$3"*) ;; *) die "$1: $answer instead of $3" ;; esac
}
ask blockchain.scripthash.get_balance "\"$SCRIPT\"" "$BALANCE"
ask blockchain.transaction.id_from_pos 200,1 "$TX"
exec 3>&-
kill "$server"
wait "$server" || die "ends with an error"
server=""
