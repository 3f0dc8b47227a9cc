//! A node started from a UTXO snapshot, whose tip is far above the blocks that it has.

use std::thread::sleep;
use std::time::{Duration, Instant};

use bitcoin::block::Version;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{Amount, Block, TxOut};
use hekte_testkit::bitcoind::{self, Bitcoind};
use hekte_testkit::client::Client;
use hekte_testkit::hekte::{self, Hekte};
use hekte_testkit::model::Model;
use hekte_testkit::scratch::Scratch;
use serde_json::{Value, json};

use crate::answers::same_answers;
use crate::world::{BINARY, PATIENCE, refs, until};

/// The height for which bitcoind's regtest parameters know a snapshot. Its chain can be reproduced:
/// blocks one second apart from this time on, each paying to the key 1.
const SNAPSHOT: u32 = 110;
const BEGUN: u32 = 1_598_887_952;
const REWARD: &str = "raw(210279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798ac)";

/// A node that has every block, and writes the snapshot.
fn source(file: &str) -> Bitcoind {
    let node = Bitcoind::start(&[]);
    for n in 0..SNAPSHOT {
        node.rpc.call("setmocktime", json!([BEGUN + n]));
        node.generate_to_descriptor(1, REWARD);
    }
    node.rpc.call("dumptxoutset", json!([file, "latest"]));
    node.generate_to_descriptor(3, REWARD);
    node
}

/// A node with the headers, the snapshot, and the three blocks after it.
fn started_from(file: &str, blocks: &[Block], args: &[&str]) -> Bitcoind {
    let node = Bitcoind::start(&[&["-fastprune=1"], args].concat());
    for block in &blocks[1..] {
        node.rpc.call("submitheader", json!([serialize_hex(&block.header)]));
    }
    node.rpc.call("loadtxoutset", json!([file]));
    hand_over(&node, &blocks[SNAPSHOT as usize + 1..]);
    assert_eq!(node.height(), SNAPSHOT + 3);
    node
}

fn hand_over(node: &Bitcoind, blocks: &[Block]) {
    blocks.iter().for_each(|block| _ = node.submit(block));
}

/// A sibling of a block that fills a whole file (64 KiB with `-fastprune`).
fn fat_sibling(block: &Block) -> Block {
    let mut fat = block.clone();
    let data = PushBytesBuf::try_from(vec![7; 60_000]).expect("short enough");
    let script = Builder::new().push_opcode(OP_RETURN).push_slice(data).into_script();
    fat.txdata[0].output.push(TxOut { value: Amount::ZERO, script_pubkey: script });
    fat.header.version = Version::from_consensus(0x2000_0000);
    fat.header.merkle_root = fat.compute_merkle_root().expect("there is a coinbase");
    while fat.header.validate_pow(fat.header.target()).is_err() {
        fat.header.nonce += 1;
    }
    fat
}

fn tip(client: &mut Client) -> Value {
    client
        .call("blockchain.headers.subscribe", json!([]))
        .map_or(json!(-1), |t| t["height"].clone())
}

/// Waits until the index has that height.
fn reaches(server: &Hekte, client: &mut Client, height: u32) {
    let end = Instant::now() + PATIENCE;
    while tip(client) != height {
        assert!(Instant::now() < end, "{}, not {height}\n{}", tip(client), server.log());
        sleep(Duration::from_millis(20));
    }
}

/// Checks that no question about money is answered.
fn says_nothing(client: &mut Client, model: &Model) {
    let script = model.scripthashes()[0].to_string();
    for method in ["get_balance", "get_history", "listunspent", "subscribe"] {
        let answer = client.call(&format!("blockchain.scripthash.{method}"), json!([script]));
        assert_eq!(answer.expect_err(method)["message"], "unavailable index");
    }
}

