//! The transactions of a random block: how many inputs and outputs they have, and whom they pay.

use bitcoin::ScriptBuf;

use crate::chain::{ChainSpec, Shape};
use crate::maker::{Draft, Maker, Pay};
use crate::rng::Rng;
use crate::script::{Kind, Owner, SIGNED};
use crate::wallet::Coin;

/// Number of keys that ordinary outputs are spread over.
const KEYS: u64 = 500;
/// Scripts used again and again, so that some histories have thousands of entries.
const HOT: [Owner; 4] = [
    Owner { kind: Kind::P2wpkh, key: 9000 },
    Owner { kind: Kind::P2tr, key: 9001 },
    Owner { kind: Kind::P2pkh, key: 9002 },
    Owner { kind: Kind::OpenWsh, key: 9003 },
];
/// Kinds that add no signature operations to a block when they are paid.
const WITHOUT_SIGOPS: [Kind; 3] = [Kind::P2wpkh, Kind::P2wshMultisig, Kind::P2tr];
/// The smallest output worth making, in satoshi.
const DUST: u64 = 600;

/// The number of transactions that the next block should have.
pub(crate) fn block_size(spec: &ChainSpec, rng: &mut Rng) -> u64 {
    let average = u64::from(spec.txs_per_block);
    match spec.shape {
        Shape::Bench => rng.range(average * 7 / 10, average * 13 / 10),
        Shape::Mixed if rng.chance(6, 100) => 0,
        Shape::Mixed => rng.below(2 * average * 100 / 94 + 1),
    }
}

/// Adds random transactions while there is room and money.
pub(crate) fn fill(maker: &mut Maker, draft: &mut Draft, wanted: u64) {
    while (draft.txs.len() as u64) < wanted && !draft.is_full() && !maker.wallet.is_empty() {
        let (inputs, outputs) = counts(maker);
        let coins = take(maker, inputs, outputs);
        let pays = payments(maker, &coins, outputs);
        maker.add_tx(draft, coins, pays);
    }
}

/// Adds small transactions to keys without signature operations until nothing more fits.
pub(crate) fn top_up(maker: &mut Maker, draft: &mut Draft) {
    while !draft.is_topped_up() {
        let coin = maker.wallet.take(&mut maker.rng).expect("the wallet has too little");
        let kind = WITHOUT_SIGOPS[maker.rng.below(WITHOUT_SIGOPS.len() as u64) as usize];
        let pay = Pay::Owner(Owner { kind, key: maker.rng.below(KEYS) }, coin.value);
        maker.add_tx(draft, vec![coin], vec![pay]);
    }
}

/// The numbers of inputs and outputs of the next transaction.
fn counts(maker: &mut Maker) -> (u64, u64) {
    let (bench, coins) = (maker.spec.shape == Shape::Bench, maker.wallet.len() as u64);
    let rng = &mut maker.rng;
    if coins < 200 {
        return (1, rng.range(3, 20));
    }
    let (batches, sweeps) = if bench { (2, 1) } else { (6, 6) };
    match rng.below(1000) {
        n if n < batches => (1, rng.range(100, 500)),
        n if n < batches + sweeps && coins > 2000 => (rng.range(100, 400), 1),
        n if n < 150 => (1, 1),
        n if n < 500 => (1, 2),
        n if n < 800 => (2, 2),
        n if n < 900 => (rng.range(3, 6), 2),
        _ => (rng.range(1, 3), rng.range(3, 7)),
    }
}

/// Takes coins at random, and in some cases the newest ones, to make chains of transactions within
/// a block.
fn take(maker: &mut Maker, wanted: u64, outputs: u64) -> Vec<Coin> {
    let mut coins = Vec::new();
    if outputs >= 100 {
        // at this point most coins are too small
        coins.extend(maker.wallet.take_rich(&mut maker.rng));
    } else if maker.rng.chance(1, 8) {
        coins.extend(maker.wallet.take_newest());
    }
    while (coins.len() as u64) < wanted && !maker.wallet.is_empty() {
        coins.extend(maker.wallet.take(&mut maker.rng));
    }
    coins
}

/// Splits the value of the coins over new outputs and a fee.
fn payments(maker: &mut Maker, coins: &[Coin], outputs: u64) -> Vec<Pay> {
    let total: u64 = coins.iter().map(|c| c.value).sum();
    let fee = maker.rng.range(0, 5000).min(total / 4);
    let outputs = outputs.min((total - fee) / DUST).max(1);
    let mut pays = split(maker, total - fee, outputs);
    if maker.spec.shape == Shape::Mixed {
        odd_outputs(maker, &mut pays);
    } else if maker.rng.chance(1, 25) {
        pays.push(Pay::Script(op_return(&mut maker.rng), 0));
    }
    pays
}

