#!/usr/bin/env bash
# Prints the path of an Electrum wallet that runs on this machine; fetches one when there is none.
#
# Order: $ELECTRUM, then PATH, then Debian's package electrum of this machine's own release with
# what it needs and the machine lacks, unpacked (not installed) under target/electrum/.
# Only the path goes to stdout; everything else goes to stderr.
set -euo pipefail

name=electrum
own=${ELECTRUM:-}
home=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/found-or-locked.sh
. "$home/tests/found-or-locked.sh"

apt="$dir/apt"
apt_private "$apt"
say "fetching electrum and the packages it needs, once"
apt_update "$apt" electrum
apt-get --simulate install electrum >"$apt/plan.log" 2>&1 ||
    { tail -n 5 "$apt/plan.log" >&2; die "there is no package electrum to be had"; }
mapfile -t names < <(sed -n 's/^Inst \([^ ]*\) .*/\1/p' "$apt/plan.log")
apt_unpack "$apt" "$dir/root" "${names[@]}"

# paths relative to the wrapper, so that a moved checkout keeps working
cat >"$wrapper.new" <<'RUN'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
root="$here/root"
python=/usr/bin/python3
[ -x "$python" ] || python="$root$python"
libs=$(find "$root/usr/lib" -maxdepth 1 -type d -name '*-linux-gnu*' | head -n 1)
export PYTHONPATH="$root/usr/lib/python3/dist-packages"
export LD_LIBRARY_PATH="$libs"
exec "$python" -W ignore "$root/usr/bin/electrum" "$@"
RUN
chmod +x "$wrapper.new"
version=$("$wrapper.new" version --offline --dir "$apt/try" 2>&1) ||
    die "the unpacked electrum does not start: $version"
rm -rf "$apt"
mv "$wrapper.new" "$wrapper"
say "ready: electrum $version"
echo "$wrapper"
