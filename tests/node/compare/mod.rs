//! hekte beside ElectrumX 2.0.0 on one node: the same answers, or a known difference.

mod electrumx;
mod known;
mod pair;
mod questions;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};
use hekte_testkit::hekte::Hekte;
use hekte_testkit::maker::Pay;
use hekte_testkit::script::{Kind, Owner, script_pubkey};
use hekte_testkit::wallet::Coin;
use serde_json::{Value, json};

use crate::world::World;
use electrumx::ElectrumX;
use pair::{Asked, Outcome, Pair, Question};
use questions::Subjects;

/// Every version that has something of its own.
const VERSIONS: [&str; 5] = ["1.4", "1.4.1", "1.4.2", "1.6", "1.7"];
/// How long ElectrumX may take to see what the node sees.
const PATIENCE: Duration = Duration::from_secs(40);

/// Both servers, the node, and what is asked about.
struct Stage {
    world: World,
    hekte: Hekte,
    electrumx: ElectrumX,
    subjects: Subjects,
    /// Those who listen.
    watching: Vec<Pair>,
    /// Differences with a reason, and one example of each.
    known: BTreeMap<&'static str, String>,
    /// Differences without one: what was asked and answered in which state, and at which versions.
    unknown: BTreeMap<String, Vec<&'static str>>,
}

impl Stage {
    fn new(python: &std::path::Path, world: World) -> Stage {
        let hekte = world.hekte("a", &[]);
        world.right(&hekte);
        let electrumx = ElectrumX::start(python, &world.node);
        let subjects = subjects(&world);
        let (known, unknown) = (BTreeMap::new(), BTreeMap::new());
        Stage { world, hekte, electrumx, subjects, watching: Vec::new(), known, unknown }
    }

    fn pair(&self, version: &'static str) -> Pair {
        Pair::new(version, self.hekte.client(), self.electrumx.client())
    }

    /// Asks lists of questions at every version, each list when the one before is answered. All
    /// versions at once, for ElectrumX may hold the last reply back for a second.
    fn ask(&self, lists: impl Fn(&'static str) -> Vec<Vec<Question>> + Sync) -> Vec<Asked> {
        let at = |version| {
            let mut pair = self.pair(version);
            lists(version).iter().flat_map(|list| pair.ask(list)).collect::<Vec<_>>()
        };
        thread::scope(|scope| {
            let all = VERSIONS.map(|version| scope.spawn(move || at(version)));
            all.into_iter().flat_map(|one| one.join().expect("it does not panic")).collect()
        })
    }

    /// Asks everything about the present state, until nothing differs without a known reason.
    fn compare(&mut self, state: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let before = self.unknown.clone();
            let asked = self.ask(|version| {
                let mut lists = questions::about_scripts(version, &self.subjects).to_vec();
                lists.push(questions::about_the_rest(version, &self.subjects));
                lists
            });
            self.judge(state, asked);
            if self.unknown == before || Instant::now() > end {
                return;
            }
            // perhaps one of the two only needs a moment
            self.unknown = before;
        }
    }

    /// Sorts differences into those with a reason and the others.
    fn judge(&mut self, state: &str, asked: Vec<Asked>) {
        for asked in asked.iter().filter(|asked| asked.ours != asked.theirs) {
            assert!(proves(&asked.ours), "a wrong proof: {asked}");
            match known::reason(asked) {
                Some(reason) => _ = self.known.entry(reason).or_insert_with(|| asked.to_string()),
                None => {
                    let text = format!("{state}: {asked}");
                    self.unknown.entry(text).or_default().push(asked.version);
                }
            }
        }
    }

    /// Has clients of both kinds watch everything.
    fn watch(&mut self) {
        for version in ["1.4", "1.7"] {
            let mut pair = self.pair(version);
            let asked = pair.ask(&questions::subscriptions(version, &self.subjects));
            self.judge("subscribing", asked);
            self.watching.push(pair);
        }
    }

