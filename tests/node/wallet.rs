//! Electrum in daemon mode: it pays, is paid, and verifies hekte's answers (SPV).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bitcoin::{Address, ScriptBuf};
use hekte_testkit::maker::Pay;
use hekte_testkit::scratch::Scratch;
use serde_json::{Value, json};

use crate::world::{World, until};

/// A seed from Electrum's own tests; on regtest there is nothing to steal.
const SEED: &str =
    "wild father tree among universe such mobile favorite target dynamic credit identify";

/// The Electrum found by `tests/get-electrum.sh`; `None` only if skipping is allowed.
pub fn locate() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/get-electrum.sh");
    let output = Command::new(&script).output().expect("the script runs");
    if output.status.success() {
        return Some(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    let problem = String::from_utf8_lossy(&output.stderr);
    let may_skip = std::env::var("HEKTE_ALLOW_SKIP").as_deref() == Ok("1");
    assert!(may_skip, "needs Electrum (HEKTE_ALLOW_SKIP=1 to go on without): {problem}");
    eprintln!("\n*** SKIPPED wallet: no Electrum ***\n{problem}");
    None
}

/// A running wallet; ended on drop.
struct Wallet {
    program: PathBuf,
    scratch: Scratch,
    daemon: Option<Child>,
}

impl Wallet {
    /// A wallet from [`SEED`] that connects only to this server.
    fn start(program: PathBuf, server: &str) -> Wallet {
        let mut wallet = Wallet { program, scratch: Scratch::new("electrum"), daemon: None };
        let made = wallet.command(&["--offline", "restore", SEED]).output();
        let made = made.expect("electrum runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let log = fs::File::create(wallet.scratch.join("log")).expect("scratch is writable");
        let server = format!("{server}:t");
        let mut daemon = wallet.command(&["daemon", "--oneserver", "--server", &server, "-v*"]);
        let daemon = daemon.stdout(Stdio::null()).stderr(log).spawn().expect("electrum runs");
        wallet.daemon = Some(daemon);
        until("the wallet is loaded", || wallet.ask(&["load_wallet"]).is_ok());
        wallet
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOME", self.scratch.path()).stdin(Stdio::null());
        command.args(args).arg("--regtest").arg("--dir").arg(self.scratch.join("electrum"));
        command
    }

    /// Asks the daemon; returns its answer as JSON, or as a text if it is none.
    fn ask(&self, args: &[&str]) -> Result<Value, String> {
        let output = self.command(args).output().expect("electrum runs");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
        if !output.status.success() {
            return Err(text + &String::from_utf8_lossy(&output.stderr));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn must(&self, args: &[&str]) -> Value {
        self.ask(args).unwrap_or_else(|problem| panic!("{args:?}: {problem}\n{}", self.log()))
    }

    /// Transactions with their heights and confirmations; Electrum counts confirmations only after
    /// verifying.
    fn history(&self) -> Vec<(String, i64, i64)> {
        let history = self.must(&["onchain_history"]);
        let list = history["transactions"].as_array().or(history.as_array()).expect("a list");
        let number = |item: &Value, key| item[key].as_i64().unwrap_or(-9);
        let entry = |item: &Value| {
            let txid = item["txid"].as_str().expect("a txid").to_string();
            (txid, number(item, "height"), number(item, "confirmations"))
        };
        list.iter().map(entry).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.scratch.join("log")).unwrap_or_default()
    }
}

impl Drop for Wallet {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = self.ask(&["stop"]);
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

#[test]
fn electrum_is_paid_pays_and_believes_us() {
    let Some(program) = locate() else { return };
    let Some(mut world) = World::new("electrum") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    let wallet = Wallet::start(program, &hekte.address());
    let address = wallet.must(&["getunusedaddress"]);
    let address: Address<_> = address.as_str().expect("an address").parse().expect("an address");
    let script = address.assume_checked().script_pubkey();

    pay(&mut world, &script, 5_000_000);
    let first = world.blocks.last().expect("a tip").txdata[1].compute_txid().to_string();
    let height = i64::from(world.height());
    until("the payment is proven", || wallet.history() == [(first.clone(), height, 1)]);
    assert_eq!(wallet.must(&["getbalance"]), json!({"confirmed": "0.05"}));
    world.mine(5);
    until("six confirmations", || wallet.history() == [(first.clone(), height, 6)]);
    let coins = wallet.must(&["listunspent"]);
    assert_eq!(coins[0]["prevout_hash"].as_str(), Some(&*first), "{coins}");
    assert_eq!(coins[0]["value"], "0.05", "{coins}");

    // the wallet pays: through hekte to bitcoind, into a block, and back to the wallet
    let away = Address::from_script(
        &ScriptBuf::new_p2wsh(&script.wscript_hash()),
        bitcoin::Network::Regtest,
    );
    let away = away.expect("an address").to_string();
    let tx = wallet.must(&["payto", &away, "0.02", "--feerate", "5"]);
    let second = wallet.must(&["broadcast", tx.as_str().expect("hex")]);
    let second = second.as_str().expect("a txid").to_string();
    assert_eq!(world.node.rpc.call("getrawmempool", json!([])), json!([second]));
    world.node.generate_to_descriptor(3, "raw(51)");
    let tip = i64::from(world.node.height());
    let right = [(first, height, tip - height + 1), (second, tip - 2, 3)];
    until("the payment from it is proven", || wallet.history() == right);
    let log = wallet.log();
    for word in ["Traceback", "bad merkle", "verification failed", "cannot verify"] {
        assert!(!log.contains(word), "{word}:\n{log}");
    }
}

/// Mines a block that pays to a script.
fn pay(world: &mut World, script: &ScriptBuf, value: u64) {
    let block = world.maker.block_paying(vec![vec![Pay::Script(script.clone(), value)]]).block;
    assert!(world.node.submit(&block));
    world.blocks.push(block);
}
