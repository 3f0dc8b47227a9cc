# Where Debian packages come from: the archive that this machine's own apt uses. To be sourced.
# shellcheck shell=sh

debian_mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI)' 2>/dev/null |
        grep -E '/debian/?$' | grep -v security | sort -u | head -n 1
}

# needs COMMAND PACKAGE, ...: installs what is missing as root, names it otherwise
needs() {
    lacking=""
    while [ $# -ge 2 ]; do
        command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || lacking="$lacking $2"
        shift 2
    done
    [ -z "$lacking" ] && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "please install:$lacking" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2 </dev/null
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $lacking >&2 </dev/null
}