    /// Whoever watches was told the same in the end.
    fn heard(&mut self, state: &str) {
        let end = Instant::now() + PATIENCE;
        for pair in &mut self.watching {
            loop {
                pair.ours.listen(Duration::from_millis(100));
                pair.theirs.listen(Duration::from_millis(100));
                if pair.ours.told == pair.theirs.told || Instant::now() > end {
                    break;
                }
            }
            let (ours, theirs) = (&pair.ours.told, &pair.theirs.told);
            for key in ours.keys().chain(theirs.keys()) {
                let (our, their) = (ours.get(key), theirs.get(key));
                if our != their {
                    let text = format!("{state}, notified {key}: {our:?} | {their:?}");
                    self.unknown.insert(text, vec![pair.version]);
                }
            }
        }
    }

    fn send(&self, tx: &Transaction) -> Txid {
        self.world.node.rpc.call("sendrawtransaction", json!([serialize_hex(tx), 0]));
        tx.compute_txid()
    }

    /// Mines exactly these.
    fn mine(&mut self, txs: &[Txid]) {
        let txs: Vec<String> = txs.iter().map(Txid::to_string).collect();
        self.world.node.generate_block("raw(51)", &txs);
        self.look_again();
    }

    /// Heights as they are now.
    fn look_again(&mut self) {
        let rpc = &self.world.node.rpc;
        self.subjects.tip = rpc.height();
        for (txid, height) in &mut self.subjects.txs {
            let tx = rpc.try_call("getrawtransaction", json!([txid.to_string(), 1]));
            let block = tx.ok().map(|tx| tx["blockhash"].clone()).filter(Value::is_string);
            let header = block.map(|hash| rpc.call("getblockheader", json!([hash])));
            *height = header.and_then(|header| header["height"].as_u64()).map(|h| h as u32);
        }
    }
}

/// Whether a proof for a header leads to its root; true for all else.
fn proves(outcome: &Outcome) -> bool {
    let Outcome::Result(value) = outcome else { return true };
    let text = |name: &str| value[name].as_str().map(str::to_string);
    let (Some(header), Some(root)) = (text("header"), text("root")) else { return true };
    let reversed = |hex: &str| -> Vec<u8> {
        let bytes: Vec<u8> = bitcoin::hex::FromHex::from_hex(hex).expect("hex");
        bytes.into_iter().rev().collect()
    };
    let header: Vec<u8> = reversed(&header).into_iter().rev().collect();
    let double = |bytes: &[u8]| sha256d::Hash::hash(bytes).to_byte_array().to_vec();
    let branch = value["branch"].as_array().cloned().unwrap_or_default();
    let branch: Vec<_> = branch.iter().map(|hash| reversed(hash.as_str().expect("hex"))).collect();
    // the height is not known here: some way of going left and right must lead to the root
    (0..1 << branch.len()).any(|way: u32| {
        let step = |hash: Vec<u8>, (level, other): (usize, &Vec<u8>)| match way >> level & 1 {
            0 => double(&[hash, other.clone()].concat()),
            _ => double(&[other.clone(), hash].concat()),
        };
        branch.iter().enumerate().fold(double(&header), step) == reversed(&root)
    })
}

/// Some of everything on the chain.
fn subjects(world: &World) -> Subjects {
    let model = world.model();
    let outputs = world.blocks.iter().flat_map(|b| &b.txdata).flat_map(|tx| &tx.output);
    let mut scripts: Vec<ScriptBuf> =
        outputs.step_by(97).map(|o| o.script_pubkey.clone()).collect();
    scripts.sort();
    scripts.dedup();
    scripts.push(ScriptBuf::new());
    scripts.push(ScriptBuf::from_bytes(b"nobody".to_vec()));
    let txs = model.transactions().step_by(61);
    let mut txs: Vec<_> = txs.map(|txid| (txid, Some(model.places(txid)[0].0))).collect();
    txs.push(("00".repeat(32).parse().expect("a txid"), None));
    Subjects { scripts, txs, outpoints: Vec::new(), tip: world.height() }
}

