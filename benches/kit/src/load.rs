//! A thousand clients that watch, while transactions and blocks come: how soon they are told.

use std::collections::HashMap;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::bitcoind::Bitcoind;
use hekte_testkit::chain::{ChainSpec, Generator, Shape};
use hekte_testkit::client::Client;
use hekte_testkit::hekte::Hekte;
use hekte_testkit::maker::{Maker, Pay};
use hekte_testkit::model::ScriptHash;
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;
use hekte_testkit::script::{Kind, Owner, SIGNED, script_pubkey};
use hekte_testkit::wallet::Coin;
use serde_json::json;

use crate::clients::{CLIENTS, Clients, WATCHED_EACH};
use crate::stats::{head, ms, percentile, row};

/// Scripts that are watched, each by five clients on average.
const SCRIPTS: u64 = 20_000;
/// Blocks before anybody watches.
const BLOCKS: u32 = 260;

/// The stage: a chain, the node, hekte, and who watches.
struct Stage {
    node: Bitcoind,
    maker: Maker,
    server: Hekte,
    hashes: HashMap<Owner, String>,
    owners: Vec<Owner>,
    rng: Rng,
    _scratch: Scratch,
}

fn stage() -> Stage {
    let spec = ChainSpec {
        blocks: BLOCKS,
        txs_per_block: 400,
        shape: Shape::Bench,
        ..ChainSpec::default()
    };
    let mut generator = Generator::new(&spec);
    let node = Bitcoind::start(&["-maxmempool=1000"]);
    for made in generator.by_ref().skip(1) {
        node.submit(&made.block);
    }
    let mut maker = generator.into_maker();
    // those whom full blocks pay, and others
    let known = SIGNED.iter().flat_map(|kind| (0..500).map(|key| Owner { kind: *kind, key }));
    let others = (0..SCRIPTS).map(|n| Owner { kind: Kind::P2wpkh, key: 1_000_000 + n });
    let owners: Vec<Owner> = known.chain(others).take(SCRIPTS as usize).collect();
    let hash = |owner: &Owner, maker: &mut Maker| {
        ScriptHash::of(&script_pubkey(&mut maker.ring, *owner)).to_string()
    };
    let hashes = owners.iter().map(|owner| (*owner, hash(owner, &mut maker))).collect();
    let scratch = Scratch::new("load");
    let config = scratch.join("hekte.toml");
    fs::write(&config, format!("max_clients = {}\n", CLIENTS + 10)).expect("scratch is writable");
    let config = config.display().to_string();
    let args = node.hekte_args(scratch.path(), &["--memory=256MiB", "--config", &config]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let binary = crate::hekte();
    let mut server = Hekte::start(&binary.to_string_lossy(), scratch.path(), &args);
    server.wait_log(&format!("serving, height={}", node.height()));
    Stage { node, maker, server, hashes, owners, rng: Rng::new(3), _scratch: scratch }
}

/// Kinds whose outputs are longer than Knots takes into its mempool (34 bytes): every payment to
/// one was refused.
fn is_bare(kind: Kind) -> bool {
    matches!(kind, Kind::P2pk | Kind::P2pkUncompressed | Kind::Multisig)
}

impl Stage {
    /// A payment to four of those who are watched.
    fn payment(&mut self, coin: Coin) -> (String, Vec<String>) {
        let value = (coin.value - 5000) / 4;
        let mut paid = Vec::new();
        while paid.len() < 4 {
            let owner = self.owners[self.rng.below(self.owners.len() as u64) as usize];
            if !is_bare(owner.kind) {
                paid.push(owner);
            }
        }
        let pays: Vec<Pay> = paid.iter().map(|owner| Pay::Owner(*owner, value)).collect();
        let tx = self.maker.loose_tx(&[coin], &pays);
        // who paid is told as well
        paid.push(coin.owner);
        let touched = paid.iter().filter_map(|owner| self.hashes.get(owner).cloned()).collect();
        (serialize_hex(&tx), touched)
    }

    fn coins(&self, count: usize) -> Vec<Coin> {
        self.maker.wallet.signed_coins(50_000).take(count).collect()
    }
}

/// CPU seconds that a process has used, and its memory now and at most, MiB.
fn used(pid: u32) -> (f64, u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0) / 1024
    };
    ((ticks(11) + ticks(12)) / 100.0, mib("VmRSS:"), mib("VmHWM:"))
}

/// One line of the table: what was told after `begun`, or after the time in `since` for a script.
fn report(
    what: &str,
    stage: &Stage,
    cpu_before: f64,
    heard: &[(Instant, String)],
    since: impl Fn(&str, Instant) -> Option<Instant>,
) {
    let times: Vec<Duration> = heard
        .iter()
        .filter_map(|(at, of)| Some(at.saturating_duration_since(since(of, *at)?)))
        .collect();
    let (cpu, rss, peak) = used(stage.server.id());
    let longest = times.iter().max().map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
    row(&[
        what.into(),
        times.len().to_string(),
        ms(percentile(&times, 50)),
        ms(percentile(&times, 99)),
        ms(longest),
        format!("{:.2}", cpu - cpu_before),
        format!("{rss} / {peak}"),
    ]);
}

