//! A custom signet beside the public one; only the challenge tells which is which.

use hekte_testkit::bitcoind::{self, Bitcoind};
use hekte_testkit::hekte::{self, Finished, Hekte};
use hekte_testkit::model::Model;
use hekte_testkit::scratch::Scratch;
use serde_json::json;

use crate::answers::same_answers;
use crate::world::{BINARY, refs, until};

/// The challenge OP_TRUE, with which anybody may mine.
const CHALLENGE: &str = "-signetchallenge=51";
/// Number of blocks; each takes some five million hashes.
const BLOCKS: u32 = 2;

fn run(node: &Bitcoind, scratch: &Scratch, data: &str, extra: &[&str]) -> Finished {
    let args = node.hekte_args(&scratch.join(data), extra);
    hekte::run(BINARY, scratch.path(), &refs(&args))
}

fn refused(done: &Finished, with: &str) {
    assert_eq!(done.status.code(), Some(78), "{}", done.stderr);
    assert!(done.stderr.contains(with), "{}", done.stderr);
}

#[test]
fn a_signet_of_our_own_is_not_the_public_one() {
    if !bitcoind::available("a_signet") {
        return;
    }
    let scratch = Scratch::new("own-signet");
    let node = Bitcoind::start_signet(&[CHALLENGE]);
    let key = std::fs::read(node.blocks_dir().join("xor.dat")).expect("a key by default");
    assert!(key.iter().any(|byte| *byte != 0), "the files are not obfuscated");
    let mine = |blocks: u32| {
        node.rpc.call("generatetodescriptor", json!([blocks, "raw(51)", 2_000_000_000]));
    };
    mine(BLOCKS);
    // hekte is not configured with the challenge, but learns it from bitcoind
    let args = node.hekte_args(&scratch.join("own"), &[]);
    let server = Hekte::start(BINARY, scratch.path(), &refs(&args));
    let reached = |height: u32| {
        let mut client = server.client();
        until("hekte serves the newest block", || {
            let tip = client.call("blockchain.headers.subscribe", json!([]));
            let ready = client.call("server.ping", json!([])).is_ok();
            ready && tip.is_ok_and(|tip| tip["height"] == height)
        });
        same_answers(&mut server.client(), &Model::new(&node.blocks()));
    };
    reached(BLOCKS);
    mine(1);
    reached(BLOCKS + 1);
    let done = server.terminate();
    assert!(done.status.success(), "{}", done.stderr);

    // without bitcoind the challenge must be configured
    let offline = ["--offline", "--sync-only"];
    refused(&run(&node, &scratch, "offline", &offline), "signet_challenge");
    let told = [&offline[..], &["--signet-challenge", "51"]].concat();
    let done = run(&node, &scratch, "offline", &told);
    assert!(done.status.success(), "{}", done.stderr);
    let digest = |data| run(&node, &scratch, data, &["digest", "--height", "2"]).stdout;
    assert_eq!(digest("offline"), digest("own"));
    assert!(digest("own").contains("height=2"), "{}", digest("own"));

    // all signets share one first block, but the index of one is not accepted for another
    let public = Bitcoind::start_signet(&[]);
    // the public signet's node waits for peers that never come
    let anyway = ["--sync-only", "--index-during-ibd", "always"];
    let done = run(&public, &scratch, "public", &anyway);
    assert!(done.status.success(), "{}", done.stderr);
    refused(&run(&node, &scratch, "public", &anyway), "an index of another network");
    refused(&run(&public, &scratch, "own", &anyway), "an index of another network");
    let wrong = ["--sync-only", "--signet-challenge", "51"];
    refused(&run(&public, &scratch, "wrong", &wrong), "signet");
}
