//! npm's @mempool/electrum-client, used by the backend of mempool: batches, and a request for the
//! tip with a parameter that the protocol does not have.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use bitcoin::Txid;
use bitcoin::consensus::encode::serialize_hex;
use serde_json::{Value, json};

use crate::answers::expected;
use crate::world::World;

/// The library's folder; `None` without Node.js.
fn locate() -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/get-npm-client.sh");
    let output = Command::new(&script).output().expect("the script runs");
    let problem = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        eprintln!("\n*** SKIPPED npm client ***\n{problem}");
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

#[test]
fn batches_of_the_npm_client_are_answered() {
    let Some(library) = locate() else { return };
    let Some(world) = World::new("npm client") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    let model = world.model();
    let scripts: Vec<_> = model.scripthashes().iter().step_by(7).copied().collect();
    let txids: Vec<Txid> = model.transactions().skip(1).step_by(31).collect();
    let names: Vec<String> = scripts.iter().map(ToString::to_string).collect();
    let asked = json!({"scripts": names, "txids": txids});

    let port = hekte.address().rsplit(':').next().expect("a port").to_string();
    let mut node = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npm_client.js"))
        .args([&library, &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let mut input = node.stdin.take().expect("piped");
    input.write_all(asked.to_string().as_bytes()).expect("it reads");
    drop(input);
    let output = node.wait_with_output().expect("a child");
    assert!(output.status.success(), "{}", hekte.log());
    let answers: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let tip = json!({"height": model.height(), "hex": serialize_hex(model.header(model.height()))});
    assert_eq!(answers["tip"], tip);
    for (at, script) in scripts.iter().enumerate() {
        let [history, coins, balance, _] = expected(&model, *script);
        assert_eq!(answers["histories"][at], history, "{script}");
        assert_eq!(answers["coins"][at], coins, "{script}");
        assert_eq!(answers["balances"][at], balance, "{script}");
    }
    assert_eq!(answers["alone"], answers["histories"][0]);
    let all = world.blocks.iter().flat_map(|block| &block.txdata);
    let raw: Vec<Value> = txids
        .iter()
        .map(|txid| {
            let tx = all.clone().find(|tx| tx.compute_txid() == *txid).expect("it is there");
            Value::from(serialize_hex(tx))
        })
        .collect();
    assert_eq!(answers["txs"], Value::from(raw));
}
