//! An index damaged under a running server: an error, an exit, and an index that is built anew.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hekte_testkit::hekte::{Finished, Hekte};
use hekte_testkit::model::{Model, ScriptHash};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::damage::world;

struct Server<'a> {
    blocks: &'a Path,
    data: PathBuf,
    scripts: Vec<ScriptHash>,
}

impl Server<'_> {
    fn start(&self, more: &[&str]) -> Hekte {
        let (blocks, data) = (self.blocks.to_string_lossy(), self.data.to_string_lossy());
        let mut args = vec!["--network", "regtest", "--offline", "--listen", "127.0.0.1:0"];
        args.extend(["--blocks-dir", &blocks, "--data-dir", &data]);
        args.extend(more);
        let mut hekte = Hekte::start(env!("CARGO_BIN_EXE_hekte"), self.blocks, &args);
        hekte.wait_log("serving, height=");
        hekte
    }

    /// The histories of all scripts, or the errors.
    fn histories(&self, hekte: &Hekte) -> Vec<Result<Value, Value>> {
        let mut client = hekte.client();
        let ask = |script: &ScriptHash| {
            client.call("blockchain.scripthash.get_history", json!([script.to_string()]))
        };
        self.scripts.iter().map(ask).collect()
    }

    /// Asks one question that reads the damage; checks that the server reports it and exits.
    fn ends(&self, hekte: Hekte) -> Finished {
        let script = self.scripts[0].to_string();
        let answer = hekte.client().call("blockchain.scripthash.get_balance", json!([script]));
        let error = answer.expect_err("answered from a damaged index");
        assert_eq!(error["code"], -32603, "{error}");
        let end = hekte.wait();
        assert!(end.stderr.contains("index.sqlite"), "{}", end.stderr);
        end
    }

    fn index(&self, file: &str) -> PathBuf {
        self.data.join("regtest/index").join(file)
    }

    /// Overwrites every page but the first with rubbish.
    fn overwrite_pages(&self) {
        let file = OpenOptions::new().write(true).open(self.index("index.sqlite")).unwrap();
        let pages = file.metadata().unwrap().len() / 4096;
        for page in 1..pages {
            file.write_all_at(&[0xee; 4096], page * 4096).unwrap();
        }
    }
}

#[test]
fn a_damaged_index_is_built_anew_by_itself_but_not_on_and_on() {
    let (scratch, blocks) = world(1 << 30);
    let mut scripts = Model::new(&blocks).scripthashes();
    scripts.truncate(40);
    let server = Server { blocks: scratch.path(), data: scratch.join("data"), scripts };
    let hekte = server.start(&[]);
    let right = server.histories(&hekte);
    assert!(right.iter().all(Result::is_ok), "{right:?}");
    assert!(hekte.terminate().status.success());

    // a row that does not match its checksum
    let hekte = server.start(&[]);
    let damage = Connection::open(server.index("index.sqlite")).unwrap();
    assert!(damage.execute("UPDATE spans SET data = zeroblob(length(data))", []).unwrap() > 0);
    drop(damage);
    let end = server.ends(hekte);
    assert_eq!(end.status.code(), Some(75), "{}", end.stderr);
    assert!(end.stderr.contains("spans row 0 is damaged"), "{}", end.stderr);
    assert!(end.stderr.contains("the next start builds it anew"), "{}", end.stderr);
    let hekte = server.start(&[]);
    assert!(hekte.log().contains("the index was found damaged; removing it"), "{}", hekte.log());
    assert_eq!(server.histories(&hekte), right);
    assert!(hekte.terminate().status.success());
    let hekte = server.start(&[]);
    assert!(!hekte.log().contains("found damaged"), "once: {}", hekte.log());

    // pages that SQLite cannot read, too soon after the last damage
    server.overwrite_pages();
    let end = server.ends(hekte);
    assert_eq!(end.status.code(), Some(65), "{}", end.stderr);
    assert!(end.stderr.contains("look at the disk"), "{}", end.stderr);
    assert!(!server.index("damaged").exists());
    let hekte = server.start(&["--rebuild"]);
    assert_eq!(server.histories(&hekte), right);
    assert!(!server.index("rebuilt").exists(), "a clean start");
    assert!(hekte.terminate().status.success());

    // such pages again, long after the last damage
    let hekte = server.start(&[]);
    server.overwrite_pages();
    assert_eq!(server.ends(hekte).status.code(), Some(75));
    assert_eq!(fs::read_to_string(server.index("damaged")).unwrap().lines().count(), 1);
    assert_eq!(server.histories(&server.start(&[])), right);
}
