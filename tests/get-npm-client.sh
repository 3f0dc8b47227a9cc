#!/bin/sh
# Prints the folder of npm's @mempool/electrum-client for the tests; fetches it to target/npm.
set -eu
cd "$(dirname "$0")/.."

say() { echo "get-npm-client: $*" >&2; }

for tool in node npm; do
    command -v "$tool" >/dev/null 2>&1 || { say "there is no $tool on this machine"; exit 1; }
done
dir="$(pwd)/target/npm"
mkdir -p "$dir"
if [ ! -e "$dir/complete" ]; then
    say "fetching @mempool/electrum-client"
    npm install --prefix "$dir" --no-audit --no-fund --ignore-scripts \
        @mempool/electrum-client@1.1.9 >"$dir/npm.log" 2>&1 ||
        { tail -n 5 "$dir/npm.log" >&2; say "npm cannot fetch it"; exit 1; }
    touch "$dir/complete"
fi
echo "$dir/node_modules/@mempool/electrum-client"
