# zig as C compiler, from a Python package of a pinned version; sourced by cross/build.sh.
#
# Nothing is installed on the machine but python3-venv, where that is missing.
# shellcheck shell=bash
ZIG_VERSION=0.15.2

venv=$TARGET/zig-$ZIG_VERSION
if [ ! -x "$venv/bin/python" ]; then
    python3 -c 'import ensurepip' 2>/dev/null || need python3-venv
    rm -rf "$venv.new"
    python3 -m venv "$venv.new"
    "$venv.new/bin/python" -m pip install -q "ziglang==$ZIG_VERSION"
    rm -rf "$venv"
    mv "$venv.new" "$venv"
fi
export ZIG_PYTHON="$venv/bin/python"
"$ZIG_PYTHON" -m ziglang version >/dev/null || die "zig does not start"

underscored=${TRIPLE//-/_}
export "CC_$underscored=$PWD/cross/zig-cc" "AR_$underscored=$PWD/cross/zig-ar"
