#!/bin/sh
# Brings what the tests need onto a Debian machine: compiler, Python, a bitcoind, a wallet.
#
# What is there already is left alone. As root, missing packages are installed; otherwise they are
# named. Needs no input.
set -eu
cd "$(dirname "$0")/.."

say() { echo "prepare: $*" >&2; }

# program:package
wanted="cc:gcc make:make git:git python3:python3 flock:util-linux setfacl:acl"
missing=""
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -r /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
[ -r /usr/include/stdio.h ] || missing="$missing libc6-dev"

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing$missing"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -q >&2
        # shellcheck disable=SC2086
        apt-get install -q -y --no-install-recommends $missing >&2 </dev/null
    else
        say "please install:$missing (as root: apt-get install$missing)"
    fi
fi
command -v cargo >/dev/null 2>&1 || { say "no cargo: install Rust with rustup first"; exit 1; }

# tests that need a node or a wallet skip with a message when there is none
for fetch in tests/get-bitcoind.sh tests/get-electrum.sh tests/get-npm-client.sh; do
    [ -x "$fetch" ] || continue
    if found=$("$fetch"); then
        say "$fetch: $found"
    else
        say "$fetch found nothing; the tests that need it will say that they are skipped"
    fi
done
