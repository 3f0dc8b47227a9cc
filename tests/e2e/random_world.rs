//! A bitcoind, hekte beside it, the wallets that pay each other, and those who watch.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bitcoin::{OutPoint, ScriptBuf};
use hekte_testkit::bitcoind::{self, Bitcoind};
use hekte_testkit::chain::{ChainSpec, Generator};
use hekte_testkit::client::Client;
use hekte_testkit::hekte::{self, Finished, Hekte};
use hekte_testkit::keys::KeyRing;
use hekte_testkit::model::ScriptHash;
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;
use hekte_testkit::script::{Kind, Owner, SIGNED, script_pubkey};
use serde_json::json;

use crate::subscriber::Subscriber;
use crate::truth::Truth;

const BINARY: &str = env!("CARGO_BIN_EXE_hekte");
/// How long notifications may take to settle.
pub const SETTLED: Duration = Duration::from_secs(60);
/// Height of the chain that a run begins with.
pub const START: u32 = 220;

/// Everything of one run.
pub struct RandomWorld {
    pub node: Bitcoind,
    pub scratch: Scratch,
    pub truth: Truth,
    pub ring: KeyRing,
    pub rng: Rng,
    /// Whom scripts belong to: coins of these can be spent.
    pub owners: BTreeMap<ScriptHash, Owner>,
    /// Those who are paid again and again.
    pub regulars: Vec<Owner>,
    /// What was done, newest last.
    pub log: Vec<String>,
    /// Time as the node sees it.
    pub clock: u32,
    /// Transactions accepted.
    pub sent: u32,
}

impl RandomWorld {
    /// A node with [`START`] blocks; `None` where the test is to be skipped.
    pub fn new(test: &str, seed: u64) -> Option<RandomWorld> {
        if !bitcoind::available(test) {
            return None;
        }
        println!("seed {seed}");
        let spec = ChainSpec { blocks: START, txs_per_block: 6, seed, ..ChainSpec::default() };
        let mut generator = Generator::new(&spec);
        let node = Bitcoind::start(&[]);
        for made in generator.by_ref().skip(1) {
            node.submit(&made.block);
        }
        let maker = generator.into_maker();
        let mut ring = maker.ring.clone();
        let mut owners = BTreeMap::new();
        let mut own = |ring: &mut KeyRing, owner: Owner| {
            owners.insert(ScriptHash::of(&script_pubkey(ring, owner)), owner);
        };
        maker.wallet.coins().iter().for_each(|coin| own(&mut ring, coin.owner));
        let kinds = SIGNED.iter().chain(&[Kind::OpenWsh, Kind::OpenSh, Kind::OpenBare]);
        let regulars = kinds.flat_map(|kind| (0..7).map(|key| Owner { kind: *kind, key }));
        let regulars: Vec<Owner> = regulars.collect();
        regulars.iter().for_each(|owner| own(&mut ring, *owner));
        let mut world = RandomWorld {
            node,
            scratch: Scratch::new("e2e"),
            truth: Truth::default(),
            ring,
            rng: Rng::new(seed),
            owners,
            regulars,
            log: Vec::new(),
            clock: 0,
            sent: 0,
        };
        world.truth.look(&world.node.rpc);
        world.clock = world.truth.blocks[START as usize].header.time;
        world.tick();
        Some(world)
    }

    /// Ten minutes later. The node's clock is ours, so that a seed makes the same run again.
    pub fn tick(&mut self) {
        self.clock += 600;
        self.node.rpc.call("setmocktime", json!([self.clock]));
    }

    fn args(&self, data: &str, extra: &[&str]) -> Vec<String> {
        self.node.hekte_args(&self.scratch.join(data), extra)
    }

