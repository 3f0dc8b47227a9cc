//! A real bitcoind on regtest: what we ask it, and what becomes of us when it restarts.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hekte::check;
use hekte::cli::{self, Parsed};
use hekte::config::Config;
use hekte::config::network::Network;
use hekte::config::node::{RpcAuth, RpcUrl};
use hekte::ids::Height;
use hekte::node::chain::TipWait;
use hekte::node::error::RpcError;
use hekte::node::fits;
use hekte::node::rpc::Rpc;
use serde_json::json;

/// `$BITCOIND`, or what the project's script finds; `None` skips, loudly.
fn locate() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("BITCOIND") {
        return Some(path.into());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/get-bitcoind.sh");
    let found = Command::new(script).stderr(Stdio::inherit()).output().ok();
    let path = found.filter(|output| output.status.success()).map(|output| output.stdout);
    let path = path.and_then(|path| String::from_utf8(path).ok()).map(|path| path.trim().into());
    if path.is_none() {
        eprintln!("*** SKIPPED: no bitcoind; set BITCOIND to one ***");
    }
    path
}

struct Node {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Node {
    fn start(name: &str, extra: &[&str]) -> Option<Node> {
        let program = locate()?;
        let dir = std::env::temp_dir().join(format!("hekte-node-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut node = Node { program, dir, port, child: None };
        node.run(extra);
        Some(node)
    }

    fn run(&mut self, extra: &[&str]) {
        let child = Command::new(&self.program)
            .args(["-regtest", "-listen=0", "-dnsseed=0", "-disablewallet", "-printtoconsole=0"])
            .arg(format!("-datadir={}", self.dir.display()))
            .arg(format!("-rpcport={}", self.port))
            .args(extra)
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = nix::unistd::Pid::from_raw(child.id() as i32);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
            child.wait().unwrap();
        }
    }

    fn config(&self, extra: &str) -> Config {
        let line = format!(
            "hekte --network regtest --bitcoin-dir {dir} --data-dir {dir}/hekte --rpc-url \
             127.0.0.1:{} --listen 127.0.0.1:0 {extra}",
            self.port,
            dir = self.dir.display()
        );
        match cli::parse(line.split_whitespace().map(Into::into), []).unwrap() {
            Parsed::Do(_, config) => *config,
            Parsed::Print(text) => panic!("{text}"),
        }
    }

    fn rpc(&self) -> Rpc {
        Rpc::new(self.config("").node.as_ref().unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Waits until bitcoind answers, as the daemon does.
fn until_up(rpc: &Rpc) {
    let end = Instant::now() + Duration::from_secs(60);
    while let Err(error) = rpc.blockchain_info() {
        assert!(Instant::now() < end, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn mine(rpc: &Rpc, blocks: u32) {
    rpc.call("generatetodescriptor", vec![json!(blocks), json!("raw(51)#8lvh9jxk")]).unwrap();
}

#[test]
fn chain_questions_restart_and_closed_connections() {
    let Some(mut node) = Node::start("chain", &["-rpcservertimeout=1"]) else { return };
    let rpc = node.rpc();
    until_up(&rpc);
    mine(&rpc, 12);

    let config = node.config("");
    let facts = fits::check(&rpc, &config).unwrap();
    assert_eq!((facts.info.blocks, facts.magic), (12, Network::Regtest.magic()));
    assert!(facts.network.unwrap().version > 200_000);
    assert_eq!(rpc.background_height(&facts.info).unwrap(), None);

    let hashes = rpc.block_hashes(Height(0), Height(5000)).unwrap();
    assert_eq!(hashes.len(), 13);
    assert_eq!(hashes[0], Network::Regtest.genesis_hash());
    assert_eq!(rpc.block_hash(Height(13)).unwrap(), None);
    let block = rpc.block(&hashes[7]).unwrap().unwrap();
    let header = rpc.block_header(&hashes[7]).unwrap().unwrap();
    assert_eq!(block[..80], header);
    let nowhere = "00".repeat(32).parse().unwrap();
    assert_eq!(rpc.block(&nowhere).unwrap(), None);
    assert_eq!(rpc.block_header(&nowhere).unwrap(), None);

    // bitcoind closes connections that are idle for a second
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(rpc.blockchain_info().unwrap().blocks, 12);

    let wait = TipWait::new(&rpc, Duration::from_secs(20));
    let tip = wait.wait_for_height(Height(12), Duration::from_secs(20)).unwrap();
    assert_eq!(tip.hash, hashes[12]);
    let began = Instant::now();
    let tip = wait.wait_for_height(Height(13), Duration::from_millis(300)).unwrap();
    assert_eq!(tip.height, Height(12));
    assert!(began.elapsed() >= Duration::from_millis(290));
    let waiting = std::thread::spawn(move || {
        let tip = wait.wait_for_height(Height(13), Duration::from_secs(20)).unwrap();
        (tip, Instant::now())
    });
    std::thread::sleep(Duration::from_millis(200));
    mine(&rpc, 1);
    let mined = Instant::now();
    let (tip, noticed) = waiting.join().unwrap();
    assert_eq!(tip.height, Height(13));
    assert!(noticed.saturating_duration_since(mined) < Duration::from_secs(1));

    // while it is down we are told so, and afterwards the same Rpc goes on with the new cookie
    node.stop();
    let error = rpc.blockchain_info().unwrap_err();
    assert!(matches!(error, RpcError::Away(_)), "{error}");
    node.run(&[]);
    until_up(&rpc);
    assert_eq!(rpc.blockchain_info().unwrap().blocks, 13);
}

#[test]
fn a_node_that_does_not_fit_is_named() {
    let Some(node) = Node::start("fits", &["-prune=550"]) else { return };
    let rpc = node.rpc();
    until_up(&rpc);
    let error = fits::check(&rpc, &node.config("")).unwrap_err();
    assert!(error.code() == 69 && error.to_string().contains("prune=0"), "{error}");
    let error = fits::check(&rpc, &node.config("--network signet")).unwrap_err();
    assert!(error.code() == 78 && error.to_string().contains("is on regtest"), "{error}");

    let url = RpcUrl::parse("127.0.0.1", node.port).unwrap();
    let auth = RpcAuth::User { user: "u".into(), password: "wrong".into() };
    let stranger = Rpc::new(&hekte::config::node::NodeConfig { url, auth });
    let error = stranger.blockchain_info().unwrap_err();
    assert!(matches!(&error, RpcError::Auth(text) if text.contains("user u")), "{error}");
}

#[test]
fn a_whitelist_leaves_us_enough() {
    let arguments = [
        "-rpcuser=u",
        "-rpcpassword=p",
        "-rpcwhitelist=u:getblockchaininfo,getblockhash,getblock,getblockheader",
    ];
    let Some(node) = Node::start("whitelist", &arguments) else { return };
    let url = RpcUrl::parse("127.0.0.1", node.port).unwrap();
    let auth = RpcAuth::User { user: "u".into(), password: "p".into() };
    let rpc = Rpc::new(&hekte::config::node::NodeConfig { url, auth });
    until_up(&rpc);
    let facts = fits::check(&rpc, &node.config("")).unwrap();
    assert_eq!(facts.network, None);
    assert_eq!(rpc.background_height(&facts.info).unwrap(), None);
    assert_eq!(rpc.block_hashes(Height(0), Height(9)).unwrap().len(), 1);
    let wait = TipWait::new(&rpc, Duration::from_secs(5));
    let tip = wait.wait_for_height(Height(1), Duration::from_millis(50)).unwrap();
    assert_eq!(tip.height, Height(0));
}

#[test]
fn check_sees_a_sound_installation_and_a_stopped_node() {
    let Some(mut node) = Node::start("check", &[]) else { return };
    let rpc = node.rpc();
    until_up(&rpc);
    mine(&rpc, 3);
    let report = check::run(&node.config(""));
    eprint!("{report}");
    assert_eq!(report.code(), 0, "{report}");
    assert!(report.to_string().contains("bitcoind is at block 3 of 3"), "{report}");
    node.stop();
    let report = check::run(&node.config(""));
    assert_eq!(report.code(), 69, "{report}");
}
