//! Flips under the real program: what it meets as damage it ends with code 75, and the next start
//! builds the index anew; what it does not meet changes no answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use bitcoin::Network;
use hekte::store::folder::{BULK_FILE, INDEX_FILE};
use hekte_testkit::hekte::Hekte;
use hekte_testkit::model::{Model, ScriptHash};
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::common::{Index, copy_folder};
use crate::damage::{flip, world};

use super::btree::{Bit, Steering};
use super::ends::{End, Ended, campaign, flips_wanted};

/// The program over one folder of block files.
#[derive(Clone)]
struct Program {
    blocks: PathBuf,
    data: PathBuf,
    scripts: Vec<ScriptHash>,
}

impl Program {
    fn over(blocks: &Path, scripts: Vec<ScriptHash>) -> Program {
        Program { blocks: blocks.into(), data: blocks.join("data"), scripts }
    }

    fn index(&self, file: &str) -> PathBuf {
        self.data.join("regtest/index").join(file)
    }

    fn start(&self) -> Hekte {
        let (blocks, data) = (self.blocks.to_string_lossy(), self.data.to_string_lossy());
        let mut args = vec!["--network", "regtest", "--offline", "--listen", "127.0.0.1:0"];
        args.extend(["--blocks-dir", &blocks, "--data-dir", &data]);
        Hekte::spawn(env!("CARGO_BIN_EXE_hekte"), &self.blocks, &args)
    }

    /// All histories, once it serves; `None` if it ended, or ends, for damage.
    fn histories(&self, mut hekte: Hekte) -> Result<Option<Vec<Value>>, String> {
        while hekte.is_running() && !hekte.log().contains("serving, height=") {
            sleep(Duration::from_millis(5));
        }
        let mut answers = Vec::new();
        if hekte.is_running() {
            let mut client = hekte.client();
            for script in &self.scripts {
                let script = json!([script.to_string()]);
                match client.call("blockchain.scripthash.get_history", script) {
                    Ok(answer) => answers.push(answer),
                    Err(_) => break,
                }
            }
        }
        if answers.len() == self.scripts.len() {
            let end = hekte.terminate();
            return end.status.success().then_some(Some(answers)).ok_or(end.stderr);
        }
        let end = hekte.wait();
        match end.status.code() {
            Some(75) if end.stderr.contains("the next start builds it anew") => Ok(None),
            code => Err(format!("ends with {code:?}: {}", end.stderr)),
        }
    }

    /// Starts it after a flip, and again if it ended.
    fn survives(&self, bit: &Bit, right: &[Value]) -> Ended {
        bit.flip(&self.index(INDEX_FILE));
        let answers = self.histories(self.start())?;
        let end = if answers.is_some() { End::Right } else { End::Rebuilt };
        let answers = match answers {
            None => self.histories(self.start())?,
            some => some,
        };
        match answers {
            Some(answers) if answers == right => Ok(end),
            Some(_) => Err("other answers".into()),
            None => Err("damaged again".into()),
        }
    }
}

/// The program has built its index and is down.
fn down() -> (Scratch, Program, Vec<Value>) {
    let (scratch, blocks) = world(1 << 30);
    let mut scripts = Model::new(&blocks).scripthashes();
    scripts.truncate(300);
    let program = Program::over(scratch.path(), scripts);
    let right = program.histories(program.start()).unwrap().unwrap();
    (scratch, program, right)
}

#[test]
fn the_program_ends_or_answers_rightly_after_a_flip_and_mends_itself() {
    let (_scratch, program, right) = down();
    let (path, mut rng) = (program.index(INDEX_FILE), Rng::new(7));
    let steering = Steering::of(&path, |_| true);
    let bits: Vec<Bit> = (0..flips_wanted(60, 4)).map(|_| steering.pick(&mut rng)).collect();
    campaign("the program after a flip", bits.into_iter(), move |bit| {
        let scratch = Scratch::new("flip-program");
        let copy = Program { data: scratch.join("data"), ..program.clone() };
        copy_folder(&program.index(""), &copy.index(""));
        copy.survives(bit, &right)
    });
}

/// What a flip in the runs of a build leads to: the build ends, and the next start begins anew.
#[test]
fn the_program_does_not_end_with_one_error_at_each_start_of_a_build() {
    let (scratch, program, right) = down();
    // the build is held up by a block that cannot be read, until its file is mended
    fs::remove_dir_all(&program.data).unwrap();
    let folder = program.index("");
    fs::create_dir_all(&folder).unwrap();
    let file = scratch.join("blk00000.dat");
    let index = Index::over(scratch.path(), Network::Regtest).in_folder(&folder);
    let plan = index.plan().unwrap();
    let at = fs::metadata(&file).unwrap().len() - 2;
    flip(&file, at);
    index.run(&plan, 1000, false).unwrap();
    flip(&file, at);
    let bulk = Connection::open(program.index(BULK_FILE)).unwrap();
    let run: String = bulk
        .query_row("SELECT name FROM sqlite_schema WHERE name LIKE 'run__'", [], |r| r.get(0))
        .unwrap();
    // the row is there no longer under its own key
    assert!(bulk.execute(&format!("UPDATE {run} SET key = key + 1"), []).unwrap() > 0);
    drop(bulk);
    assert_eq!(program.histories(program.start()).unwrap(), None, "it ends for damage");
    assert_eq!(program.histories(program.start()).unwrap().unwrap(), right);
}
