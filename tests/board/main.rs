//! A board that boots bitcoind and hekte from our image in qemu: questions from outside, hangs,
//! power cuts. `make image-test` runs these tests; without `BOARD_IMAGE` they print that they are
//! skipped.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod disks;
mod machine;

use std::env;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::machine::Machine;

/// The Electrum script hash of OP_TRUE, which the blocks of these tests pay.
const OPEN: &str = "6032c38c0bc0e91e726f1e55e1832e434509001a7aed5cfd881b6ef07215e84a";

fn image(test: &str) -> Option<PathBuf> {
    let folder = env::var_os("BOARD_IMAGE").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("\n*** SKIPPED {test}: BOARD_IMAGE is not set; see `make image-test` ***");
    }
    folder
}

fn height(machine: &Machine, wanted: impl Fn(u64) -> bool) -> u64 {
    let reached = |answer: &Value| answer["height"].as_u64().is_some_and(&wanted);
    let answer = machine.wait_for("blockchain.headers.subscribe", json!([]), reached);
    answer["height"].as_u64().unwrap()
}

/// Waits for the end of a build, merge included.
fn built(machine: &Machine, tip: u64) {
    let done = |status: &Value| status["synced"] == true && status["height"] == tip;
    machine.wait_for("hekte.status", json!([]), done);
}

fn cli(machine: &mut Machine, call: &str) -> String {
    machine.shell(&format!("bitcoin-cli -conf=/etc/bitcoin/bitcoin.conf {call}"))
}

/// Checks that hekte's answers about the open script equal bitcoind's own set of coins.
fn same_as_bitcoind(machine: &mut Machine) -> u64 {
    let tip: u64 = cli(machine, "getblockcount").parse().unwrap();
    assert_eq!(height(machine, |height| height >= tip), tip);
    let balance = |answer: &Value| answer.get("confirmed").is_some();
    let ours = machine.wait_for("blockchain.scripthash.get_balance", json!([OPEN]), balance);
    let coins = cli(machine, "scantxoutset start '[\"raw(51)\"]' | grep total_amount");
    let digits: String = coins.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(ours["confirmed"].as_u64().unwrap(), digits.parse::<u64>().unwrap(), "{coins}");
    tip
}

/// The value of a property of hekte's unit.
fn unit(machine: &mut Machine, property: &str) -> String {
    machine.shell(&format!("systemctl show hekte.service -P {property}"))
}

fn number(machine: &mut Machine, line: &str) -> u64 {
    let answer = machine.shell(line);
    answer.parse().unwrap_or_else(|_| panic!("{line}: {answer}"))
}

#[test]
fn a_fresh_card_becomes_a_node_and_stays_one() {
    let Some(image) = image("a fresh card") else { return };
    let disk = disks::copy(&image, "card");
    let disks = [disk.path().to_path_buf()];
    let mut board = Machine::boot(&image, &disks);
    // hekte answers even while there is only the first block
    height(&board, |height| height == 0);
    println!("first boot: an answer after {:.0} s", board.seconds());
    let state = board.shell("systemctl is-system-running --wait");
    let failed = board.shell("systemctl --failed --plain --no-legend");
    assert_eq!(state, "running", "{failed}");
    println!("{}", board.shell("systemd-analyze"));
    assert_eq!(unit(&mut board, "Type"), "notify");
    assert_eq!(unit(&mut board, "ActiveState"), "active");
    assert_ne!(unit(&mut board, "StatusText"), "", "no word from hekte through its socket");
    let started = "ExecMainStartTimestampMonotonic";
    let started: u64 = unit(&mut board, started).parse().unwrap();
    let active: u64 = unit(&mut board, "ActiveEnterTimestampMonotonic").parse().unwrap();
    println!("time to READY: {} ms", (active - started) / 1000);
    let megabytes = number(&mut board, "df --output=size -BM /data | tail -n 1 | tr -dc 0-9");
    assert!(megabytes > 1000, "the data partition did not grow: {megabytes} MB");

    cli(&mut board, "generatetodescriptor 110 'raw(51)' >/dev/null");
    assert_eq!(same_as_bitcoind(&mut board), 110);
    idle(&mut board);
    hang(&mut board);
    // a power cut loses what bitcoind has not flushed, so let it flush all but the last blocks
    cli(&mut board, "gettxoutsetinfo >/dev/null");
    board.shell("sync");
    cli(&mut board, "generatetodescriptor 5 'raw(51)' >/dev/null");
    assert_eq!(same_as_bitcoind(&mut board), 115);
    board.cut_power();

    let mut board = Machine::boot(&image, &disks);
    assert!(height(&board, |height| height >= 110) <= 115);
    println!("boot after a power cut at the tip: an answer after {:.0} s", board.seconds());
    cli(&mut board, "generatetodescriptor 3 'raw(51)' >/dev/null");
    println!("height {}", same_as_bitcoind(&mut board));
    assert_eq!(board.shell("systemctl is-system-running --wait"), "running");
    board.power_off();
}

/// Prints memory and processor time while nobody asks anything.
fn idle(board: &mut Machine) {
    sleep(Duration::from_secs(10));
    let before: u64 = unit(board, "CPUUsageNSec").parse().unwrap();
    sleep(Duration::from_secs(30));
    let after: u64 = unit(board, "CPUUsageNSec").parse().unwrap();
    println!("idle: {} ms of processor in 30 s", (after - before) / 1_000_000);
    println!("idle: {}", board.shell("grep VmRSS /proc/$(systemctl show hekte -P MainPID)/status"));
}

