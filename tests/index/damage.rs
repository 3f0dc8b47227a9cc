//! Cut, changed, foreign and missing files: a clear error, no wrong answer, no good data lost.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use bitcoin::consensus::serialize;
use bitcoin::{Block, Network};
use hekte::ids::{Height, ScriptHash};
use hekte::query::answers::{Answers, QueryError};
use hekte::query::engine::Engine;
use hekte::sync::build::build::Outcome;
use hekte::sync::follow::locate::{find_all_again, look_again, newest_are_in_place};
use hekte_testkit::chain::Chain;
use hekte_testkit::files::{BlockDir, FileOptions};
use hekte_testkit::hekte::run;
use hekte_testkit::model::Model;
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;

use crate::answers;
use crate::common::{Index, ONE_BATCH};
use crate::random_chains::{active, mixed};

fn chain() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| mixed(41, 125))
}

/// Block files of the chain, without a key, in several files if `max_file` is small; and the active
/// blocks.
pub fn world(max_file: u64) -> (Scratch, Vec<Block>) {
    let scratch = Scratch::new("damage");
    let options = FileOptions { max_file, ..FileOptions::default() };
    BlockDir::create(scratch.path(), options).add_all(&chain().blocks);
    (scratch, active(chain()))
}

pub fn flip(path: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x11], offset).unwrap();
}

/// The numbers of right and of refused answers; a wrong answer panics.
#[derive(Debug, Default)]
pub struct Asked {
    pub right: usize,
    pub refused: usize,
}

impl Asked {
    fn note<T: PartialEq + std::fmt::Debug>(&mut self, answer: Result<T, QueryError>, right: T) {
        match answer {
            Ok(answer) => {
                assert_eq!(answer, right);
                self.right += 1;
            }
            Err(QueryError::Internal(_)) => self.refused += 1,
            Err(other) => panic!("neither right nor an internal error: {other:?}"),
        }
    }
}

/// Checks that every question is answered rightly or refused.
pub fn right_or_refused(engine: &Engine, blocks: &[Block]) -> Asked {
    let model = Model::new(blocks);
    let mut asked = Asked::default();
    for script in model.scripthashes() {
        let hash = ScriptHash(script.0);
        asked.note(engine.status(&hash).map(|s| s.map(answers::hex)), model.status(script));
        asked.note(engine.balance(&hash).map(|b| b.confirmed), model.balance(script));
    }
    for (height, block) in blocks.iter().enumerate() {
        for (pos, tx) in block.txdata.iter().enumerate() {
            let (txid, height) = (tx.compute_txid(), Height(height as u32));
            asked.note(engine.transaction(&txid), serialize(tx));
            asked.note(engine.merkle_proof(&txid, height).map(|p| p.pos), pos as u32);
            asked.note(engine.at_position(height, pos as u32).map(|p| p.txid), txid);
        }
    }
    asked
}

/// Changes random bytes that a txid covers.
#[test]
fn a_byte_changed_in_an_indexed_block_is_never_served() {
    let (scratch, blocks) = world(1 << 30);
    let index = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    let whole = right_or_refused(&index.serve().engine, &blocks);
    assert_eq!(whole.refused, 0);
    let file = scratch.join("blk00000.dat");
    let bytes = fs::read(&file).unwrap();
    let plain = |tx: &&bitcoin::Transaction| {
        tx.input.iter().all(|input| input.witness.is_empty()) && tx.total_size() > 150
    };
    let txs = blocks.iter().skip(101).flat_map(|block| &block.txdata[1..]).filter(plain);
    let mut rng = Rng::new(3);
    for tx in txs.step_by(37).take(6) {
        let tx = serialize(tx);
        let at = bytes.windows(tx.len()).position(|part| part == tx).unwrap();
        for _ in 0..2 {
            let offset = at as u64 + rng.below(tx.len() as u64);
            flip(&file, offset);
            let asked = right_or_refused(&index.serve().engine, &blocks);
            assert!(asked.refused >= 3, "{asked:?}");
            assert!(asked.right > whole.right * 9 / 10, "{asked:?}");
            flip(&file, offset);
        }
    }
    assert_eq!(right_or_refused(&index.serve().engine, &blocks).refused, 0);
}

