//! The kit against public chain data in the folder that `HEKTE_REALDATA` names, if it is set.
//!
//! The folder holds `core-dirs/NAME/blocks` by Bitcoin Core, `chains/mainnet_0-4521.blk.dat`, and
//! `blocks/NET-HEIGHT-HASH.{bin,prevouts.bin,undo.bin}` (see each test).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bitcoin::consensus::{Decodable, deserialize};
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, TxOut};
use hekte_testkit::chain::describe;
use hekte_testkit::files::xor;
use hekte_testkit::model::{Model, ScriptHash};
use hekte_testkit::{compress, proof, undo};

fn folder(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HEKTE_REALDATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("*** SKIPPED {test}: HEKTE_REALDATA is not set ***");
    }
    folder
}

/// The records of a plain or XORed file up to the first bytes that are no record.
fn records(path: &Path, key: Option<[u8; 8]>, after: usize) -> Vec<Vec<u8>> {
    let mut bytes = fs::read(path).expect("the file is there");
    xor(&mut bytes, key, 0);
    let (magic, mut at, mut out) = (bytes[..4].to_vec(), 0, Vec::new());
    while at + 8 <= bytes.len() && bytes[at..at + 4] == magic {
        let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        out.push(bytes[at + 8..at + 8 + len].to_vec());
        at += 8 + len + after;
    }
    out
}

/// Sorts blocks that come in any order into the longest chain.
fn in_order(stored: Vec<Vec<u8>>) -> Vec<Block> {
    let blocks: Vec<Block> = stored.iter().map(|b| deserialize(b).expect("a block")).collect();
    let by_hash: HashMap<BlockHash, &Block> = blocks.iter().map(|b| (b.block_hash(), b)).collect();
    let length = |mut at: BlockHash| {
        std::iter::from_fn(|| {
            let block = by_hash.get(&at)?;
            at = block.header.prev_blockhash;
            Some(*block)
        })
        .collect::<Vec<_>>()
    };
    // the tip of the longest chain has no child
    let parents: Vec<_> = blocks.iter().map(|b| b.header.prev_blockhash).collect();
    let tips = by_hash.keys().filter(|hash| !parents.contains(hash));
    let mut chain = tips.map(|tip| length(*tip)).max_by_key(Vec::len).expect("a tip");
    chain.reverse();
    chain.into_iter().cloned().collect()
}

#[test]
fn cores_own_undo_records_are_the_same() {
    let Some(data) = folder("core-dirs") else { return };
    for name in ["mainnet_4521_xor", "testnet3_400", "regtest_206"] {
        let dir = data.join("core-dirs").join(name).join("blocks");
        let key = fs::read(dir.join("xor.dat")).ok().map(|key| key.try_into().expect("8 bytes"));
        let blocks = in_order(records(&dir.join("blk00000.dat"), key, 0));
        let theirs = records(&dir.join("rev00000.dat"), key, 32);
        let ours: Vec<_> = describe(blocks).iter().skip(1).map(undo::body).collect();
        assert!(ours.len() > 100, "{name}");
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn the_model_knows_early_mainnet() {
    let Some(data) = folder("mainnet_0-4521") else { return };
    let blocks = in_order(records(&data.join("chains/mainnet_0-4521.blk.dat"), None, 0));
    let model = Model::new(&blocks);
    assert_eq!(model.height(), 4521);
    let root = "e347b1c43fd9b5415bf0d92708db8284b78daf4d0e24f9c3405f45feb85e25db";
    let (branch, top) = model.header_proof(5, 8); // the example in the Electrum protocol's text
    assert_eq!((branch.len(), top.as_str()), (4, root));
    let busy = "5889dbe8e6b0d40ce1da500acab2550a60456f05807851dc60df3788b32e9ccb";
    let all = model.scripthashes();
    let busiest: &ScriptHash = all.iter().max_by_key(|s| model.history(**s).len()).unwrap();
    assert_eq!(busiest.to_string(), busy);
    assert_eq!((model.history(*busiest).len(), model.balance(*busiest)), (11, 3_291_000_000));
    let status = "48cd6617dd908c2606916f9a421c25e3adad876bfb6ebfe58bb2d8b17c93e311";
    assert_eq!(model.status(*busiest).as_deref(), Some(status));
    let leaves: Vec<_> = model.block_txids(170).iter().map(|t| t.to_byte_array()).collect();
    assert_eq!(proof::root(&leaves), model.header(170).merkle_root.to_byte_array());
}

/// `.prevouts.bin` has an i64 value and the script for each input, in order; `.undo.bin` is Core's
/// undo body.
#[test]
fn real_scripts_and_amounts_are_compressed_as_core_does() {
    let Some(data) = folder("blocks") else { return };
    let mut coins = 0;
    for entry in fs::read_dir(data.join("blocks")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let Some(stem) = path.to_str().and_then(|p| p.strip_suffix(".undo.bin")) else { continue };
        let block = fs::read(format!("{stem}.bin")).expect("the block beside it");
        let block: Block = deserialize(&block).expect("a block");
        let prevouts = fs::read(format!("{stem}.prevouts.bin")).expect("the outputs beside it");
        let (mut prevouts, theirs) = (&prevouts[..], fs::read(&path).expect("undo"));
        let mut ours = Vec::new();
        compress::compact_size(&mut ours, block.txdata.len() as u64 - 1);
        for tx in &block.txdata[1..] {
            compress::compact_size(&mut ours, tx.input.len() as u64);
            for _ in &tx.input {
                // the height is the one thing we do not know, so take it from Core's bytes
                let (code, len) = varint(&theirs[ours.len()..]);
                ours.extend_from_slice(&theirs[ours.len()..ours.len() + len]);
                if code > 1 {
                    ours.push(0);
                }
                let output = TxOut::consensus_decode(&mut prevouts).expect("an output");
                compress::varint(&mut ours, compress::amount(output.value.to_sat()));
                compress::script(&mut ours, output.script_pubkey.as_bytes());
                coins += 1;
            }
        }
        assert_eq!(ours, theirs, "{stem}");
    }
    assert!(coins > 1000, "{coins} coins");
    eprintln!("{coins} real coins");
}

/// Value and length of a number in Core's base-128 form.
fn varint(bytes: &[u8]) -> (u64, usize) {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate() {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return (value, index + 1);
        }
        value += 1;
    }
    panic!("unfinished number");
}
