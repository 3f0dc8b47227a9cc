//! Single real blocks of every age: counts, txids, and each coin restored from undo data.

use std::fs;
use std::path::{Path, PathBuf};

use bitcoin::Block;
use bitcoin::consensus::deserialize;
use hekte::ids::ScriptHash;
use hekte::index::extract::extract;
use hekte::index::packed::PackedPosting;
use hekte::parse::compress::amount;
use hekte::parse::tx::is_unspendable;
use hekte::parse::undo::Undo;

use crate::realdata::real;

/// The files with this ending.
fn files(ending: &str) -> Vec<PathBuf> {
    let Some(folder) = real("blocks") else { return Vec::new() };
    let list = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = list.filter(|path| name(path).ends_with(ending)).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into()
}

#[test]
fn blocks_of_every_age_are_read_as_the_bitcoin_crate_reads_them() {
    let plain = |path: &PathBuf| name(path).matches('.').count() == 1;
    let mut count = 0;
    for path in files(".bin").iter().filter(|path| plain(path)) {
        let bytes = fs::read(path).unwrap();
        let block: Block = deserialize(&bytes).unwrap();
        // without undo data the block is taken for genesis, which checks the Merkle root, too
        let rows = extract(&bytes, None).unwrap();
        assert!(rows.scripts.is_empty());
        let txids = block.txdata.iter().map(|tx| tx.compute_txid());
        assert!(rows.txids.iter().copied().eq(txids), "{}", path.display());
        let lens = block.txdata.iter().map(|tx| tx.total_size() as u32);
        assert!(rows.lens.iter().copied().eq(lens));
        let txs = block.txdata.len();
        assert_eq!(rows.spans.len(), txs.div_ceil(16));
        assert_eq!(rows.spans.last().unwrap().end as usize, bytes.len());
        assert_eq!(rows.nodes.len(), if txs > 16 { txs.div_ceil(16) } else { 0 });
        assert_eq!(u64::from(rows.weight), block.weight().to_wu(), "{}", path.display());
        count += 1;
    }
    println!("{count} real blocks");
}

#[test]
fn undo_data_gives_back_each_coin_that_was_spent() {
    let mut coins = 0;
    for path in files(".undo.bin") {
        let base = path.to_string_lossy().replace(".undo.bin", "");
        let bytes = fs::read(format!("{base}.bin")).unwrap();
        let block: Block = deserialize(&bytes).unwrap();
        let body = fs::read(&path).unwrap();
        let prevouts = prevouts(&fs::read(format!("{base}.prevouts.bin")).unwrap());
        let mut undo = Undo::new(&body).unwrap();
        assert_eq!(undo.txs() + 1, block.txdata.len());
        let mut next = prevouts.iter();
        let mut touched = Vec::new();
        for (pos, tx) in block.txdata.iter().enumerate() {
            let mut touch = |script: &[u8]| {
                touched.push(PackedPosting::new(ScriptHash::of(script).prefix(), pos as u32));
            };
            let outputs = tx.output.iter().map(|output| output.script_pubkey.as_bytes());
            outputs.filter(|script| !is_unspendable(script)).for_each(&mut touch);
            if pos == 0 {
                continue;
            }
            assert_eq!(undo.coins().unwrap(), tx.input.len());
            for _ in &tx.input {
                let coin = undo.coin().unwrap();
                let (value, script) = next.next().unwrap();
                assert_eq!(amount(coin.compressed_amount), Some(*value), "coin {coins}");
                assert_eq!(coin.script.as_bytes(), script, "coin {coins}");
                touch(script);
                coins += 1;
            }
        }
        assert_eq!((undo.left(), next.count()), (0, 0));
        let mut rows = extract(&bytes, Some(&body)).unwrap();
        rows.scripts.sort_unstable();
        touched.sort_unstable();
        touched.dedup();
        assert_eq!(rows.scripts, touched, "{base}");
    }
    println!("{coins} real coins");
    assert!(coins == 0 || coins > 30_000);
}

/// Reads a sequence of i64 value, CompactSize length and script.
fn prevouts(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let (value, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (len, rest) = match rest {
            [0xfd, low, high, rest @ ..] => (u16::from_le_bytes([*low, *high]) as usize, rest),
            [len, rest @ ..] => (*len as usize, rest),
            [] => panic!("cut"),
        };
        let (script, rest) = rest.split_at(len);
        out.push((u64::from_le_bytes(*value), script.to_vec()));
        bytes = rest;
    }
    out
}

/// A byte changed anywhere in a block or its undo data is noticed before it is indexed.
#[test]
fn no_changed_byte_of_a_real_block_is_indexed() {
    let Some(path) = files(".undo.bin").into_iter().next() else { return };
    let base = path.to_string_lossy().replace(".undo.bin", "");
    let bytes = fs::read(format!("{base}.bin")).unwrap();
    let body = fs::read(&path).unwrap();
    let right = extract(&bytes, Some(&body)).unwrap();
    let step = bytes.len() / 150;
    for at in (80..bytes.len()).step_by(step) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x20;
        assert!(extract(&changed, Some(&body)).is_err(), "{base} byte {at}");
    }
    for cut in (0..bytes.len()).step_by(step) {
        assert!(extract(&bytes[..cut], Some(&body)).is_err(), "{base} cut at {cut}");
    }
    for cut in (0..body.len()).step_by(body.len() / 100) {
        assert!(extract(&bytes, Some(&body[..cut])).is_err(), "undo cut at {cut}");
    }
    assert!(!right.scripts.is_empty());
}
