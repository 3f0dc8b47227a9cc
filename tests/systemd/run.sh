#!/usr/bin/env bash
# Boots a real systemd in namespaces of its own and lets it run hekte.service: `make systemd-test`.
#
# Its root is this machine's, with everything written going to memory and gone afterwards. Needs
# root, systemd 250 or newer, util-linux, setfacl. The network namespace is empty but for loopback.
#
#     tests/systemd/run.sh HEKTE CHAINGEN
set -euo pipefail

hekte=$(realpath "$1") chaingen=$(realpath "$2")
here=$(cd "$(dirname "$0")/../.." && pwd)

if [ "${3:-}" != inside ]; then
    task="systemd-test"
    # shellcheck source=tools/lib.sh
    . "$here/tools/lib.sh"
    [ "$(id -u)" = 0 ] || die "needs root, for namespaces and mounts"
    need unshare:util-linux script:bsdutils setfacl:acl systemctl:systemd
    work=$(mktemp -d)
    # a group of our own, below which that systemd makes its groups
    hierarchy=/sys/fs/cgroup/systemd
    [ -d $hierarchy ] || hierarchy=/sys/fs/cgroup
    group=$hierarchy/hekte-test-$$
    mkdir "$group"
    trap 'find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || :; rm -rf "$work"' EXIT
    sh -c 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"' sh "$group" \
        timeout -s KILL "${SYSTEMD_TEST_SECONDS:-600}" \
        script -qec "unshare -m -p -f --kill-child -C -n -u -i $0 $hekte $chaingen inside $work" \
        /dev/null < /dev/null | tr -d '\r' | sed 's/\x1b\[[0-9;?]*[a-zA-Z]//g' | tee "$work/log" ||
        : # how it ended is in the log
    grep -q '^ALL RIGHT$' "$work/log"
    exit
fi

# from here on in the namespaces
tmp=$4/memory
mkdir "$tmp"
mount -t tmpfs tmpfs "$tmp"
mkdir "$tmp/up" "$tmp/work" "$tmp/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$tmp/up,workdir=$tmp/work" "$tmp/root"
root=$tmp/root

# hekte as an image gets it, beside a node's block files as bitcoind leaves them
"$here/image/install-into.sh" "$root" "$hekte"
cp "$here/tests/systemd/inside.sh" "$root/usr/local/bin/hekte-systemd-test"
install -m 0644 "$here/systemd/hekte.socket" "$root/etc/systemd/system/hekte.socket"
mkdir -p "$root/etc/systemd/system/bitcoind.service.d" "$root/var/lib/bitcoind"
deeper='s|bitcoind/blocks|bitcoind/regtest/blocks|g'
deeper="$deeper; s|u:hekte:x [^ ]*|& /var/lib/bitcoind/regtest|"
sed "$deeper" "$here/systemd/bitcoind.conf" \
    > "$root/etc/systemd/system/bitcoind.service.d/hekte.conf"
"$chaingen" --out "$root/var/lib/bitcoind" --blocks 300 --txs-per-block 20 --xor > /dev/null

# what a kernel and a container manager would have set up
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$root/var/tmp"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind /dev/$node "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
touch "$root/dev/console"
mount --bind "$(tty)" "$root/dev/console"
mount --bind /sys "$root/sys"
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
    mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
    mkdir "$root/sys/fs/cgroup/systemd"
    mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
fi

units=$root/etc/systemd/system
printf '%s\n' '[Unit]' 'Description=Test' 'Wants=hekte-test.service' > "$units/hekte-test.target"
printf '%s\n' '[Unit]' 'DefaultDependencies=no' '[Service]' \
    'ExecStart=/bin/bash /usr/local/bin/hekte-systemd-test' 'StandardOutput=tty' \
    'StandardError=tty' 'TTYPath=/dev/console' 'ExecStopPost=/bin/systemctl exit 0' \
    > "$units/hekte-test.service"
# a bitcoind that only stands for the real one's unit: what counts is order and drop-in
printf '%s\n' '[Service]' 'Type=oneshot' 'RemainAfterExit=yes' 'ExecStart=/bin/true' \
    > "$units/bitcoind.service"
mkdir -p "$units/hekte.service.d"
# quicker than in life, and a log that this test can read without a journal
printf '%s\n' '[Unit]' 'DefaultDependencies=no' '[Service]' 'WatchdogSec=3' 'RestartSec=1' \
    'StandardError=append:/var/log/hekte.log' > "$units/hekte.service.d/test.conf"
cd "$root"
exec chroot "$root" /usr/bin/env -i container=hekte-test /usr/lib/systemd/systemd --system \
    --unit=hekte-test.target --log-target=console --log-level=warning --show-status=0
