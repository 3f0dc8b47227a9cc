#!/bin/sh
# At each boot, before bitcoind and hekte: mounts the data disk; the first time, configures both.
#
# The data disk is chosen at the first boot: the file system labelled node-disk if there is one (a
# disk of the owner's), otherwise node-data, the partition in the image. Later boots use that one or
# none, so that no chain or index is begun anew on the wrong disk while the right one is missing.
# The word node.network=signet on the kernel's command line sets the network at the first boot.
set -eu
chosen=/etc/node-board.disk
marker=/data/.node-board

say() { echo "node-board: $*"; }
find_disk() { blkid -t "LABEL=$1" -o device | head -n 1; }

udevadm settle --timeout=30 || true
if [ -e "$chosen" ]; then
    label=$(cat "$chosen")
elif [ -n "$(find_disk node-disk)" ]; then
    label=node-disk
else
    label=node-data
fi
disk=$(find_disk "$label")
waited=0
while [ -z "$disk" ] && [ "$waited" -lt 60 ]; do # a USB disk may take some time to appear
    sleep 1
    waited=$((waited + 1))
    disk=$(find_disk "$label")
done
[ -n "$disk" ] || { say "no disk labelled $label: connect it and restart"; exit 1; }

if ! mountpoint -q /data; then
    mkdir -p /data
    mount -t ext4 -o noatime "$disk" /data
fi
# if the disk is larger than the image, systemd-repart has grown the partition already
resize2fs "$disk" 2>/dev/null || say "the file system on $disk stays as large as it is"
if [ -e "$chosen" ] && [ ! -e "$marker" ]; then
    say "$disk is not the data disk of this node ($marker is missing)"
    exit 1
fi

if [ ! -e "$chosen" ]; then
    network=$(sed -n 's/.*node\.network=\([a-z0-9]*\).*/\1/p' /proc/cmdline)
    case $network in
        "" | bitcoin) network=bitcoin chain=main port=50001 ;;
        testnet4) chain=testnet4 port=40001 ;;
        signet) chain=signet port=60601 ;;
        regtest) chain=regtest port=60401 ;;
        *) say "no such network: $network"; exit 1 ;;
    esac
    install -d -m 0750 /data/bitcoin /data/hekte
    # a disk with a chain or an index comes from a machine with other user ids
    chown -R bitcoin:bitcoin /data/bitcoin
    chown -R hekte:hekte /data/hekte
    cat >/etc/bitcoin/bitcoin.conf.new <<CONF
# written at the first boot
datadir=/data/bitcoin
chain=$chain
server=1
rpccookieperms=group
CONF
    chown bitcoin:bitcoin /etc/bitcoin/bitcoin.conf.new
    chmod 0640 /etc/bitcoin/bitcoin.conf.new
    mv /etc/bitcoin/bitcoin.conf.new /etc/bitcoin/bitcoin.conf
    # listens for wallets on other machines of the local network
    sed -i -e "s|^#*network = .*|network = \"$network\"|" \
        -e "s|^data_dir = .*|data_dir = \"/data/hekte\"|" \
        -e "s|^#*listen = .*|listen = [\"0.0.0.0:$port\"]|" /etc/hekte/hekte.toml
    : >"$marker"
    sync
    # comes last: if power fails before this, the next boot is a first boot again
    echo "$label" >"$chosen.new"
    mv "$chosen.new" "$chosen"
    sync
    say "first boot: $disk is the data disk, the network is $network"
fi
