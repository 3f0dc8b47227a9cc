#!/usr/bin/env bash
# Prints the folder of npm's @mempool/electrum-client for the tests; fetches it to target/npm.
set -euo pipefail
cd "$(dirname "$0")/.."
task="get-npm-client"
# shellcheck source=tools/lib.sh
. tools/lib.sh

for tool in node npm; do
    command -v "$tool" >/dev/null 2>&1 || die "there is no $tool on this machine"
done
dir="$(target_dir)/npm"
mkdir -p "$dir"
if [ ! -e "$dir/complete" ]; then
    say "fetching @mempool/electrum-client"
    npm install --prefix "$dir" --no-audit --no-fund --ignore-scripts \
        @mempool/electrum-client@1.1.9 >"$dir/npm.log" 2>&1 ||
        { tail -n 5 "$dir/npm.log" >&2; die "npm cannot fetch it"; }
    touch "$dir/complete"
fi
echo "$dir/node_modules/@mempool/electrum-client"
