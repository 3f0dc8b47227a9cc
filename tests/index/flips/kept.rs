//! Flips that once led to harm, and others of their kind: each test is named after the harm.

use hekte::error::Error;
use hekte::ids::ShortPrefix;
use hekte::index::chunk::Posting;
use hekte::store::open::{Db, Mode};
use hekte::store::run::RunWriter;
use hekte::store::stream::STREAM_ROWS;
use rusqlite::Connection;

use super::btree::Bit;
use super::ends::{End, failed};
use super::world;
use super::world::upkeep;

/// Where SQLite's header has the versions of the file format for writing and for reading, the
/// program's own version, and the application's id.
const FORMATS: std::ops::Range<u64> = 18..20;
const USER_VERSION: std::ops::Range<u64> = 60..64;
const APPLICATION_ID: std::ops::Range<u64> = 68..72;

/// It stayed down and advised to move the file away, or to use another version of hekte.
#[test]
fn a_flipped_bit_of_its_identity_does_not_make_an_index_a_foreign_file() {
    let world = world();
    for (byte, bit) in
        USER_VERSION.chain(APPLICATION_ID).flat_map(|at| (0..8).map(move |n| (at, n)))
    {
        let index = world.copy();
        Bit::at(byte, 1 << bit).flip(&index.path());
        for mode in [Mode::Read, Mode::ReadWrite, Mode::Bulk] {
            let error = Db::open(&index.path(), &index.params, mode).unwrap_err();
            assert_eq!(failed(&error), Ok(End::Rebuilt), "byte {byte} bit {bit}");
        }
    }
    for sql in ["UPDATE network SET magic = x'fabfb5db'", "UPDATE network SET crc = crc + 1"] {
        let index = world.copy();
        Connection::open(index.path()).unwrap().execute(sql, []).unwrap();
        let error = Db::open(&index.path(), &index.params, Mode::Bulk).unwrap_err();
        assert_eq!(failed(&error), Ok(End::Rebuilt), "{sql}");
    }
}

/// It stayed down and advised to look at the owner of the file.
#[test]
fn a_file_that_says_it_is_read_only_is_no_matter_of_permissions() {
    let world = world();
    for (byte, bit) in FORMATS.flat_map(|at| (0..8).map(move |n| (at, n))) {
        let index = world.copy();
        Bit::at(byte, 1 << bit).flip(&index.path());
        let tried = world.serve(&index).and_then(|mut served| upkeep(&mut served));
        if let Err(error) = tried {
            assert_eq!(failed(&error), Ok(End::Rebuilt), "byte {byte} bit {bit}");
        }
        if let Err(error) = index.run(&world.plan, 1000, false) {
            assert_eq!(failed(&error), Ok(End::Rebuilt), "byte {byte} bit {bit}");
        }
    }
}

/// The next blocks were stored behind zeros, under a checksum that fits: `hekte verify` called it
/// sound.
#[test]
fn a_lost_last_row_is_not_filled_up_with_zeros() {
    let world = world();
    for table in ["spans", "nodes", "blocks", "positions"] {
        let index = world.copy();
        let mut served = world.serve(&index).unwrap();
        let sql = format!("DELETE FROM {table} WHERE key = (SELECT max(key) FROM {table})");
        assert_eq!(Connection::open(index.path()).unwrap().execute(&sql, []).unwrap(), 1);
        let stored = upkeep(&mut served);
        assert!(stored.is_err_and(|error| failed(&error) == Ok(End::Rebuilt)), "{table}");
        drop(served);
        let error = index.run(&world.plan, 1000, false).unwrap_err();
        assert_eq!(failed(&error), Ok(End::Rebuilt), "{table}");
    }
}

/// A lost row of `state` or `runs` was not changed, and nobody noticed.
#[test]
fn a_change_of_a_row_that_is_lost_is_not_taken_for_done() {
    let world = world();
    let index = world.copy();
    let db = index.db(Mode::ReadWrite);
    let (state, run) = (db.state().unwrap(), db.runs().unwrap()[0]);
    let conn = Connection::open(index.path()).unwrap();
    conn.execute("DELETE FROM state", []).unwrap();
    conn.execute("DELETE FROM runs WHERE id = ?1", [run.id]).unwrap();
    drop(conn);
    let change = db.change().unwrap();
    for outcome in [change.set_state(&state), change.update_run(&run)] {
        assert!(matches!(outcome, Err(Error::Damaged(_))), "{outcome:?}");
    }
}

/// A merge that met a chunk where it was about to write one ended with an error of the disk, and so
/// did each start.
#[test]
fn a_chunk_that_is_there_already_is_damage() {
    let world = world();
    let index = world.copy();
    let db = index.db(Mode::Bulk);
    let run = db.runs().unwrap()[0];
    let postings: Vec<Posting> =
        db.stream(run, ShortPrefix(0), STREAM_ROWS).collect::<Result<_, _>>().unwrap();
    let change = db.change().unwrap();
    let begun = change.create_run(run.kind, run.range, run.written).unwrap();
    change.commit().unwrap();
    let conn = Connection::open(index.path()).unwrap();
    let sql = format!("INSERT INTO run_{} SELECT * FROM run_{}", begun.id, run.id);
    assert!(conn.execute(&sql, []).unwrap() > 0);
    drop(conn);
    let change = db.change().unwrap();
    let mut writer = RunWriter::new(&change, begun);
    let outcome = postings.into_iter().try_for_each(|posting| writer.push(posting));
    assert_eq!(failed(&outcome.unwrap_err()), Ok(End::Rebuilt));
}
