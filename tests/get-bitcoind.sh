#!/bin/sh
# Prints the path of a bitcoind that runs on this machine; fetches one when there is none.
#
# Order: $BITCOIND, then PATH, then Debian's bitcoin-knots from sid, unpacked (not installed) under
# target/bitcoind/ and started through its own dynamic loader, since sid's libc is newer than ours.
# Only the path goes to stdout; everything else goes to stderr.
set -eu

name=bitcoind
own=${BITCOIND:-}
home=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/found-or-locked.sh
. "$home/tests/found-or-locked.sh"

# The mirror is whichever Debian archive this machine's own apt already uses.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null |
    grep -E '/debian/?$' | grep -v security | sort -u | head -n 1) || true
[ -n "$mirror" ] || die "found no Debian archive in this machine's apt sources"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || die "missing $keyring: apt-get install debian-archive-keyring"

apt="$dir/apt"
arch=$(dpkg --print-architecture)
rm -rf "$apt" "$dir/root"
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/empty" "$dir/root"
: >"$apt/status"
echo "deb [signed-by=$keyring arch=$arch] $mirror sid main" >"$apt/sources.list"
# A separate apt state: nothing on the machine is installed or changed.
cat >"$apt/apt.conf" <<CONF
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/empty";
Dir::Etc::preferencesparts "$apt/empty";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
CONF
export APT_CONFIG="$apt/apt.conf"

say "fetching bitcoin-knots and its libraries from $mirror (sid), once"
apt-get update >"$apt/update.log" 2>&1 ||
    {
        tail -n 5 "$apt/update.log" >&2
        die "apt-get update of sid failed (network? keyring too old?)"
    }
# apt-get update can exit 0 although it fetched nothing
apt-cache show bitcoin-knots >/dev/null 2>&1 ||
    { tail -n 5 "$apt/update.log" >&2; die "no package bitcoin-knots for $arch in $mirror sid"; }
names=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances bitcoin-knots libc6 libstdc++6 |
    grep -E '^(bitcoin-knots|lib[a-z0-9.+-]+)$' | sort -u)
(cd "$apt/cache/archives" && apt-get download $names >"$apt/download.log" 2>&1) ||
    { tail -n 5 "$apt/download.log" >&2; die "apt-get download failed"; }
for deb in "$apt"/cache/archives/*.deb; do
    dpkg-deb -x "$deb" "$dir/root" || die "cannot unpack $deb (disk full?)"
done

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