#[test]
fn hekte_answers_as_electrumx_does() {
    let Some(python) = electrumx::locate() else { return };
    let Some(world) = World::with("compare", &["-txindex=1"]) else { return };
    let mut stage = Stage::new(&python, world);
    stage.compare("a chain at rest");
    let odd = stage.ask(|_| vec![questions::odd(&stage.subjects)]);
    stage.judge("odd requests", odd);
    wallets(&mut stage);
    println!("known differences, hekte | ElectrumX:");
    for (reason, example) in &stage.known {
        println!("- {reason}: {example}");
    }
    for reason in known::REASONS {
        assert!(stage.known.contains_key(reason), "differs no longer -> take it off: {reason}");
    }
    let unknown = stage.unknown.iter().map(|(text, versions)| format!("{text} {versions:?}"));
    let unknown: Vec<String> = unknown.collect();
    assert!(
        unknown.is_empty(),
        "{} differences without a known reason, hekte | ElectrumX:\n{}\n{}",
        unknown.len(),
        unknown.join("\n"),
        stage.electrumx.log()
    );
}

/// Payments, chains of them, a replacement, blocks, a reorganisation.
fn wallets(stage: &mut Stage) {
    let [mine, yours] = [777_001, 777_002].map(|key| Owner { kind: Kind::P2wpkh, key });
    let ring = &mut stage.world.maker.ring;
    let scripts = [mine, yours].map(|owner| script_pubkey(ring, owner));
    stage.subjects.scripts.extend(scripts);
    let coins: Vec<Coin> = stage.world.maker.wallet.signed_coins(1_000_000).take(3).collect();
    let pay = |stage: &mut Stage, coins: &[Coin], to: &[(Owner, u64)]| -> Transaction {
        let pays: Vec<Pay> = to.iter().map(|(owner, value)| Pay::Owner(*owner, *value)).collect();
        let tx = stage.world.maker.loose_tx(coins, &pays);
        stage.subjects.txs.push((tx.compute_txid(), None));
        tx
    };
    let on = |tx: &Transaction, vout: u32, owner: Owner| Coin {
        outpoint: OutPoint { txid: tx.compute_txid(), vout },
        value: tx.output[vout as usize].value.to_sat(),
        owner,
        height: 0,
        coinbase: false,
    };
    let value = |at: usize| coins[at].value;
    let first = pay(stage, &coins[..1], &[(mine, 400_000), (yours, value(0) - 410_000)]);
    let second = pay(stage, &[on(&first, 0, mine)], &[(yours, 150_000), (mine, 240_000)]);
    let third = pay(stage, &[on(&second, 1, mine), on(&first, 1, yours)], &[(mine, value(0) / 2)]);
    let other = pay(stage, &coins[1..2], &[(mine, value(1) - 7000)]);
    // not those of the second: ElectrumX keeps it for itself when -1 becomes 0
    let outpoints = [on(&first, 0, mine), on(&first, 1, yours), coins[0], coins[1]];
    stage.subjects.outpoints = outpoints.map(|coin| coin.outpoint).to_vec();
    stage.watch();
    for tx in [&first, &second, &third, &other] {
        stage.send(tx);
    }
    stage.compare("a chain of unconfirmed payments");
    stage.heard("a chain of unconfirmed payments");
    stage.mine(&[first.compute_txid()]);
    stage.compare("the first is in a block");
    stage.heard("the first is in a block");
    let bumped = pay(stage, &coins[1..2], &[(mine, value(1) - 90_000)]);
    stage.send(&bumped);
    stage.compare("a payment was replaced");
    stage.heard("a payment was replaced");
    let left = [&second, &third, &bumped].map(|tx| tx.compute_txid());
    stage.mine(&left);
    stage.compare("all is in blocks");
    stage.heard("all is in blocks");
    let tip = stage.world.node.tip().to_string();
    stage.world.node.rpc.call("invalidateblock", json!([tip]));
    stage.world.node.generate_block("raw(52)", &[]);
    stage.mine(&[left[0]]);
    stage.compare("a reorganisation");
    stage.heard("a reorganisation");
    stage.mine(&left[1..]);
    stage.compare("all is in blocks again");
    stage.heard("all is in blocks again");
}
