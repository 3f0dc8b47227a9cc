//! What is asked: scripts, transactions and positions, chosen from the chain by fixed rules.

use std::collections::HashMap;
use std::fs;

use hekte::ids::{Height, Prefix, ScriptHash};
use hekte::parse::tx::BlockView;
use hekte::sync::blocks::load::{Load, RecordCopy};
use hekte::sync::build::read::read_blocks;
use serde_json::{Value, json};

use crate::chain::Size;
use crate::read_and_hash::open;

/// Scripts of one class, by the length of their histories.
pub struct Class {
    /// Its name in tables.
    pub name: &'static str,
    lengths: std::ops::RangeInclusive<u32>,
    count: usize,
}

/// From wallets' ordinary scripts to exchanges' hot ones.
pub const CLASSES: [Class; 5] = [
    Class { name: "1 to 10", lengths: 1..=10, count: 400 },
    Class { name: "20 to 200", lengths: 20..=200, count: 200 },
    Class { name: "1 k", lengths: 500..=2000, count: 4 },
    Class { name: "10 k", lengths: 4000..=20_000, count: 4 },
    Class { name: "90 k", lengths: 40_000..=200_000, count: 4 },
];
/// Transactions asked for.
const TXS: usize = 400;

/// Everything that is asked of one chain. Hashes as displayed.
pub struct Probes {
    /// Per class, script hashes and lengths of histories.
    pub scripts: Vec<Vec<(String, u32)>>,
    /// Txid, height, position.
    pub txs: Vec<(String, u32, u32)>,
    /// Height of the tip.
    pub tip: u32,
}

impl Probes {
    /// Of that chain; found once, then kept beside it.
    pub fn of(size: Size) -> Probes {
        let file = size.folder().join("probes.json");
        if let Ok(text) = fs::read_to_string(&file)
            && let Ok(kept) = serde_json::from_str(&text)
        {
            return from_json(&kept);
        }
        eprintln!("choosing what to ask of the {} chain", size.name);
        let probes = choose(size);
        let scripts = json!(probes.scripts);
        let kept = json!({"scripts": scripts, "txs": probes.txs, "tip": probes.tip});
        fs::write(file, kept.to_string()).expect("the target folder can be written");
        probes
    }

    /// How many there are, in words.
    pub fn counts(&self) -> String {
        let mut text = format!("{} transactions; scripts by length of history:", self.txs.len());
        for (class, scripts) in CLASSES.iter().zip(&self.scripts) {
            let lengths = scripts.iter().map(|(_, length)| *length);
            let (low, high) = (lengths.clone().min(), lengths.max());
            if let (Some(low), Some(high)) = (low, high) {
                text += &format!(" {} x {} ({low}..{high})", scripts.len(), class.name);
            }
        }
        text
    }
}

fn from_json(kept: &Value) -> Probes {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let number = |value: &Value| value.as_u64().unwrap_or_default() as u32;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let scripts = list(&kept["scripts"]);
    let class = |class: &Value| list(class).iter().map(|p| (text(&p[0]), number(&p[1]))).collect();
    let tx = |tx: &Value| (text(&tx[0]), number(&tx[1]), number(&tx[2]));
    Probes {
        scripts: scripts.iter().map(class).collect(),
        txs: list(&kept["txs"]).iter().map(tx).collect(),
        tip: number(&kept["tip"]),
    }
}

