#!/usr/bin/env bash
# Brings what the tests need onto a Debian machine: compiler, Python, a bitcoind, a wallet.
#
# What is there already is left alone. As root, missing packages are installed; otherwise they are
# named. Needs no input.
set -euo pipefail
cd "$(dirname "$0")/.."
task=prepare
# shellcheck source=tools/lib.sh
. tools/lib.sh

# whoever cannot install is told what is missing; the tests may do without
need cc:gcc make git python3 flock:util-linux setfacl:acl /usr/include/stdio.h:libc6-dev \
    "$DEBIAN_KEYRING:debian-archive-keyring" || ! can_install
command -v cargo >/dev/null 2>&1 || die "no cargo: install Rust with rustup first"

# tests that need a node or a wallet skip with a message when there is none
for fetch in tests/get-bitcoind.sh tests/get-electrum.sh tests/get-npm-client.sh; do
    [ -x "$fetch" ] || continue
    if found=$("$fetch"); then
        say "$fetch: $found"
    else
        say "$fetch found nothing; the tests that need it will say that they are skipped"
    fi
done
