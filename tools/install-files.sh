#!/usr/bin/env bash
# Copies the files of tools/installed-files: install-files.sh ROOT PROGRAM local|image|package
#
# local is `make install` (PREFIX is taken from the environment), image is image/install-into.sh,
# package is deb/build.sh. ROOT is what / is in the installed system; empty is this machine's own.
set -euo pipefail
root=$1 program=$2
cd "$(dirname "$0")/.."

prefix=/usr units=/usr/lib/systemd/system
case $3 in
    local)
        kinds="program unit config example"
        prefix=${PREFIX:-/usr/local} units=/etc/systemd/system
        ;;
    image) kinds="program unit config example account" ;;
    package) kinds="program unit config example account manual" ;;
    *) echo "install-files: no such kind of installation: $3" >&2; exit 64 ;;
esac

while read -r kind file mode place; do
    case " $kinds " in *" $kind "*) ;; *) continue ;; esac
    place=${place/@PREFIX@/$prefix}
    place=$root${place/@UNITS@/$units}
    if [ "$kind" = config ] && [ -e "$place" ]; then
        continue
    fi
    # beside the old one and then in its place: a program that is running cannot be written to
    install -D -m "$mode" "${file/@PROGRAM@/$program}" "$place.new"
    if [ "$kind" = unit ]; then
        sed -i "s|/usr/local/bin/hekte|$prefix/bin/hekte|" "$place.new"
    fi
    mv -f "$place.new" "$place"
done < <(grep -v '^#' tools/installed-files)
