#!/usr/bin/env bash
# Builds the Debian package of one or more architectures: deb/build.sh [arm64] [amd64] [armhf]
#
# From the static binaries of cross/build.sh, with dpkg-deb alone. The same tree gives the same
# bytes. Packages go to target/deb/; lintian looks at each where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
task=deb
# shellcheck source=tools/lib.sh
. tools/lib.sh
TARGET=$(target_dir)
version=$(hekte_version)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1)}
export SOURCE_DATE_EPOCH
umask 022

command -v dpkg-deb >/dev/null 2>&1 || die "needs dpkg-deb: this is for Debian and its kin"

build() { # Debian's name of the architecture, ours
    local deb_arch=$1 machine=$2 triple=$3
    local root=$TARGET/deb/$deb_arch
    local bin=$TARGET/$triple/release
    cross/build.sh "$machine" hekte-manual
    rm -rf "$root"
    mkdir -p "$root/DEBIAN"

    tools/install-files.sh "$root" "$bin/hekte" package
    local manual=$TARGET/deb/manual-$deb_arch share=$root/usr/share run=()
    [ "$(uname -m)" = "$machine" ] || run=("$(emulator "$machine")")
    "${run[@]}" "$bin/hekte-manual" "$manual"
    install -D -m 0644 "$manual/hekte.1" "$share/man/man1/hekte.1"
    gzip -9n "$share/man/man1/hekte.1"
    install -D -m 0644 "$manual/hekte.bash" "$share/bash-completion/completions/hekte"
    install -D -m 0644 "$manual/_hekte" "$share/zsh/vendor-completions/_hekte"
    install -D -m 0644 "$manual/hekte.fish" "$share/fish/vendor_completions.d/hekte.fish"

    changelog | gzip -9n >"$share/doc/hekte/changelog.gz"
    install -D -m 0644 deb/lintian-overrides "$share/lintian/overrides/hekte"
    # static and at any address: lintian takes it for a shared library on this machine
    [ "$machine" != x86_64 ] || echo 'hekte: shared-library-lacks-prerequisites [usr/bin/hekte]' \
        >>"$share/lintian/overrides/hekte"

    install -m 0755 deb/postinst deb/prerm deb/postrm "$root/DEBIAN/"
    echo /etc/hekte/hekte.toml >"$root/DEBIAN/conffiles"
    (cd "$root" && find usr etc -type f ! -path etc/hekte/hekte.toml -print0 | sort -z |
        xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$deb_arch/" \
        -e "s/@SIZE@/$(du -sk --apparent-size "$root/usr" "$root/etc" |
            awk '{ sum += $1 } END { print sum }')/" deb/control >"$root/DEBIAN/control"

    local package=$TARGET/deb/hekte_${version}_$deb_arch.deb
    dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
    rm -rf "$root" "$manual"
    if command -v lintian >/dev/null 2>&1; then
        lintian --fail-on error,warning,info --tag-display-limit 0 "$package" ||
            die "lintian finds fault with $package"
    else
        say "lintian is not installed, so it did not look at $package"
    fi
    echo "$package: $(wc -c <"$package") bytes, sha256 $(sha256sum "$package" | cut -d ' ' -f 1)"
}

emulator() {
    case $1 in
        armv7) echo qemu-arm-static ;;
        *) echo "qemu-$1-static" ;;
    esac
}

# what changed for users is in CHANGELOG.md; Debian wants a form of its own
changelog() {
    echo "hekte ($version) unstable; urgency=medium"
    echo
    echo "  * What changed: CHANGELOG.md in hekte's source."
    echo
    echo " -- hekte developers <developers@hekte.invalid>  $(date -uRd "@$SOURCE_DATE_EPOCH")"
}

[ $# -gt 0 ] || set -- arm64 amd64
for arch in "$@"; do
    case $arch in
        arm64) build arm64 aarch64 aarch64-unknown-linux-musl ;;
        amd64) build amd64 x86_64 x86_64-unknown-linux-musl ;;
        armhf) build armhf armv7 armv7-unknown-linux-musleabihf ;;
        *) die "no such architecture: $arch (arm64, amd64 or armhf)" ;;
    esac
done
