# The flags of every static build, with either tool; cross/build.sh sources it with the machine.
# shellcheck shell=bash

case $1 in
    aarch64) TRIPLE=aarch64-unknown-linux-musl ZIG_TARGET=aarch64-linux-musl ;;
    x86_64) TRIPLE=x86_64-unknown-linux-musl ZIG_TARGET=x86_64-linux-musl ;;
    armv7) TRIPLE=armv7-unknown-linux-musleabihf ZIG_TARGET=arm-linux-musleabihf ;;
    *) echo "cross: no such machine: $1 (aarch64, x86_64 or armv7)" >&2; exit 64 ;;
esac
export TRIPLE ZIG_TARGET

# makes the binary independent of the folders of checkout, cargo and output; `cross` mounts cargo's
# as /cargo
maps="$PWD=/hekte ${CARGO_HOME:-$HOME/.cargo}=/cargo $TARGET=/target"
RUSTFLAGS=
CFLAGS=
for map in $maps; do
    RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$map"
    CFLAGS="$CFLAGS -ffile-prefix-map=$map"
done
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1)}
underscored=${TRIPLE//-/_}
export RUSTFLAGS SOURCE_DATE_EPOCH "CFLAGS_$underscored=$CFLAGS -g0"
export "CARGO_TARGET_$(echo "$underscored" | tr "[:lower:]" "[:upper:]")_LINKER=rust-lld"