/// Checks that the watchdog ends a hanging hekte and starts it again, and that it then answers.
fn hang(board: &mut Machine) {
    let pid = unit(board, "MainPID");
    let now = Instant::now();
    board.shell(&format!("kill -STOP {pid}"));
    let (mut restarts, mut rounds) = (0, 0);
    while restarts == 0 {
        rounds += 1;
        assert!(rounds < 60, "the watchdog did not bite");
        sleep(Duration::from_secs(5));
        restarts = unit(board, "NRestarts").parse().unwrap();
    }
    height(board, |height| height == 110);
    assert_ne!(unit(board, "MainPID"), pid);
    println!("hang: answers again after {:.0} s", now.elapsed().as_secs_f64());
    let log = board.shell("journalctl -b -u hekte --no-pager -o cat | grep -i watchdog");
    assert!(log.contains("Watchdog timeout"), "{log}");
}

#[test]
fn a_disk_that_brings_a_chain_is_found_and_indexed_through_a_power_cut() {
    let Some(image) = image("a disk that brings a chain") else { return };
    let node = disks::node_disk(&image);
    let card = disks::copy(&image, "node");
    let disks = [card.path().to_path_buf(), node.image.clone()];
    let mut board = Machine::boot(&image, &disks);
    // a build begins without any action of ours
    board.wait_for("hekte.status", json!([]), |status| status["target"] == node.tip);
    println!("first boot with a chain: a build after {:.0} s", board.seconds());
    assert_eq!(board.shell("findmnt -no LABEL /data"), "node-disk");

    // a build from start to end within 256 MiB
    begin_within(&mut board, "MemoryMax=256M");
    let now = Instant::now();
    built(&board, node.tip);
    println!("whole build: {:.0} s, of {} transactions", now.elapsed().as_secs_f64(), node.txs);
    memory(&mut board);
    assert_eq!(unit(&mut board, "NRestarts"), "0");
    assert_eq!(digest(&mut board), node.digest);

    // another build in small batches, interrupted in the middle
    begin_within(&mut board, "MemoryMax=256M Environment=HEKTE_MEMORY=64MiB");
    let stored = "journalctl _SYSTEMD_INVOCATION_ID=$(systemctl show hekte -P InvocationID) \
         --no-pager -o cat | sed -n 's/.*indexed \\([0-9]*\\) transactions in all.*/\\1/p'";
    let deadline = Instant::now() + machine::PATIENCE;
    let mut batches = Vec::new();
    while batches.len() < 2 {
        assert!(Instant::now() < deadline, "only {} batches were stored", batches.len());
        batches = board.shell(stored).lines().map(|count| count.parse::<u64>().unwrap()).collect();
    }
    let before = batches[batches.len() - 1];
    memory(&mut board);
    let status = board.ask("hekte.status", json!([])).expect("hekte answers while it builds");
    board.cut_power();
    assert_eq!(status["synced"], false, "too quick to be cut: {status}");
    println!("power cut after {} batches, {} of {}", batches.len(), status["height"], node.tip);

    let mut board = Machine::boot(&image, &disks);
    built(&board, node.tip);
    println!("boot after a power cut in a build: indexed after {:.0} s", board.seconds());
    // blocks that were stored before are not read again
    let first = "journalctl -b -u hekte --no-pager -o cat | \
         sed -n 's/.*indexed \\([0-9]*\\) transactions in all.*/\\1/p' | head -n 1";
    let first = number(&mut board, first);
    assert!(first > before, "stored before the cut {before}, first after it {first}");
    println!("transactions in batches stored: {before} before the cut, then {first}");
    memory(&mut board);
    assert_eq!(unit(&mut board, "NRestarts"), "0");
    assert_eq!(digest(&mut board), node.digest);
    let exposure =
        "systemd-analyze security hekte --threshold=20 --no-pager >/tmp/exposure; echo $?";
    assert_eq!(number(&mut board, exposure), 0, "exposed by more than 2.0");
    println!("{}", board.shell("tail -n 1 /tmp/exposure"));
    board.power_off();
}

/// Starts hekte without an index, with these settings in its unit.
fn begin_within(board: &mut Machine, settings: &str) {
    board.shell(&format!(
        "systemctl stop hekte; rm -rf /data/hekte/regtest; \
         mkdir -p /etc/systemd/system/hekte.service.d; \
         printf '%s\\n' '[Service]' MemoryHigh=infinity {settings} \
         >/etc/systemd/system/hekte.service.d/test.conf; \
         systemctl daemon-reload; sync; systemctl start hekte"
    ));
}

/// Prints the most memory that hekte took since it started, and that of its control group with the
/// page cache.
fn memory(board: &mut Machine) {
    let peak = "grep VmHWM /proc/$(systemctl show hekte -P MainPID)/status";
    println!("MemoryMax=256M: {}", board.shell(peak));
    println!("MemoryMax=256M: MemoryPeak={}", unit(board, "MemoryPeak"));
    let kills = "sed -n 's/^oom_kill //p' \
         /sys/fs/cgroup$(systemctl show hekte -P ControlGroup)/memory.events";
    assert_eq!(number(board, kills), 0, "the kernel killed hekte for want of memory");
}

/// The digest of the index; checks that it is the one made on this machine.
fn digest(board: &mut Machine) -> String {
    let told = board.shell(
        "runuser -u hekte -- hekte --config /etc/hekte/hekte.toml --offline digest 2>/dev/null",
    );
    told.split_whitespace().next().unwrap_or_default().to_owned()
}
