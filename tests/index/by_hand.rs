//! Chains that the generator does not make: the twins of BIP 30, and prefixes that are shared.

use bitcoin::absolute::LockTime;
use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut,
    Witness,
};
use hekte::ids::{Height, Prefix, ScriptHash, ShortPrefix, TxNum};
use hekte::index::chunk::{Posting, Tally};
use hekte::index::packed::PackedPosting;
use hekte::parse::tx::header;
use hekte::protocol::reply::wire_height;
use hekte::query::answers::Answers;
use hekte::store::open::Mode;
use hekte::store::records::{RunInfo, RunKind};
use hekte::store::run::RunWriter;
use hekte::sync::blocks::load::{Load, LoadBuffers};
use hekte_testkit::chain::describe;
use hekte_testkit::files::{BlockDir, FileOptions};
use hekte_testkit::model::Model;
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;

use crate::answers;
use crate::common::{Index, ONE_BATCH};
use crate::random_chains::{active, mixed, orderly};

/// A transaction that spends `coins` (if there are none, a coinbase with `salt`) and pays
/// `scripts`.
pub fn pay(salt: u8, coins: &[OutPoint], scripts: &[u8]) -> Transaction {
    let input = |previous_output, script_sig| TxIn {
        previous_output,
        script_sig,
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let input = match coins {
        [] => vec![input(OutPoint::null(), ScriptBuf::from_bytes(vec![1, salt]))],
        coins => coins.iter().map(|coin| input(*coin, ScriptBuf::new())).collect(),
    };
    let output = |script: &u8| TxOut {
        value: Amount::from_sat(1000 + u64::from(*script)),
        script_pubkey: ScriptBuf::from_bytes(vec![0x51, *script]),
    };
    let output = scripts.iter().map(output).collect();
    Transaction { version: Version::ONE, lock_time: LockTime::ZERO, input, output }
}

pub fn chain_of(bodies: Vec<Vec<Transaction>>) -> Vec<Block> {
    let mut blocks = vec![bitcoin::constants::genesis_block(Network::Regtest)];
    for txdata in bodies {
        let last = blocks[blocks.len() - 1].header;
        let header = Header {
            prev_blockhash: last.block_hash(),
            merkle_root: TxMerkleNode::all_zeros(),
            time: last.time + 1,
            ..last
        };
        let mut block = Block { header, txdata };
        block.header.merkle_root = block.compute_merkle_root().unwrap();
        blocks.push(block);
    }
    blocks
}

#[test]
fn twins_of_one_txid_are_two_entries_and_one_coin() {
    let twin = || pay(1, &[], &[7, 8]);
    let spend = pay(0, &[OutPoint { txid: twin().compute_txid(), vout: 0 }], &[9]);
    let blocks = chain_of(vec![
        vec![twin()],
        vec![pay(2, &[], &[7])],
        vec![twin()],
        vec![pay(3, &[], &[10]), spend],
        vec![pay(4, &[], &[8])],
    ]);
    let scratch = Scratch::new("twins");
    BlockDir::create(scratch.path(), FileOptions::default()).add_all(&describe(blocks.clone()));
    for batch in [ONE_BATCH, 1] {
        let index = Index::over(scratch.path(), Network::Regtest).built(batch);
        let engine = index.serve().engine;
        println!("{:?}", answers::compare(&engine, &blocks));
        let script = ScriptHash::of(&[0x51, 8]);
        let heights = |script| -> Vec<i64> {
            let history = engine.history(script).unwrap();
            history.iter().map(|entry| wire_height(entry.confirmation)).collect()
        };
        assert_eq!(heights(&script), [1, 3, 5]);
        assert_eq!(engine.balance(&script).unwrap().confirmed, 2 * 1008);
        assert_eq!(heights(&ScriptHash::of(&[0x51, 7])), [1, 2, 3, 4]);
        let txid = twin().compute_txid();
        for height in [1, 3] {
            assert_eq!(engine.merkle_proof(&txid, Height(height)).unwrap().height, Height(height));
        }
        assert!(engine.merkle_proof(&txid, Height(2)).is_err());
    }
    // now with the newest blocks in memory
    let index = Index::over(scratch.path(), Network::Regtest);
    let plan = index.plan().unwrap();
    let mut short = index.plan().unwrap();
    short.truncate(2);
    index.run(&short, ONE_BATCH, false).unwrap();
    let mut served = index.serve();
    index.connect(&mut served.live, &plan, 2..6);
    served.live.publish();
    answers::compare(&served.engine, &blocks);
}

/// Adds postings as if each of these scripts shared its prefix with a dozen others. Of txids it
/// would be damage: the txid that is read must have the prefix under which it is filed.
#[test]
fn postings_of_others_under_the_same_prefix_change_no_answer() {
    let chain = mixed(77, 130);
    let blocks = active(&chain);
    let scratch = Scratch::new("collisions");
    orderly(scratch.path(), &chain);
    let index = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    let db = index.db(Mode::ReadWrite);
    let mut rng = Rng::new(5);
    let mut foreign = 0;
    let scripts = |run: &RunInfo| run.kind == RunKind::Script;
    for run in db.runs().unwrap().into_iter().filter(scripts) {
        let mut postings: Vec<Posting> =
            db.stream(run, ShortPrefix(0), 3).collect::<Result<_, _>>().unwrap();
        let before = postings.len();
        for i in 0..before {
            let others = if i % 3 == 0 { 12 } else { 1 };
            for _ in 0..others {
                let txnum = TxNum(rng.below(u64::from(run.range.end.0)) as u32);
                postings.push(Posting { prefix: postings[i].prefix, txnum });
            }
        }
        postings.sort_unstable();
        postings.dedup();
        foreign += postings.len() - before;
        let change = db.change().unwrap();
        change.drop_run(run.id).unwrap();
        let mut wanted = Tally::default();
        postings.iter().for_each(|posting| wanted.add(*posting));
        let new = change.create_run(run.kind, run.range, wanted).unwrap();
        let mut writer = RunWriter::new(&change, new);
        postings.into_iter().for_each(|posting| writer.push(posting).unwrap());
        writer.finish(None).unwrap();
        change.commit().unwrap();
    }
    drop(db);
    println!("{foreign} foreign postings: {:?}", answers::compare(&index.serve().engine, &blocks));
}

/// Adds foreign postings to blocks in memory.
#[test]
fn foreign_postings_in_new_blocks_change_no_answer() {
    let chain = mixed(78, 120);
    let blocks = active(&chain);
    let scratch = Scratch::new("collisions");
    orderly(scratch.path(), &chain);
    let index = Index::over(scratch.path(), Network::Regtest);
    let plan = index.plan().unwrap();
    let mut short = index.plan().unwrap();
    short.truncate(90);
    index.run(&short, ONE_BATCH, false).unwrap();
    let mut served = index.serve();
    let scripts = Model::new(&blocks).scripthashes();
    let (mut rng, mut buffers) = (Rng::new(6), LoadBuffers::default());
    for height in 90..blocks.len() {
        let copies = plan.copies(Height(height as u32)).unwrap();
        let load = index.loader.load(&copies, &mut buffers).unwrap();
        let Load::Block(mut block) = load else { panic!("{load:?}") };
        let hash = header::hash(&block.rows.header);
        for _ in 0..100 {
            let script = ScriptHash(scripts[rng.below(scripts.len() as u64) as usize].0);
            let pos = rng.below(block.rows.txids.len() as u64);
            block.rows.scripts.push(PackedPosting::new(script.prefix(), pos as u32));
        }
        block.rows.scripts.sort_unstable_by_key(|packed| packed.pos());
        block.rows.scripts.sort_unstable();
        block.rows.scripts.dedup();
        served.live.connect(*block, hash);
    }
    served.live.publish();
    answers::compare(&served.engine, &blocks);
}

/// The largest prefix: one hash in 2^40 begins with forty ones, and more begin with the fewer ones
/// of a shortened prefix.
#[test]
fn the_last_prefix_of_all_is_found_too() {
    let scratch = Scratch::new("last");
    let index = Index::over(scratch.path(), Network::Regtest);
    let db = index.db(Mode::Bulk);
    let range = hekte::index::chunk::TxRange { first: TxNum(0), end: TxNum(5000) };
    let change = db.change().unwrap();
    let last = Prefix(Prefix::END - 1);
    let shorten = |prefix| index.params.prefix_bits().shorten(prefix);
    let posting =
        |n| Posting { prefix: shorten(if n < 10 { Prefix(0) } else { last }), txnum: TxNum(n) };
    let mut wanted = Tally::default();
    (0..5000).for_each(|n| wanted.add(posting(n)));
    let new = change.create_run(RunKind::Script, range, wanted).unwrap();
    let mut writer = RunWriter::new(&change, new);
    (0..5000).for_each(|n| writer.push(posting(n)).unwrap());
    let run = writer.finish(None).unwrap();
    change.commit().unwrap();
    for (prefix, right) in [(Prefix(0), 0..10), (last, 10..5000), (Prefix(1 << 30), 0..0)] {
        let mut found = Vec::new();
        db.find(&run, prefix, TxNum(0), usize::MAX, &mut found).unwrap();
        assert!(found.iter().map(|txnum| txnum.0).eq(right), "{prefix:?}");
    }
    assert_eq!(db.stream(run, shorten(last), 3).count(), 4990);
}
