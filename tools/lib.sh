# What the scripts of this checkout have in common. A script sets `task`, its name, and sources it.
#
#     task=deb
#     . tools/lib.sh
#
# Scripts that are carried into an image or a package do not source it: they must stand alone.
# shellcheck shell=sh

say() { echo "${task:?}: $*" >&2; }
die() { say "$*"; exit 1; }

# Where cargo builds, as an absolute path; what the scripts fetch is kept below it, too.
target_dir() {
    mkdir -p "${CARGO_TARGET_DIR:-target}" && (cd "${CARGO_TARGET_DIR:-target}" && pwd)
}

# The version of hekte, from Cargo.toml.
hekte_version() { sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1; }

# need NAME|COMMAND:PACKAGE|/FILE:PACKAGE ...
#
# As root on Debian it installs the packages of which the command or the file is missing. Otherwise
# it names them and fails. A NAME alone is a package, which often has a command of the same name.
need() {
    missing=""
    for wanted in "$@"; do
        package=${wanted##*:} wanted=${wanted%%:*}
        command -v "$wanted" >/dev/null 2>&1 || [ -e "$wanted" ] ||
            { [ "$wanted" = "$package" ] && dpkg -s "$package" >/dev/null 2>&1; } ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if ! can_install; then
        say "please install:$missing (as root: apt-get install$missing)"
        return 1
    fi
    say "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get update -q >&2 </dev/null &&
        apt-get install -q -y --no-install-recommends $missing >&2 </dev/null
}

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The Debian archive that this machine's own apt uses.
debian_mirror() {
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null |
        { grep -E '/debian/?$' || true; } | { grep -v security || true; } | sort -u | head -n 1)
    [ -n "$mirror" ] || die "found no Debian archive in this machine's apt sources"
    echo "$mirror"
}

# apt_private FOLDER [SUITE ARCH]
#
# From here on apt keeps its lists and packages in FOLDER, and the machine's own are left alone.
# With SUITE and ARCH, apt knows only that suite, and takes nothing for installed.
apt_private() {
    rm -rf "$1"
    mkdir -p "$1/lists/partial" "$1/cache/archives/partial" "$1/empty"
    cat >"$1/apt.conf" <<CONF
Dir::State::lists "$1/lists";
Dir::Cache "$1/cache";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
CONF
    if [ $# -eq 3 ]; then
        [ -r "$DEBIAN_KEYRING" ] || die "missing $DEBIAN_KEYRING: install debian-archive-keyring"
        mirror=$(debian_mirror) || return 1
        : >"$1/status"
        echo "deb [signed-by=$DEBIAN_KEYRING arch=$3] $mirror $2 main" >"$1/sources.list"
        cat >>"$1/apt.conf" <<CONF
Dir::State "$1";
Dir::State::status "$1/status";
Dir::Etc::sourcelist "$1/sources.list";
Dir::Etc::sourceparts "$1/empty";
Dir::Etc::preferencesparts "$1/empty";
APT::Architecture "$3";
APT::Architectures { "$3"; };
Acquire::Check-Valid-Until "false";
CONF
    fi
    export APT_CONFIG="$1/apt.conf"
}

# apt_update FOLDER PACKAGE: fetches the lists of the apt of apt_private, which must know PACKAGE.
apt_update() {
    # apt-get update can exit with 0 although it fetched nothing
    if ! apt-get update >"$1/update.log" 2>&1 ||
        ! apt-cache show "$2" >/dev/null 2>>"$1/update.log"; then
        tail -n 5 "$1/update.log" >&2
        die "apt finds no package $2 (network? keyring too old?)"
    fi
}

# apt_unpack FOLDER ROOT PACKAGE ...: fetches the packages and unpacks them below ROOT.
apt_unpack() {
    archives=$1/cache/archives log=$1/download.log unpacked=$2
    shift 2
    (cd "$archives" && apt-get download "$@" >"$log" 2>&1) ||
        { tail -n 5 "$log" >&2; die "apt-get download failed"; }
    mkdir -p "$unpacked"
    for package in "$archives"/*.deb; do
        dpkg-deb -x "$package" "$unpacked" || die "cannot unpack $package (disk full?)"
    done
}
