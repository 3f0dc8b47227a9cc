#!/usr/bin/env bash
# A binary indexes a made chain and answers questions whose answers the README shows.
#
#     cross/index-and-ask.sh BINARY [EMULATOR [ARGUMENT ...]]
set -euo pipefail
cd "$(dirname "$0")/.."
task="index-and-ask"
# shellcheck source=tools/lib.sh
. tools/lib.sh
# shellcheck source=tools/serve.sh
. tools/serve.sh
binary=$1
shift
TARGET=$(target_dir)

BALANCE='"result":{"confirmed":12260352,"unconfirmed":0}'
TX='"result":"f8c3a23a5e9aff64b24c5fa22fda19a82448e09788df3fde4e5cd299650c3bde"'
DIGEST=025189911425500132089d8a6b7d9308be8fe2461358b29d999f02f2163c91a3

dir=$(mktemp -d "${TMPDIR:-/tmp}/hekte-static.XXXXXX")
finish() {
    kill_server
    rm -rf "$dir"
}
trap finish EXIT
die() { say "$*"; cat "$dir/log" >&2 2>/dev/null || true; exit 1; }

# without the flags of the static build, which would build everything for this machine anew
env -u RUSTFLAGS -u SOURCE_DATE_EPOCH \
    cargo build -q --locked -p hekte-testkit --bin chaingen
make_chain "$TARGET/debug/chaingen" "$dir/bitcoin" >/dev/null
hekte=("$@" "$binary" --network regtest --bitcoin-dir "$dir/bitcoin" --data-dir "$dir/hekte")
"${hekte[@]}" --offline --sync-only >/dev/null 2>"$dir/log" || die "does not index"
"${hekte[@]}" --offline verify >/dev/null || die "the index does not pass verify"
digest=$("${hekte[@]}" --offline digest) || die "gives no digest"
case $digest in *"$DIGEST"*) ;; *) die "the digest is $digest, not $DIGEST" ;; esac

serve "$dir/log" "${hekte[@]}" --offline
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
stop_server
