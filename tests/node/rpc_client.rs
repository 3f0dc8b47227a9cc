//! A real bitcoind on regtest: what we ask it, and what becomes of us when it restarts.

use std::time::{Duration, Instant};

use bitcoin::hex::DisplayHex;
use hekte::check;
use hekte::cli::{self, Parsed};
use hekte::config::Config;
use hekte::config::network::Network;
use hekte::config::node::{NodeConfig, RpcAuth};
use hekte::ids::Height;
use hekte::node::chain::NodeTip;
use hekte::node::error::RpcError;
use hekte::node::fits;
use hekte::node::rpc::Rpc;
use hekte::node::tip_wait::TipWait;
use hekte_testkit::bitcoind::{self, Bitcoind};
use serde_json::{Value, json};

use crate::restricted::PASSWORD_SECRET;

/// A node with an empty chain; `None` where the test is to be skipped.
fn start(test: &str, args: &[&str]) -> Option<Bitcoind> {
    bitcoind::available(test).then(|| Bitcoind::start(args))
}

fn config(node: &Bitcoind, extra: &str) -> Config {
    let line = format!(
        "hekte --network regtest --bitcoin-dir {dir} --data-dir {dir}/hekte --rpc-url {url} \
         --listen 127.0.0.1:0 {extra}",
        url = node.rpc.url(),
        dir = node.datadir().display()
    );
    match cli::parse(line.split_whitespace().map(Into::into), []).unwrap() {
        Parsed::Do(_, config) => *config,
        Parsed::Print(text) => panic!("{text}"),
    }
}

fn client(node: &Bitcoind) -> Rpc {
    Rpc::new(config(node, "").node.as_ref().unwrap())
}

/// The same node, asked by somebody with a password.
fn with_password(node: &Bitcoind, user: &str, password: &str) -> Rpc {
    let NodeConfig { url, .. } = config(node, "").node.unwrap();
    let auth = RpcAuth::User { user: user.into(), password: password.into() };
    Rpc::new(&NodeConfig { url, auth })
}

fn mine(rpc: &Rpc, blocks: u32) -> Value {
    rpc.call("generatetodescriptor", vec![json!(blocks), json!("raw(51)#8lvh9jxk")]).unwrap()
}

#[test]
fn chain_questions_restart_and_closed_connections() {
    let Some(mut node) = start("chain", &["-rpcservertimeout=1"]) else { return };
    let rpc = client(&node);
    mine(&rpc, 12);

    let facts = fits::check(&rpc, &config(&node, "")).unwrap();
    assert_eq!((facts.info.blocks, facts.magic), (12, Network::Regtest.magic()));
    assert!(facts.network.unwrap().version > 200_000);
    assert_eq!(rpc.background_height(&facts.info).unwrap(), None);

    let hashes = rpc.block_hashes(Height(0), Height(5000)).unwrap();
    assert_eq!(hashes.len(), 13);
    assert_eq!(hashes[0], Network::Regtest.genesis_hash());
    assert_eq!(rpc.block_hash(Height(13)).unwrap(), None);
    let header = rpc.block_header(&hashes[7]).unwrap().unwrap();
    let told = node.rpc.call("getblockheader", json!([hashes[7].to_string(), false]));
    assert_eq!(told, header.to_lower_hex_string());
    let nowhere = "00".repeat(32).parse().unwrap();
    assert_eq!(rpc.block_header(&nowhere).unwrap(), None);

    // bitcoind closes connections that are idle for a second
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(rpc.blockchain_info().unwrap().blocks, 12);

    let mut wait = TipWait::new(&rpc, Duration::from_secs(20));
    let before = NodeTip { height: Height(11), hash: hashes[11] };
    let tip = wait.wait_for_other(before, Duration::from_secs(20)).unwrap();
    assert_eq!(tip, NodeTip { height: Height(12), hash: hashes[12] });
    let began = Instant::now();
    assert_eq!(wait.wait_for_other(tip, Duration::from_millis(300)).unwrap(), tip);
    assert!(began.elapsed() >= Duration::from_millis(290));
    let waiting = std::thread::spawn(move || {
        let higher = wait.wait_for_other(tip, Duration::from_secs(20)).unwrap();
        (higher, wait.wait_for_other(higher, Duration::from_secs(20)).unwrap())
    });
    std::thread::sleep(Duration::from_millis(200));
    let mined = mine(&rpc, 1);
    std::thread::sleep(Duration::from_millis(200));
    // a lower one is another one, too
    node.rpc.call("invalidateblock", json!([mined[0]]));
    let (higher, lower) = waiting.join().unwrap();
    assert_eq!((higher.height, lower), (Height(13), tip));
    node.rpc.call("reconsiderblock", json!([mined[0]]));

    // while it is down we are told so, and afterwards the same Rpc goes on with the new cookie
    node.stop();
    let error = rpc.blockchain_info().unwrap_err();
    assert!(matches!(error, RpcError::Away(_)), "{error}");
    node.run(&[]);
    assert_eq!(rpc.blockchain_info().unwrap().blocks, 13);
}

#[test]
fn a_node_that_does_not_fit_is_named() {
    let Some(node) = start("fits", &["-prune=550"]) else { return };
    let rpc = client(&node);
    let error = fits::check(&rpc, &config(&node, "")).unwrap_err();
    assert!(error.code() == 69 && error.to_string().contains("prune=0"), "{error}");
    let error = fits::check(&rpc, &config(&node, "--network signet")).unwrap_err();
    assert!(error.code() == 78 && error.to_string().contains("is on regtest"), "{error}");

    let stranger = with_password(&node, "u", "wrong");
    let error = stranger.blockchain_info().unwrap_err();
    assert!(matches!(&error, RpcError::Auth(text) if text.contains("user u")), "{error}");
}

#[test]
fn a_whitelist_leaves_us_enough() {
    let arguments = [
        PASSWORD_SECRET,
        "-rpcwhitelistdefault=0",
        "-rpcwhitelist=hekte:getblockchaininfo,getblockhash,getblock,getblockheader",
    ];
    let Some(node) = start("whitelist", &arguments) else { return };
    let rpc = with_password(&node, "hekte", "secret");
    let facts = fits::check(&rpc, &config(&node, "")).unwrap();
    assert_eq!(facts.network, None);
    assert_eq!(rpc.background_height(&facts.info).unwrap(), None);
    assert_eq!(rpc.block_hashes(Height(0), Height(9)).unwrap().len(), 1);
    let mut wait = TipWait::new(&rpc, Duration::from_secs(5));
    let tip = wait.wait_for_other(facts.info.tip(), Duration::from_millis(50)).unwrap();
    assert_eq!(tip.height, Height(0));
}

#[test]
fn check_sees_a_sound_installation_and_a_stopped_node() {
    let Some(mut node) = start("check", &[]) else { return };
    let rpc = client(&node);
    mine(&rpc, 3);
    let report = check::run(&config(&node, ""));
    eprint!("{report}");
    assert_eq!(report.code(), 0, "{report}");
    assert!(report.to_string().contains("bitcoind is at block 3 of 3"), "{report}");
    node.stop();
    let report = check::run(&config(&node, ""));
    assert_eq!(report.code(), 69, "{report}");
}
