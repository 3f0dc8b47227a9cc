# What get-bitcoind.sh and get-electrum.sh share; they source it with name, own and home.
#
# name: of the program. own: the value of the variable that names one of the user's own. home: of
# the checkout. Afterwards: what tools/lib.sh brings, a die that names the variable, dir (below
# cargo's target), and wrapper, which starts the program.
# shellcheck shell=bash
: "${name:?}" "${own?}" "${home:?}"

cd "$home" || exit
task="get-$name"
# shellcheck source=tools/lib.sh
. tools/lib.sh
variable=$(echo "$name" | tr '[:lower:]' '[:upper:]')
dir="$(target_dir)/$name"
wrapper="$dir/$name"

die() { say "$*"; say "set $variable=/path/to/$name to use one of your own"; exit 1; }

if [ -n "$own" ]; then
    [ -x "$own" ] || { say "$variable=$own is not an executable file"; exit 1; }
    echo "$own"
    exit 0
fi
if command -v "$name" >/dev/null 2>&1; then
    command -v "$name"
    exit 0
fi
# the wrapper is written last, so its presence means that everything before it succeeded
if [ -x "$wrapper" ]; then
    echo "$wrapper"
    exit 0
fi

for tool in apt-get apt-cache dpkg dpkg-deb flock; do
    command -v "$tool" >/dev/null 2>&1 || die "needs $tool (this recipe is for Debian machines)"
done
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9 # two test binaries may ask at once
if [ -x "$wrapper" ]; then
    echo "$wrapper"
    exit 0
fi
rm -rf "$dir/root"
