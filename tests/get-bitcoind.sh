#!/usr/bin/env bash
# Prints the path of a bitcoind that runs on this machine; fetches one when there is none.
#
# Order: $BITCOIND, then PATH, then Debian's bitcoin-knots from sid, unpacked (not installed) under
# target/bitcoind/ and started through its own dynamic loader, since sid's libc is newer than ours.
# Only the path goes to stdout; everything else goes to stderr.
set -euo pipefail

name=bitcoind
own=${BITCOIND:-}
home=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/found-or-locked.sh
. "$home/tests/found-or-locked.sh"

apt="$dir/apt"
arch=$(dpkg --print-architecture)
apt_private "$apt" sid "$arch"
say "fetching bitcoin-knots and its libraries from Debian sid, once"
apt_update "$apt" bitcoin-knots
mapfile -t names < <(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
    --no-breaks --no-replaces --no-enhances bitcoin-knots libc6 libstdc++6 |
    grep -E '^(bitcoin-knots|lib[a-z0-9.+-]+)$' | sort -u)
apt_unpack "$apt" "$dir/root" "${names[@]}"

real=$(find "$dir/root" -type f -name bitcoind | head -n 1)
[ -n "$real" ] || die "the package bitcoin-knots holds no bitcoind"
loader=$(find "$dir/root" \( -type f -o -type l \) \( -name 'ld-linux-*.so.*' \) | head -n 1)
[ -n "$loader" ] || die "libc6 holds no ld-linux"
libs=$(dirname "$(find "$dir/root" \( -type f -o -type l \) -name 'libstdc++.so.6' | head -n 1)")
# paths relative to the wrapper, so that a moved checkout keeps working
cat >"$wrapper.new" <<RUN
#!/bin/sh
here=\$(cd "\$(dirname "\$0")" && pwd)
exec "\$here${loader#"$dir"}" --library-path "\$here${libs#"$dir"}" "\$here${real#"$dir"}" "\$@"
RUN
chmod +x "$wrapper.new"
version=$("$wrapper.new" --version 2>&1 | head -n 1) || die "the unpacked bitcoind does not start"
rm -rf "$apt"
mv "$wrapper.new" "$wrapper"
say "ready: $version"
echo "$wrapper"