/// The output of `hekte status` while hekte runs.
fn status(hekte: &Hekte, node: &Bitcoind, scratch: &Scratch) -> Value {
    let listen = hekte.address();
    let mut args = node.hekte_args(&scratch.join("a"), &["status", "--json"]);
    let at = args.iter().position(|arg| arg == "127.0.0.1:0").expect("an address");
    args[at] = listen;
    let done = hekte::run(BINARY, scratch.path(), &refs(&args));
    assert_eq!(done.status.code(), Some(75), "{}{}", done.stdout, done.stderr);
    serde_json::from_str(&done.stdout).expect("JSON")
}

#[test]
fn a_node_from_a_snapshot_is_followed_from_below() {
    if !bitcoind::available("a_node_from_a_snapshot") {
        return;
    }
    let scratch = Scratch::new("assumeutxo");
    let file = scratch.join("utxo.dat").display().to_string();
    let source = source(&file);
    let blocks = source.blocks();
    let model = Model::new(&blocks);
    let node = started_from(&file, &blocks, &[]);
    let args = node.hekte_args(&scratch.join("a"), &[]);
    let mut server = Hekte::start(BINARY, scratch.path(), &refs(&args));
    let mut client = server.client();
    reaches(&server, &mut client, 0);
    says_nothing(&mut client, &model);

    // bitcoind validates the blocks below its snapshot
    hand_over(&node, &blocks[1..61]);
    reaches(&server, &mut client, 60);
    server.wait_log("of 113 blocks; answers begin when");
    says_nothing(&mut client, &model);
    let told = status(&server, &node, &scratch);
    assert_eq!((&told["synced"], &told["height"]), (&json!(false), &json!(60)), "{told}");
    assert_eq!(told["target"], 113, "{told}");
    assert_eq!(told["phase"], "waiting for bitcoind", "{told}");

    // hekte restarts, while siblings fill files that are numbered above the one with the newest
    // blocks
    let done = server.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    for block in &blocks[50..56] {
        node.submit(&fat_sibling(block));
    }
    let server = Hekte::start(BINARY, scratch.path(), &refs(&args));
    let mut client = server.client();
    reaches(&server, &mut client, 60);
    says_nothing(&mut client, &model);
    hand_over(&node, &blocks[61..110]);
    reaches(&server, &mut client, 109);
    says_nothing(&mut client, &model);

    hand_over(&node, &blocks[110..111]);
    until("everything is answered", || client.call("server.ping", json!([])).is_ok());
    assert_eq!(tip(&mut client), 113);
    same_answers(&mut client, &model);
    // blocks one by one, into the file of those after the snapshot
    for _ in 0..3 {
        source.generate_to_descriptor(1, REWARD);
        let blocks = source.blocks();
        hand_over(&node, &blocks[blocks.len() - 1..]);
        until("the next block is there", || tip(&mut client) == blocks.len() as u32 - 1);
    }
    same_answers(&mut client, &Model::new(&source.blocks()));
}

#[test]
fn a_snapshot_that_hekte_may_not_ask_about_is_no_history() {
    if !bitcoind::available("a_snapshot_that_hekte") {
        return;
    }
    let scratch = Scratch::new("assumeutxo");
    let file = scratch.join("utxo.dat").display().to_string();
    let source = source(&file);
    let blocks = source.blocks();
    let allowed = "-rpcwhitelist=__cookie__:getblockchaininfo,getblockhash,getblock,\
        getblockheader,submitheader,loadtxoutset,submitblock,getblockcount,getnetworkinfo,stop";
    let node = started_from(&file, &blocks, &[allowed]);
    let args = node.hekte_args(&scratch.join("a"), &[]);
    let mut server = Hekte::start(BINARY, scratch.path(), &refs(&args));
    let (mut client, model) = (server.client(), Model::new(&blocks));
    server.wait_log("block 1 is not in the files yet");
    says_nothing(&mut client, &model);
    hand_over(&node, &blocks[1..61]);
    reaches(&server, &mut client, 60);
    says_nothing(&mut client, &model);
    hand_over(&node, &blocks[61..111]);
    until("everything is answered", || client.call("server.ping", json!([])).is_ok());
    same_answers(&mut client, &model);
}