#[test]
fn a_block_file_cut_or_gone_takes_only_its_own_answers() {
    let (scratch, blocks) = world(60_000);
    let index = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    let digest = index.digest();
    let file = scratch.join("blk00001.dat");
    let bytes = fs::read(&file).unwrap();
    for keep in [bytes.len() / 2, 0] {
        fs::write(&file, &bytes[..keep]).unwrap();
        index.loader.dir().reopen().unwrap();
        let mut served = index.serve();
        let asked = right_or_refused(&served.engine, &blocks);
        assert!(asked.refused > 0 && asked.right > 100, "{asked:?}");
        assert!(served.shared.take_rescan(), "nobody looks for it");
        find_all_again(&mut served.live, &index.loader).unwrap();
        drop(served);
        // after another start, the part that was indexed is still there
        match index.build(ONE_BATCH) {
            Ok(outcome) => assert!(matches!(outcome, Outcome::Complete(_)), "{outcome:?}"),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(index.digest(), digest);
    }
    fs::remove_file(&file).unwrap();
    let error = index.plan().unwrap_err().to_string();
    assert!(error.contains("blk00001.dat is missing"), "{error}");
    let mut served = index.serve();
    look_again(&mut served.live, &index.loader).unwrap();
    assert!(right_or_refused(&served.engine, &blocks).right > 100, "the server goes on");
    drop(served);
    fs::write(&file, &bytes).unwrap();
    index.loader.dir().reopen().unwrap();
    assert_eq!(right_or_refused(&index.serve().engine, &blocks).refused, 0);
    fs::rename(scratch.join("blk00000.dat"), scratch.join("away")).unwrap();
    let error = index.plan().unwrap_err().to_string();
    assert!(error.contains("no blk00000.dat"), "{error}");
}

/// The blocks stand elsewhere, as after a kill, a reindex, or a new download.
#[test]
fn blocks_that_moved_are_found_again() {
    let (scratch, blocks) = world(60_000);
    let index = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    for entry in fs::read_dir(scratch.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let options = FileOptions { max_file: 90_000, ..FileOptions::default() };
    let mut dir = BlockDir::create(scratch.path(), options);
    for (number, block) in chain().blocks.iter().enumerate() {
        if number % 9 == 4 {
            dir.torn(block, 100); // a copy with the right header and nothing after it
        }
        dir.add(block);
    }
    index.loader.dir().reopen().unwrap();
    let mut served = index.serve();
    assert!(!newest_are_in_place(&served.live, &index.loader).unwrap());
    let asked = right_or_refused(&served.engine, &blocks);
    assert!(asked.refused > 0 && served.shared.take_rescan());
    find_all_again(&mut served.live, &index.loader).unwrap();
    answers::compare(&served.engine, &blocks);
    drop(served);
    let served = index.serve();
    assert!(newest_are_in_place(&served.live, &index.loader).unwrap());
    answers::compare(&served.engine, &blocks);
}

#[test]
fn a_wrong_key_file_is_named() {
    let (scratch, blocks) = world(1 << 30);
    let built = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    fs::write(scratch.join("xor.dat"), [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let mut index = Index::over(scratch.path(), Network::Regtest);
    let error = index.plan().unwrap_err().to_string();
    assert!(error.contains("xor.dat") && error.contains("--network"), "{error}");
    std::mem::swap(&mut index.scratch, &mut { built }.scratch);
    let asked = right_or_refused(&index.serve().engine, &blocks);
    assert!(asked.refused > 0, "{asked:?}");
    fs::write(scratch.join("xor.dat"), [1, 2, 3]).unwrap();
    let error = hekte::blockfile::dir::BlockDir::open(scratch.path()).unwrap_err().to_string();
    assert!(error.contains("xor.dat: 3 bytes"), "{error}");
}

/// Block and undo files with a hole in the part that is not indexed yet.
#[test]
fn damage_before_indexing_is_named_and_mended_by_mending_the_file() {
    let mut rng = Rng::new(8);
    let (scratch, blocks) = world(60_000);
    let right = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH).digest();
    for (name, times) in [("blk00001.dat", 6), ("rev00001.dat", 6), ("rev00000.dat", 2)] {
        let file = scratch.join(name);
        let bytes = fs::read(&file).unwrap();
        for time in 0..times {
            match time {
                0 => fs::remove_file(&file).unwrap(),
                1 => fs::write(&file, &bytes[..bytes.len() / 2]).unwrap(),
                2 => fs::write(&file, rng.bytes(bytes.len())).unwrap(),
                _ => flip(&file, rng.below(bytes.len() as u64)),
            }
            let index = Index::over(scratch.path(), Network::Regtest);
            let mut whole = false;
            match index.build(500) {
                Err(error) => assert!(error.to_string().contains(name), "{error}"),
                Ok(Outcome::Blocked(state, height, why)) => {
                    assert_eq!(state.blocks, height.0, "what is before it is kept");
                    let named = why.contains(name) || why.contains("none of the block files");
                    assert!(named, "{name} time {time}: {why}");
                }
                // the damage hit a stale block or a witness, or cut off the rest of the chain
                Ok(Outcome::Complete(_)) => whole = true,
                Ok(other) => panic!("{other:?}"),
            }
            fs::write(&file, &bytes).unwrap();
            let mended =
                Index { scratch: index.scratch, ..Index::over(scratch.path(), Network::Regtest) };
            let outcome = mended.build(500).unwrap();
            assert!(matches!(outcome, Outcome::Complete(_)), "{outcome:?}");
            if whole && mended.digest() != right {
                // a damaged witness was indexed: now that it is mended the index is refused, and is
                // right when it has been built again
                let asked = right_or_refused(&mended.serve().engine, &blocks);
                assert!(asked.refused > 0, "{name} time {time}: {asked:?}");
                let again = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
                assert_eq!(again.digest(), right, "{name} time {time}");
                continue;
            }
            assert_eq!(mended.digest(), right, "{name} time {time}");
        }
    }
}

/// bitcoind creates its files with mode 0600: the message says who owns them, and the remedy.
#[test]
fn closed_files_are_explained() {
    let root = nix_is_root();
    let (scratch, _) = world(1 << 30);
    if !root || !Path::new("/usr/bin/setpriv").exists() {
        println!("SKIPPED closed files: only root can start hekte as somebody else");
        return;
    }
    let binary = scratch.join("hekte");
    fs::copy(env!("CARGO_BIN_EXE_hekte"), &binary).unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data: PathBuf = scratch.join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let command = format!(
        "setpriv --reuid 65534 --regid 65534 --clear-groups {} --network regtest --blocks-dir {} \
         --data-dir {} --offline --sync-only",
        binary.display(),
        scratch.path().display(),
        data.display()
    );
    for closed in ["blk00000.dat", "rev00000.dat"] {
        let path = scratch.join(closed);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let end = run("/bin/sh", scratch.path(), &["-c", &command]);
        assert_eq!(end.status.code(), Some(77), "{}", end.stderr);
        for word in [closed, "root", "0600", "setfacl"] {
            assert!(end.stderr.contains(word), "{word}: {}", end.stderr);
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
}

fn nix_is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}