    /// Starts hekte and waits until it is at the node's tip.
    pub fn hekte(&self) -> Hekte {
        let hekte = self.start_hekte();
        let (mut client, end) = (hekte.client(), Instant::now() + SETTLED);
        loop {
            let ready = client.call("server.ping", json!([])).is_ok();
            let tip = client.call("blockchain.headers.subscribe", json!([]));
            if ready && tip == Ok(self.truth.tip()) {
                return hekte;
            }
            assert!(Instant::now() < end, "{tip:?}\n{}", hekte.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts hekte; its port is open.
    pub fn start_hekte(&self) -> Hekte {
        let args = self.args("a", &[]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Hekte::start(BINARY, self.scratch.path(), &args)
    }

    /// Runs hekte to its end.
    pub fn run(&self, data: &str, extra: &[&str]) -> Finished {
        let args = self.args(data, extra);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        hekte::run(BINARY, self.scratch.path(), &args)
    }

    /// Compares the index, which nobody uses just now, with one built from nothing.
    pub fn same_as_built_anew(&self) {
        let built = self.run("fresh", &["--sync-only"]);
        assert!(built.status.success(), "{}", built.stderr);
        // the newest blocks of ours were in memory only
        let ours = self.run("a", &["digest"]);
        assert!(ours.status.success(), "{}", ours.stderr);
        let height = ours.stdout.split_once(" height=").expect("it says so").1.trim();
        let fresh = self.run("fresh", &["digest", "--height", height]);
        assert_eq!(ours.stdout, fresh.stdout);
        let verified = self.run("a", &["verify"]);
        assert!(verified.status.success(), "{}{}", verified.stdout, verified.stderr);
    }

    /// The scripts that are paid again and again, and two that nobody ever pays.
    pub fn scripts(&mut self) -> Vec<ScriptBuf> {
        let strangers = (900..902).map(|key| Owner { kind: Kind::P2wpkh, key });
        let all: Vec<Owner> = self.regulars.iter().copied().chain(strangers).collect();
        all.into_iter().map(|owner| script_pubkey(&mut self.ring, owner)).collect()
    }

    /// Some outpoints: spent, unspent, unconfirmed, and ones that do not exist.
    pub fn outpoints(&mut self, count: usize) -> Vec<OutPoint> {
        let mut some: Vec<OutPoint> = self.coins().iter().map(|coin| coin.outpoint).collect();
        some.extend(self.truth.loose_spends.keys());
        some.sort_unstable();
        let pick = |rng: &mut Rng| some.get(rng.below(some.len() as u64) as usize).copied();
        let mut outs: Vec<OutPoint> = (1..count).filter_map(|_| pick(&mut self.rng)).collect();
        if let Some(last) = outs.last().copied() {
            outs.push(OutPoint { vout: last.vout + 5000, ..last });
        }
        outs.sort_unstable();
        outs.dedup();
        outs
    }

    /// One who watches everything, at one of the versions.
    pub fn subscriber(&mut self, client: Client, version: &'static str) -> Subscriber {
        let outpoints = self.outpoints(30);
        let scripts = self.scripts();
        Subscriber::new(client, version, &scripts, &outpoints)
    }

    /// Waits until everybody's picture is that of the node: of its blocks and of what it says of
    /// its mempool, of scripts (`scantxoutset`) and of outputs (`gettxout`).
    pub fn settle(&mut self, watching: &mut [Subscriber], hekte: &Hekte) {
        self.truth.look(&self.node.rpc);
        let end = Instant::now() + SETTLED;
        loop {
            watching.iter_mut().for_each(|one| one.hear(Duration::from_millis(5)));
            let Some(mistake) = watching.iter().find_map(|one| one.mistake(&self.truth)) else {
                break;
            };
            if Instant::now() > end {
                let did = &self.log[self.log.len().saturating_sub(12)..];
                let now: Vec<_> = watching.iter_mut().map(|one| one.asked_anew(hekte)).collect();
                panic!("{mistake}\nafter {}\n{}\n{now:?}", did.join("\n"), hekte.log());
            }
        }
        self.node_agrees();
    }

    /// Compares a sample of the truth with what else the node says of it.
    fn node_agrees(&mut self) {
        let scripts = self.scripts();
        let some: Vec<ScriptBuf> = scripts.into_iter().step_by(5).collect();
        let descriptors: Vec<String> =
            some.iter().map(|script| format!("raw({})", script.to_hex_string())).collect();
        let found = self.node.rpc.call("scantxoutset", json!(["start", descriptors]));
        let sum: u64 = some.iter().map(|s| self.truth.model.balance(ScriptHash::of(s))).sum();
        assert_eq!(hekte_testkit::rpc::satoshi(&found["total_amount"]), sum);
        for out in self.outpoints(20) {
            let there = self.node.rpc.call("gettxout", json!([out.txid.to_string(), out.vout]));
            let status = self.truth.outpoint(&out);
            let unspent =
                status.get("funder_height").is_some() && status.get("spender_txhash").is_none();
            assert_eq!(!there.is_null(), unspent, "{out}: {there}, {status}");
        }
    }
}
