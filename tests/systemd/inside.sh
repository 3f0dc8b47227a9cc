#!/bin/bash
# What tests/systemd/run.sh does under its systemd: hekte.service from its first start to its last.
set -u

log=/var/log/hekte.log
config=/etc/hekte/hekte.toml

fail() {
    echo "WRONG: $*"
    systemctl status hekte.service --no-pager 2>&1 | head -20
    tail -20 $log
    exit 1
}
ok() { echo "ok: $*"; }
shown() { systemctl show -P "$1" hekte.service; }
# until CONDITION... holds, a minute at most
until_so() {
    for _ in $(seq 600); do
        "$@" && return
        sleep 0.1
    done
    fail "waited in vain: $*"
}
is() { [ "$(shown "$1")" = "$2" ]; }
ask() { hekte "$1" --config $config "${@:2}"; }
# of a server that runs: without one, the database answers
synced() { ask status 2> /dev/null | grep -c -e '^running=true$' -e '^synced=true$' | grep -q 2; }
says() { grep -q "$1" $log; }

systemd-sysusers /usr/lib/sysusers.d/hekte.conf || fail "no user"
systemd-tmpfiles --create /usr/lib/tmpfiles.d/hekte.conf || fail "no folder"
useradd --system bitcoin 2> /dev/null
chown -R bitcoin:bitcoin /var/lib/bitcoind
chmod -R go= /var/lib/bitcoind
settings() {
    printf '%s\n' 'network = "regtest"' 'bitcoin_dir = "/var/lib/bitcoind"' \
        'data_dir = "/var/lib/hekte"' 'listen = ["127.0.0.1:50001"]' 'log_level = "debug"' "$@" \
        > $config
}

settings
runuser -u hekte -- hekte check --config $config > /tmp/check && fail "closed files are no error"
grep -q '^ok *data dir' /tmp/check || fail "$(cat /tmp/check)"
grep -q 'error *blocks: .*setfacl -R -m u:hekte:rX' /tmp/check || fail "$(cat /tmp/check)"
ok "check names the closed block files and the command that opens them"

node=/var/lib/bitcoind
setfacl -m u:hekte:x $node $node/regtest && setfacl -R -m u:hekte:rX $node/regtest/blocks
runuser -u hekte -- hekte check --config $config > /tmp/check
grep -q 'warning *new files: .*setfacl -R -m u:hekte:rX,d:u:hekte:rX' /tmp/check ||
    fail "$(cat /tmp/check)"
ok "check warns of files that bitcoind will make later, where only today's were opened"

systemctl start bitcoind.service || fail "the drop-in"
runuser -u hekte -- hekte check --config $config > /tmp/check
grep -q '^ok *new files' /tmp/check || fail "$(cat /tmp/check)"
begun=$(date +%s%N)
systemctl start hekte.service || fail "does not start without a bitcoind that answers"
echo "figure: start to READY $((($(date +%s%N) - begun) / 1000000)) ms"
{ is ActiveState active && is SubState running; } || fail "not running"
until_so says "waiting for bitcoind"
until_so grep -q "waiting for bitcoind" <(shown StatusText)
ok "active while bitcoind is away, after its drop-in opened the files; status: $(shown StatusText)"

settings 'offline = true'
systemctl restart hekte.service || fail "restart"
until_so synced
pid=$(shown MainPID)
[ "$(stat -c %U /proc/"$pid")" = hekte ] || fail "another user: $(stat -c %U /proc/"$pid")"
grep -q '^CapEff:	0000000000000000' /proc/"$pid"/status || fail "capabilities"
grep -q '^NoNewPrivs:	1' /proc/"$pid"/status || fail "may gain privileges"
grep -q '^Seccomp:	2' /proc/"$pid"/status || fail "no filter of system calls"
[ "$(stat -c %a /var/lib/hekte)" = 750 ] || fail "data_dir's mode"
says "ordinary priority" && fail "the filter forbids the build's step back"
says "with low priority" || fail "the build did not step back"
ok "synced as user hekte, without capabilities, filtered; $(shown StatusText)"

nsenter -t "$pid" -m -- setpriv --reuid=hekte --clear-groups touch /var/lib/bitcoind/regtest/x \
    2> /dev/null && fail "bitcoind's folder can be written"
nsenter -t "$pid" -m -- sh -c '! touch /usr/x /var/x /etc/hekte/x 2> /dev/null' || fail "writable"
ok "the file system is read-only for it, even for root"

sed -i 's/debug/info/' $config
echo 'max_clients = 5' >> $config
systemctl reload hekte.service || fail "reload"
says "max_clients has changed, which takes effect at the next start" || fail "said nothing"
{ is ActiveState active && is NRestarts 0; } || fail "not the same process after a reload"
ok "reload reads the configuration and names what waits"

kill -STOP "$pid"
begun=$(date +%s%N)
until_so is NRestarts 1
until_so is ActiveState active
echo "figure: hang to restart with WatchdogSec=3 $((($(date +%s%N) - begun) / 1000000)) ms"
until_so synced
ok "a stopped process is killed by the watchdog and started again"

kill -KILL "$(shown MainPID)"
until_so is NRestarts 2
until_so synced
ok "so is a killed one"

systemctl stop hekte.service
{ is Result success && is ExecMainStatus 0; } ||
    fail "stop: $(shown Result) $(shown ExecMainStatus)"
ok "stop ends with 0"

settings 'offline = true' 'nonsense = 1'
systemctl start hekte.service 2> /dev/null && fail "started with a slip in its configuration"
sleep 3
{ is ActiveState failed && is NRestarts 0 && is ExecMainStatus 78; } || fail "goes on trying"
ok "a slip in the configuration is not tried again and again"
systemctl reset-failed hekte.service

mkdir -p /var/lib/disk
settings 'offline = true' 'require_marker = "/var/lib/disk/marker"'
systemctl start --no-block hekte.service
until_so says "marker /var/lib/disk/marker is not there"
touch /var/lib/disk/marker
until_so synced
ok "without its marker it waits, with it it serves"
systemctl stop hekte.service

settings 'offline = true'
systemctl start hekte.socket || fail "the socket"
is ActiveState inactive || fail "started before anybody asked"
exec 5<> /dev/tcp/127.0.0.1/50001
# before the files are looked through, which it does at each start here, the height is lower
tip_through_socket() {
    echo '{"id":1,"method":"blockchain.headers.subscribe"}' >&5
    read -r -t 60 reply <&5
    [[ $reply == *'"height":300'* ]]
}
until_so tip_through_socket
exec 5>&-
ok "the first client starts it through its socket"
systemctl stop hekte.socket hekte.service

systemd-analyze security --threshold=20 hekte.service --no-pager > /tmp/exposure ||
    fail "the unit is exposed by more than 2.0: $(tail -1 /tmp/exposure)"
echo "figure: $(tail -1 /tmp/exposure | tr -cd '[:print:]')"
echo "ALL RIGHT"