fn split(maker: &mut Maker, total: u64, outputs: u64) -> Vec<Pay> {
    let (mut left, mut pays) = (total, Vec::new());
    for rest in (1..=outputs).rev() {
        let mut value = left;
        if rest > 1 {
            let spare = left - rest * DUST; // never negative: outputs <= total / DUST
            value = DUST + maker.rng.below(2 * spare / rest + 1).min(spare);
            // people pay round sums, which undo data stores in fewer bytes
            let unit = 10u64.pow(maker.rng.below(9) as u32);
            if value >= 2 * unit * DUST {
                value -= value % unit;
            }
        }
        left -= value;
        let owner = owner(maker);
        pays.push(Pay::Owner(owner, value));
    }
    pays
}

/// The owner that one output pays.
fn owner(maker: &mut Maker) -> Owner {
    let bench = maker.spec.shape == Shape::Bench;
    let roll = maker.rng.below(100);
    if roll < 6
        && let Some(hot) = hot(maker, bench)
    {
        return hot;
    }
    if roll < if bench { 12 } else { 75 } {
        let kind = SIGNED[maker.rng.below(SIGNED.len() as u64) as usize];
        return Owner { kind, key: maker.rng.below(KEYS) };
    }
    maker.salt += 1;
    let kind = match maker.rng.below(100) {
        n if n < 70 => Kind::OpenWsh,
        n if n < 95 || bench => Kind::OpenSh,
        n if n < 99 => Kind::OpenBare,
        _ => return Owner { kind: Kind::Empty, key: 0 },
    };
    // one in ten pays to a script that was used before
    let again = maker.rng.chance(1, 10);
    let key = if again { maker.salt - maker.rng.below(1000) } else { maker.salt };
    Owner { kind, key }
}

/// One of the scripts used again and again. A bench chain uses them unequally, so that a million
/// transactions make histories of about 90 000, 90 000, 10 000 and 1000 entries.
fn hot(maker: &mut Maker, bench: bool) -> Option<Owner> {
    if !bench {
        return Some(HOT[maker.rng.below(HOT.len() as u64) as usize]);
    }
    match maker.rng.below(1000) {
        n if n < 280 => Some(HOT[0]),
        n if n < 560 => Some(HOT[1]),
        n if n < 590 => Some(HOT[2]),
        n if n < 593 => Some(HOT[3]),
        _ => None,
    }
}

/// Adds outputs that are hard for parsers: data, no value, scripts that only look like keys.
fn odd_outputs(maker: &mut Maker, pays: &mut Vec<Pay>) {
    let rng = &mut maker.rng;
    match rng.below(200) {
        n if n < 12 => pays.push(Pay::Script(op_return(rng), 0)),
        12 => pays.insert(0, Pay::Script(ScriptBuf::from_bytes(vec![0x6a]), 0)),
        13 => pays.push(Pay::Script(ScriptBuf::from_bytes(vec![0x00, 0x6a]), 0)),
        14 => {
            let mut script = vec![0x41, 0x04];
            script.extend(rng.bytes(64));
            script.push(0xac);
            pays.push(Pay::Script(ScriptBuf::from_bytes(script), 0));
        }
        15 => {
            let len = rng.range(1, 700) as usize;
            pays.push(Pay::Script(ScriptBuf::from_bytes(rng.bytes(len)), 0));
        }
        16 => {
            maker.salt += 1;
            pays.push(Pay::Owner(Owner { kind: Kind::OpenWsh, key: maker.salt }, 0));
        }
        17 => pays.push(Pay::Script(ScriptBuf::from_bytes(vec![0x51; 10_050]), 0)),
        _ => (),
    }
}

fn op_return(rng: &mut Rng) -> ScriptBuf {
    let len = rng.range(1, 75) as usize;
    let mut script = vec![0x6a, len as u8];
    script.extend(rng.bytes(len));
    ScriptBuf::from_bytes(script)
}

/// The outputs of a coinbase. Early coinbases have many, so that there are coins to spend later.
pub(crate) fn reward(maker: &mut Maker, total: u64) -> Vec<Pay> {
    let early = maker.height() < 20;
    let outputs = if early { 20 } else { 1 + maker.rng.below(10) / 7 };
    split(maker, total, outputs.min(total / DUST).max(1))
}