/// Measures and prints a table.
pub fn run() {
    let mut stage = stage();
    let watched: Vec<String> =
        stage.owners.iter().map(|owner| stage.hashes[owner].clone()).collect();
    let cpu = used(stage.server.id()).0;
    let begun = Instant::now();
    let clients = Clients::start(&stage.server.address(), &watched);
    println!(
        "{CLIENTS} clients with {WATCHED_EACH} scripts each connected and subscribed in {:.1} s, \
         hekte used {:.1} s of CPU, {} MiB",
        begun.elapsed().as_secs_f64(),
        used(stage.server.id()).0 - cpu,
        used(stage.server.id()).1
    );
    head(&["what", "told", "p50 ms", "p99 ms", "last ms", "CPU s", "RSS / peak MiB"]);
    idle(&stage, &clients);
    payments(&mut stage, &clients, true);
    payments(&mut stage, &clients, false);
    mempool_block(&stage, &clients);
    full_block(&mut stage, &clients);
}

fn idle(stage: &Stage, clients: &Clients) {
    let cpu = used(stage.server.id()).0;
    sleep(Duration::from_secs(10));
    report("10 s of nothing", stage, cpu, &clients.settle(), |_, _| None);
}

/// 500 payments, 50 a second: broadcast through hekte, or met by bitcoind.
fn payments(stage: &mut Stage, clients: &Clients, through: bool) {
    let mut door = Client::connect(stage.server.address());
    let from = if through { 0 } else { 500 };
    let coins = stage.coins(1000).split_off(from);
    let made: Vec<_> = coins.into_iter().take(500).map(|coin| stage.payment(coin)).collect();
    let (mut since, cpu) = (HashMap::<_, Vec<Instant>>::new(), used(stage.server.id()).0);
    let mut refused = 0;
    for (n, (hex, scripts)) in (0u32..).zip(made) {
        let at = Instant::now();
        let taken = match through {
            true => door.call("blockchain.transaction.broadcast", json!([hex])).is_ok(),
            false => stage.node.rpc.try_call("sendrawtransaction", json!([hex])).is_ok(),
        };
        refused += u32::from(!taken);
        scripts.into_iter().for_each(|script| since.entry(script).or_default().push(at));
        if n % 5 == 4 {
            sleep(Duration::from_millis(100).saturating_sub(at.elapsed()));
        }
    }
    let heard = clients.settle();
    let way = if through { "broadcast through hekte" } else { "met by bitcoind" };
    let what = format!("500 payments {way}, {refused} refused");
    report(&what, stage, cpu, &heard, |of, at| {
        // the last payment before it
        since.get(of)?.iter().rfind(|begun| **begun <= at).copied()
    });
}

/// The block that confirms those.
fn mempool_block(stage: &Stage, clients: &Clients) {
    let cpu = used(stage.server.id()).0;
    let begun = Instant::now();
    stage.node.generate_to_descriptor(1, "raw(51)");
    let known = Instant::now();
    let heard = clients.settle();
    blocks("a block of the 1000 payments", stage, cpu, &heard, [begun, known]);
}

/// A block of very nearly 4 million weight units that nobody has seen a transaction of.
fn full_block(stage: &mut Stage, clients: &Clients) {
    // the maker's tip is not the node's any more
    let height = stage.node.height();
    let mined = stage.node.rpc.call("getblockhash", json!([height]));
    stage.node.rpc.call("invalidateblock", json!([mined]));
    clients.settle();
    let block = stage.maker.full_block().block;
    let (weight, txs) = (block.weight().to_wu(), block.txdata.len());
    let cpu = used(stage.server.id()).0;
    let begun = Instant::now();
    stage.node.submit(&block);
    let known = Instant::now();
    let heard = clients.settle();
    let what = format!("a block of {weight} weight units, {txs} transactions");
    blocks(&what, stage, cpu, &heard, [begun, known]);
}

/// Tips and scripts, from handing the block to bitcoind, and from when bitcoind was done with it.
fn blocks(what: &str, stage: &Stage, cpu: f64, heard: &[(Instant, String)], at: [Instant; 2]) {
    let (tips, scripts): (Vec<_>, Vec<_>) = heard.iter().cloned().partition(|(_, of)| of == "tip");
    for (begun, from) in at.into_iter().zip(["handed over", "connected by bitcoind"]) {
        report(&format!("{what}: tip, since {from}"), stage, cpu, &tips, |_, _| Some(begun));
        report(&format!("{what}: scripts, since {from}"), stage, cpu, &scripts, |_, _| Some(begun));
    }
}
