//! A damaged or foreign database is refused or found out, and never answered from.

use std::fs;

use bitcoin::Network;
use hekte::store::open::{Db, Mode};
use hekte::store::records::RunKind;
use hekte::sync::build::build::Outcome;
use hekte_testkit::model::Model;
use hekte_testkit::rng::Rng;
use rusqlite::Connection;

use crate::answers;
use crate::common::{Index, ONE_BATCH};
use crate::damage::{flip, right_or_refused, world};

/// Changes one byte of a stored row.
fn change_row(db: &Db, table: &str, at: usize) -> bool {
    let sql = format!("SELECT key, data FROM {table} ORDER BY key LIMIT 1");
    let conn = Connection::open(&db.path).unwrap();
    let row = conn.query_row(&sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
    let Ok((key, mut data)) = row else { return false };
    let data: &mut Vec<u8> = &mut data;
    let at = at % data.len();
    data[at] ^= 4;
    let sql = format!("UPDATE {table} SET data = ?1 WHERE key = ?2");
    conn.execute(&sql, (&data[..], key)).unwrap() == 1
}

#[test]
fn a_run_that_has_lost_postings_or_bytes_is_found() {
    let (scratch, _) = world(1 << 30);
    let index = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    assert!(index.verify().is_sound());
    for kind in [0, 1] {
        let conn = Connection::open(index.path()).unwrap();
        for (column, change) in
            [("postings", "+ 1"), ("postings", "- 1"), ("bytes", "+ 1"), ("bytes", "- 1")]
        {
            let sql = format!("UPDATE runs SET {column} = {column} {change} WHERE kind = {kind}");
            conn.execute(&sql, []).unwrap();
            assert_eq!(index.verify().is_sound(), change == "- 1", "{sql}");
        }
    }
}

#[test]
fn a_changed_row_is_found_and_never_answered_from() {
    let (scratch, blocks) = world(1 << 30);
    let index = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    let good = fs::read(index.path()).unwrap();
    let runs = index.db(Mode::Read).runs().unwrap();
    let name = |kind| format!("run_{}", runs.iter().find(|r| r.kind == kind).unwrap().id);
    let tables = ["blocks", "spans", "nodes", "positions"].map(String::from);
    for table in tables.into_iter().chain(RunKind::ALL.map(name)) {
        for at in [0, 3, 50, 1 << 20] {
            let db = index.db(Mode::Bulk);
            assert!(change_row(&db, &table, at), "{table}");
            drop(db);
            assert!(!index.verify().is_sound(), "{table} byte {at}");
            match index.open() {
                Ok(mut served) => {
                    served.live.publish();
                    let asked = right_or_refused(&served.engine, &blocks);
                    assert!(asked.refused > 0, "{table}: {asked:?}");
                }
                Err(error) => assert!(error.to_string().contains("index.sqlite"), "{error}"),
            }
            fs::write(index.path(), &good).unwrap();
        }
    }
    for change in [
        "UPDATE state SET blocks = blocks - 1",
        "UPDATE state SET txs = txs + 1",
        "UPDATE state SET tip = x'00'",
        "UPDATE state SET phase = 7",
        "UPDATE state SET blocks = -5",
        "UPDATE runs SET first = first + 1",
        "UPDATE runs SET \"end\" = \"end\" - 1",
        "UPDATE runs SET complete = 0",
        "DELETE FROM runs WHERE kind = 1",
        "DELETE FROM state",
        "DELETE FROM blocks WHERE key = 1",
        "DELETE FROM spans",
        "DELETE FROM positions",
        "DELETE FROM nodes",
    ] {
        let db = index.db(Mode::Bulk);
        drop(db);
        Connection::open(index.path()).unwrap().execute(change, []).unwrap();
        assert!(!index.verify().is_sound(), "{change}");
        fs::write(index.path(), &good).unwrap();
    }
    assert!(index.verify().is_sound());
}

/// Anywhere in the file, SQLite's own pages too: what verify calls sound is right.
#[test]
fn a_changed_byte_anywhere_in_the_database_is_found_or_harmless() {
    let (scratch, blocks) = world(1 << 30);
    let index = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    let good = fs::read(index.path()).unwrap();
    let (mut rng, mut found) = (Rng::new(12), 0);
    for _ in 0..60 {
        flip(&index.path(), rng.below(good.len() as u64));
        let sound = Db::open(&index.path(), &index.params, Mode::Read)
            .is_ok_and(|db| hekte::inspect::verify::verify(&db, &index.params).is_sound());
        if sound {
            answers::scripts(&index.serve().engine, &Model::new(&blocks));
        } else {
            found += 1;
        }
        fs::write(index.path(), &good).unwrap();
    }
    println!("{found} of 60 changed bytes found, the others change no answer");
}

#[test]
fn another_network_version_or_file_is_refused() {
    let (scratch, _) = world(1 << 30);
    let index = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    let good = fs::read(index.path()).unwrap();
    let refused = |what: &str| {
        let error = index.build(ONE_BATCH).unwrap_err().to_string();
        assert!(error.contains("index.sqlite") && error.contains(what), "{error}");
    };
    let params = hekte::chain::params::ChainParams::of(Network::Bitcoin);
    let error = Db::open(&index.path(), &params, Mode::ReadWrite).unwrap_err().to_string();
    assert!(error.contains("another network than bitcoin"), "{error}");
    let conn = Connection::open(index.path()).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    refused("format 99");
    fs::write(index.path(), "not a database, and longer than the header of one: ".repeat(9))
        .unwrap();
    refused("damaged");
    fs::write(index.path(), &good[..good.len() / 2]).unwrap();
    assert!(index.build(ONE_BATCH).is_err() || !index.verify().is_sound());
    fs::write(index.path(), []).unwrap();
    assert!(matches!(index.build(ONE_BATCH).unwrap(), Outcome::Complete(_)), "empty: built anew");
    assert!(index.verify().is_sound());
}
