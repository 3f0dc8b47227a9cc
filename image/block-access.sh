#!/bin/sh
# Runs before bitcoind: makes its blocks folder and opens it to the user hekte, now and later.
#
#     block-access.sh [CONFIGURATION]
#
# bitcoind makes its files for its own user alone, but what it creates below a folder with a default
# access list can be read by hekte. Only the blocks are opened. The folders follow from bitcoin_dir
# and network in hekte's configuration; their owner is that of bitcoin_dir.
set -eu
config=${1:-/etc/hekte/hekte.toml}

value() {
    sed -n "s/^$1 *= *\"\(.*\)\".*/\1/p" "$config" | tail -n 1
}
dir=$(value bitcoin_dir)
network=$(value network)
[ -d "$dir" ] || { echo "block-access: no folder $dir (bitcoin_dir in $config)" >&2; exit 66; }
owner=$(stat -c %u "$dir")
group=$(stat -c %g "$dir")

setfacl -m u:hekte:x "$dir"
case $network in
    "" | bitcoin) ;;
    *)
        dir=$dir/$network
        [ -d "$dir" ] || install -d -m 0700 -o "$owner" -g "$group" "$dir"
        setfacl -m u:hekte:x,g::x "$dir"
        ;;
esac
[ -d "$dir/blocks" ] || install -d -m 0700 -o "$owner" -g "$group" "$dir/blocks"
setfacl -R -m u:hekte:rX,d:u:hekte:rX "$dir/blocks"
