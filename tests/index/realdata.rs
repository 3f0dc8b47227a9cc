//! Real chains in files that Bitcoin Core wrote: one digest for one chain, and every answer right.

use std::fs;
use std::path::PathBuf;

use bitcoin::Network;
use hekte::blockfile::dir::FileNum;
use hekte::chain::scan::scan_file;
use hekte::chain::tree::BlockTree;
use hekte::ids::{Height, ScriptHash};
use hekte::query::answers::Answers;
use hekte_testkit::scratch::Scratch;

use crate::answers::{self, Compared, hex};
use crate::common::{Index, ONE_BATCH, blocks_of, chain_in};

/// A part of the real data, or a line that says it is not there.
pub fn real(part: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("HEKTE_REALDATA") else {
        eprintln!("SKIPPED {part}: HEKTE_REALDATA is not set to a folder of real chains");
        return None;
    };
    Some(PathBuf::from(folder).join(part))
}

fn core_dir(name: &str) -> Option<PathBuf> {
    real(&format!("core-dirs/{name}/blocks"))
}

fn compare(name: &str, network: Network, blocks: usize) -> Option<(Index, Compared)> {
    let folder = core_dir(name)?;
    let chain = chain_in(&folder, network.magic().to_bytes());
    assert_eq!(chain.len(), blocks, "{name}");
    let index = Index::over(&folder, network).built(300);
    let verdict = index.verify();
    assert!(verdict.is_sound(), "{verdict}");
    let compared = answers::compare(&index.serve().engine, &chain);
    println!("{name}: {compared:?}");
    Some((index, compared))
}

#[test]
fn mainnet_is_answered_as_worked_out_naively() {
    let Some((index, compared)) = compare("mainnet_4521_xor", Network::Bitcoin, 4522) else {
        return;
    };
    assert_eq!(compared.transactions, 4583);
    let served = index.serve();
    let engine = &served.engine;
    // facts from elsewhere
    let proof = engine.header_proof(Height(5), Height(8)).unwrap();
    let mut root = proof.root;
    root.reverse();
    assert_eq!(hex(root), "e347b1c43fd9b5415bf0d92708db8284b78daf4d0e24f9c3405f45feb85e25db");
    let busiest = script("5889dbe8e6b0d40ce1da500acab2550a60456f05807851dc60df3788b32e9ccb");
    assert_eq!(engine.history(&busiest).unwrap().len(), 11);
    assert_eq!(engine.balance(&busiest).unwrap().confirmed, 3_291_000_000);
    assert_eq!(
        engine.status(&busiest).unwrap().map(hex).unwrap(),
        "48cd6617dd908c2606916f9a421c25e3adad876bfb6ebfe58bb2d8b17c93e311"
    );
    let (mut transactions, mut satoshi) = (0, 0);
    for address in [
        "12higDjoCCNXSA95xZMWUdPvXNmkAduhWv",
        "1AbHNFdKJeVL8FRZyRZoiTzG9VCmzLrtvm",
        "1CHE5JRfc5mr8ZtVUP7nnsS5HC4bWcXoc6",
    ] {
        let address: bitcoin::Address<bitcoin::address::NetworkUnchecked> =
            address.parse().unwrap();
        let script = ScriptHash::of(address.assume_checked().script_pubkey().as_bytes());
        transactions += engine.history(&script).unwrap().len();
        satoshi += engine.balance(&script).unwrap().confirmed;
    }
    assert_eq!((transactions, satoshi), (15, 509_402_000_000));
}

fn script(shown: &str) -> ScriptHash {
    shown.parse().unwrap()
}

#[test]
fn two_thousand_stale_blocks_in_front_change_no_answer() {
    compare("mainnet_reorg2016_xor", Network::Bitcoin, 4522);
}

#[test]
fn testnet3_is_answered_as_worked_out_naively() {
    compare("testnet3_400", Network::Testnet, 401);
}

#[test]
fn regtest_is_answered_as_worked_out_naively() {
    compare("regtest_206", Network::Regtest, 207);
}

/// Whatever the memory, the order in the files and the stale blocks among them.
#[test]
fn one_chain_has_one_digest() {
    let mut digests = Vec::new();
    for name in ["mainnet_4521_xor", "mainnet_reorg2016_xor"] {
        let Some(folder) = core_dir(name) else { return };
        for batch in [ONE_BATCH, 5000, 60] {
            let index = Index::over(&folder, Network::Bitcoin).built(batch);
            digests.push(index.digest());
        }
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    assert_eq!((digests[0].height, digests[0].txs), (Height(4521), 4583));
}

/// Scans one file under the name that bitcoind would give it.
fn scan(chain: &str, network: Network) -> Option<(usize, u32, u64)> {
    let file = real(&format!("chains/{chain}"))?;
    let scratch = Scratch::new("chains");
    fs::copy(&file, scratch.join("blk00000.dat")).unwrap();
    let index = Index::over(scratch.path(), network);
    let mut tree = BlockTree::default();
    let magic = network.magic().to_bytes();
    let found = scan_file(index.loader.dir(), FileNum(0), magic, |header, pos| {
        tree.add(header, pos);
    })
    .unwrap();
    let naive = blocks_of(&fs::read(&file).unwrap(), magic);
    let whole = naive.iter().filter(|block| tree.find(&block.block_hash()).is_some());
    assert_eq!(whole.count(), naive.len(), "a good block is not found");
    Some((tree.len(), found.blocks, found.rubbish))
}

#[test]
fn stray_bytes_copies_and_cut_ends_hide_no_block() {
    let name = "mainnet_300-599_plus-dup-and-zero-tail_nbitcoin_incompleteblk.dat";
    let Some(found) = scan(name, Network::Bitcoin) else { return };
    assert_eq!(found, (300, 301, 1), "blocks, records, stray bytes");
    let (blocks, records, _) = scan("mainnet_0-4521.blk.dat", Network::Bitcoin).unwrap();
    assert_eq!((blocks, records), (4522, 4522));
    let (blocks, records, _) =
        scan("testnet3_0-400_truncated-tail.blk.dat", Network::Testnet).unwrap();
    println!("testnet3: {blocks} blocks, {records} records");
    assert!(blocks >= 400);
}
