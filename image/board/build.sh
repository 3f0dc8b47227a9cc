#!/usr/bin/env bash
# Builds a bootable arm64 image with bitcoind (Debian's bitcoin-knots) and hekte: `make image`.
#
# Needs root (it unpacks a root file system with its owners) and a Debian machine. The image is for
# qemu's board, with its kernel beside it: target/image/{board.img,vmlinuz}. What was fetched is
# kept, so that a second run takes seconds: `rm target/image/root.tar` fetches anew.
set -euo pipefail
cd "$(dirname "$0")/../.."
task=image
# shellcheck source=tools/lib.sh
. tools/lib.sh
TARGET=$(target_dir)
work=$TARGET/image
suite=trixie

[ "$(id -u)" = 0 ] || die "needs root"
need mmdebstrap qemu-aarch64-static:qemu-user-static arch-test sfdisk:fdisk mke2fs:e2fsprogs \
    depmod:kmod "$DEBIAN_KEYRING:debian-archive-keyring"
mirror=$(debian_mirror)
mkdir -p "$work"

# programs for ARM run here through the kernel's binfmt_misc and qemu
if ! arch-test arm64 >/dev/null 2>&1; then
    mountpoint -q /proc/sys/fs/binfmt_misc ||
        mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    update-binfmts --enable qemu-aarch64 || true
    arch-test arm64 >/dev/null || die "programs for arm64 do not run here (binfmt_misc)"
fi

version=$(hekte_version)
deb=$TARGET/deb/hekte_${version}_arm64.deb
[ -s "$deb" ] || deb/build.sh arm64

if [ ! -s "$work/root.tar" ]; then
    say "fetching a Debian root, some minutes"
    include=systemd-sysv,systemd-repart,udev,iproute2,netbase,dbus,kmod,procps,acl,e2fsprogs,fdisk
    leave_out=()
    for folder in man doc locale; do
        leave_out+=(--dpkgopt="path-exclude=/usr/share/$folder/*")
    done
    # bitcoind is in sid only; everything else comes from the stable release
    mmdebstrap --quiet --arch=arm64 --variant=minbase --include="$include,bitcoin-knots" \
        "${leave_out[@]}" --aptopt='APT::Default-Release "'$suite'"' \
        --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$work/root.new.tar" \
        "deb [signed-by=$DEBIAN_KEYRING] $mirror $suite main" \
        "deb [signed-by=$DEBIAN_KEYRING] $mirror sid main"
    mv "$work/root.new.tar" "$work/root.tar"
fi

# the kernel is unpacked, not installed: installing makes an initramfs under emulation, for which
# a board whose drivers are built in has no use
if [ ! -s "$work/kernel/vmlinuz" ]; then
    say "fetching a kernel"
    apt=$work/apt
    rm -rf "$work/kernel" "$work/kernel.new"
    (
        apt_private "$apt" "$suite" arm64
        apt_update "$apt" linux-image-cloud-arm64
        package=$(apt-cache depends linux-image-cloud-arm64 |
            sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
        apt_unpack "$apt" "$work/kernel.new" "$package"
    )
    depmod -b "$work/kernel.new/usr" "$(ls "$work/kernel.new/usr/lib/modules")"
    cp "$work"/kernel.new/boot/vmlinuz-* "$work/kernel.new/vmlinuz"
    mv "$work/kernel.new" "$work/kernel"
    rm -rf "$apt"
fi

root=$work/root
rm -rf "$root"
mkdir -p "$root"
tar -C "$root" -xf "$work/root.tar"
cp -a "$work/kernel/usr/lib/modules" "$root/usr/lib/"
image/add-package.sh "$root" "$deb" /data/bitcoin
cp -r --no-preserve=ownership image/board/root/. "$root/"
install -D -m 0755 image/board/prepare.sh "$root/usr/lib/node-board/prepare"
for unit in systemd-networkd node-board; do
    systemctl --root="$root" enable "$unit" 2>/dev/null
done
# nothing on this board waits for the internet, nor fetches from it by itself
for unit in systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer; do
    systemctl --root="$root" mask "$unit" 2>/dev/null
done
: >"$root/etc/machine-id" # an empty one is filled on the first boot, of each board its own
echo node >"$root/etc/hostname"
mkdir -p "$root/data"

# root, and a data partition that the first boot grows to the size of the disk
img=$work/board.img.new
rm -f "$img"
truncate -s 1600M "$img"
sfdisk -q "$img" <<TABLE
label: gpt
start=2048, size=1400M, type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE, name=root
size=64M, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=data
TABLE
partition() { # number, label, folder: an ext4 in the place of that partition
    local start size
    read -r start size < <(sfdisk -J "$img" | python3 -c 'import json, sys
part = json.load(sys.stdin)["partitiontable"]["partitions"][int(sys.argv[1]) - 1]
print(part["start"], part["size"])' "$1")
    mke2fs -q -t ext4 -F -L "$2" -E "lazy_itable_init=0,root_owner=0:0,offset=$((start * 512))" \
        -d "$3" "$img" "$((size / 2))k"
}
partition 1 node-root "$root"
mkdir -p "$work/empty"
partition 2 node-data "$work/empty"
mv "$img" "$work/board.img"
cp "$work/kernel/vmlinuz" "$work/vmlinuz"
rm -rf "$root" "$work/empty"
echo "image: $work/board.img with $(basename "$deb"), kernel $work/vmlinuz"