fn choose(size: Size) -> Probes {
    let (loader, plan) = open(&size.blocks_dir());
    let mut entries: HashMap<u64, u32> = HashMap::new();
    let mut txs = Vec::new();
    let read = read_blocks(&loader, &plan, 0, 2, |Height(height), load| {
        let Load::Block(block) = load else { panic!("block {height}: {load:?}") };
        for script in &block.rows.scripts {
            *entries.entry(script.prefix().0).or_default() += 1;
        }
        // where nothing else is to be had, the coinbase
        let per_block = TXS.div_ceil(plan.blocks() as usize) * 2;
        let step = (block.rows.txids.len() / per_block).max(1);
        for (pos, txid) in block.rows.txids.iter().enumerate().step_by(step) {
            txs.push((txid.to_string(), height, pos as u32));
        }
        Ok(true)
    });
    read.unwrap_or_else(|error| panic!("{error}"));
    // the newest coinbases and busiest blocks alike: an even spread over all
    let txs = spread(&txs, TXS);
    let mut by_length: Vec<(u64, u32)> = entries.into_iter().collect();
    by_length.sort_unstable();
    let mut wanted: HashMap<u64, Option<String>> = HashMap::new();
    let classes = CLASSES.map(|class| {
        let fitting = by_length.iter().filter(|(_, length)| class.lengths.contains(length));
        let chosen = spread(&fitting.copied().collect::<Vec<_>>(), class.count);
        wanted.extend(chosen.iter().map(|(prefix, _)| (*prefix, None)));
        chosen
    });
    name_scripts(size, &mut wanted);
    let scripts = classes.map(|chosen| {
        let named = |(prefix, length): (u64, u32)| Some((wanted.get(&prefix)?.clone()?, length));
        chosen.into_iter().filter_map(named).collect()
    });
    Probes { scripts: scripts.into(), txs, tip: plan.blocks() - 1 }
}

/// Script hashes by the length of their histories: for each range up to so many, evenly spread.
pub fn scripts_of(size: Size, wanted: &[(std::ops::RangeInclusive<u32>, usize)]) -> Vec<String> {
    let (loader, plan) = open(&size.blocks_dir());
    let mut entries: HashMap<u64, u32> = HashMap::new();
    let read = read_blocks(&loader, &plan, 0, 2, |Height(height), load| {
        let Load::Block(block) = load else { panic!("block {height}: {load:?}") };
        for script in &block.rows.scripts {
            *entries.entry(script.prefix().0).or_default() += 1;
        }
        Ok(true)
    });
    read.unwrap_or_else(|error| panic!("{error}"));
    let mut by_length: Vec<(u64, u32)> = entries.into_iter().collect();
    by_length.sort_unstable();
    let mut named = HashMap::new();
    for (lengths, count) in wanted {
        let fitting = by_length.iter().filter(|(_, length)| lengths.contains(length));
        let fitting: Vec<u64> = fitting.map(|(prefix, _)| *prefix).collect();
        named.extend(spread(&fitting, *count).into_iter().map(|prefix| (prefix, None)));
    }
    name_scripts(size, &mut named);
    let mut scripts: Vec<String> = named.into_values().flatten().collect();
    scripts.sort_unstable();
    scripts
}

/// Finds whole script hashes for prefixes.
fn name_scripts(size: Size, wanted: &mut HashMap<u64, Option<String>>) {
    let (loader, plan) = open(&size.blocks_dir());
    let mut buffer = Vec::new();
    for copies in (0..plan.blocks()).map_while(|height| plan.copies(Height(height))) {
        let read = loader.read_block(copies.key, copies.first, &mut buffer);
        if let RecordCopy::Unusable(why) = read.unwrap_or_else(|error| panic!("{error}")) {
            panic!("{why}");
        }
        let mut block = BlockView::new(&buffer).unwrap_or_else(|error| panic!("{error}"));
        for _ in 0..block.txs {
            let tx = block.next_tx().unwrap_or_else(|error| panic!("{error}"));
            for output in tx.outputs() {
                let script = ScriptHash::of(output.script);
                let Prefix(prefix) = script.prefix();
                if let Some(name @ None) = wanted.get_mut(&prefix) {
                    *name = Some(script.to_string());
                }
            }
        }
    }
}

/// `count` of them, evenly spread; all if there are fewer.
fn spread<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    let count = count.min(all.len());
    (0..count).map(|i| all[i * all.len() / count].clone()).collect()
}
