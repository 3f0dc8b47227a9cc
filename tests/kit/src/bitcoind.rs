//! Runs a real bitcoind on regtest or a custom signet, on loopback only, in a folder of its own.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::{Block, BlockHash};
use serde_json::{Value, json};

use crate::rpc::Rpc;
use crate::scratch::Scratch;

/// How long bitcoind may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The bitcoind to test with, as found by `tests/get-bitcoind.sh`, which runs once per process.
pub fn locate() -> Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../get-bitcoind.sh");
            let output = Command::new(&script).output();
            let output = output.map_err(|e| format!("{}: {e}", script.display()))?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
            let path = String::from_utf8_lossy(&output.stdout);
            Ok(PathBuf::from(path.trim()))
        })
        .clone()
}

/// True if there is a bitcoind. Without one it panics, or, if `HEKTE_ALLOW_SKIP=1`, prints that the
/// test was skipped.
pub fn available(test: &str) -> bool {
    match locate() {
        Ok(_) => true,
        Err(problem) if std::env::var("HEKTE_ALLOW_SKIP").as_deref() == Ok("1") => {
            eprintln!("\n*** SKIPPED {test}: no bitcoind ***\n{problem}");
            false
        }
        Err(problem) => {
            panic!("{test} needs a bitcoind (HEKTE_ALLOW_SKIP=1 to go on without): {problem}")
        }
    }
}

/// A regtest or signet node; killed on drop.
pub struct Bitcoind {
    child: Option<Child>,
    scratch: Scratch,
    /// The name of its network, which bitcoind and hekte share.
    network: &'static str,
    rpc_port: u16,
    pub rpc: Rpc,
}

impl Bitcoind {
    /// Starts a node with an empty chain and waits until it answers. It listens for no peers and
    /// has no wallet, unless `args` change that (`-disablewallet=0`, `-blocksxor=0`, ...). It never
    /// considers itself in its first sync, unless given `-maxtipage=86400`.
    pub fn start(args: &[&str]) -> Self {
        let scratch = Scratch::new("bitcoind");
        Self::start_in(scratch, args)
    }

    /// Like [`Bitcoind::start`], on a signet. With `-signetchallenge=51` anybody may mine on it.
    pub fn start_signet(args: &[&str]) -> Self {
        Self::start_on("signet", Scratch::new("signet"), args)
    }

    /// Like [`Bitcoind::start`], in a folder that was prepared, for example with block files in
    /// `regtest/blocks`.
    pub fn start_in(scratch: Scratch, args: &[&str]) -> Self {
        Self::start_on("regtest", scratch, args)
    }

    fn start_on(network: &'static str, scratch: Scratch, args: &[&str]) -> Self {
        let rpc_port = free_port();
        let cookie = scratch.join(format!("{network}/.cookie"));
        let rpc = Rpc::new(&format!("http://127.0.0.1:{rpc_port}"), cookie);
        let mut node = Self { child: None, scratch, network, rpc_port, rpc };
        node.run(args);
        node
    }

    /// Stops, then starts again on the same folder and port with other arguments.
    pub fn restart(&mut self, args: &[&str]) {
        self.stop();
        self.run(args);
    }

    /// Starts a stopped or killed node again.
    pub fn run(&mut self, args: &[&str]) {
        assert!(self.child.is_none(), "bitcoind runs already");
        let _ = fs::remove_file(self.rpc.cookie()); // a killed node leaves its old cookie
        let log = File::create(self.scratch.join("bitcoind.out")).expect("scratch is writable");
        let mut command = Command::new(locate().expect("a bitcoind"));
        command.arg(format!("-{}", self.network));
        command.arg(format!("-datadir={}", self.scratch.path().display()));
        command.arg(format!("-rpcport={}", self.rpc_port));
        for arg in ["-server=1", "-listen=0", "-connect=0", "-dnsseed=0", "-disablewallet=1"] {
            command.arg(arg);
        }
        for arg in ["-fallbackfee=0.0001", "-acceptnonstdtxn=1", "-rpcbind=127.0.0.1"] {
            command.arg(arg);
        }
        command.args(["-rpcallowip=127.0.0.1", "-printtoconsole=0", "-dbcache=64"]);
        // regtest checks these by default, which is slow
        command.args(["-checkmempool=0", "-checkblockindex=0"]);
        command.arg("-maxtipage=1000000000"); // old block times must not look like a first sync
        command.args(args); // of repeated options bitcoind takes the last
        command.stdin(Stdio::null()).stderr(log.try_clone().expect("a second handle")).stdout(log);
        self.child = Some(command.spawn().expect("bitcoind starts"));
        self.wait_ready();
    }

    fn wait_ready(&mut self) {
        let end = Instant::now() + PATIENCE;
        loop {
            // cookie and port exist before the chain is loaded; until then a call is refused with
            // -28
            let ready = self.rpc.cookie().exists();
            let answer = ready.then(|| self.rpc.try_call("getblockchaininfo", json!([])));
            if let Some(Ok(answer)) = answer {
                assert_eq!(answer["chain"], self.network, "some other node has this port");
                return;
            }
            let child = self.child.as_mut().expect("just started");
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("bitcoind ended with {status}: {}", self.output());
            }
            assert!(Instant::now() < end, "bitcoind does not answer: {}", self.output());
            sleep(Duration::from_millis(30));
        }
    }

    /// Stops it in the regular way, which writes everything to disk.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        self.rpc.call("stop", json!([]));
        let end = Instant::now() + PATIENCE;
        while child.try_wait().expect("a child").is_none() {
            if Instant::now() > end {
                let _ = child.kill();
                panic!("bitcoind does not stop: {}", self.output());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Kills it (SIGKILL): what was not flushed is lost.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The folder that it was given as `-datadir`.
    pub fn datadir(&self) -> &Path {
        self.scratch.path()
    }

    /// The folder of blk files, rev files and xor.dat.
    pub fn blocks_dir(&self) -> PathBuf {
        self.scratch.join(format!("{}/blocks", self.network))
    }

    /// For messages about a failure: the node's output and the end of its debug.log.
    pub fn output(&self) -> String {
        let read = |name: &str| fs::read(self.scratch.join(name)).unwrap_or_default();
        let log = read(&format!("{}/debug.log", self.network));
        let tail = &log[log.len().saturating_sub(2000)..];
        let out = String::from_utf8_lossy(&read("bitcoind.out")).into_owned();
        out + &String::from_utf8_lossy(tail)
    }

    /// Arguments that make hekte use this node, with its index in `data` and any free port. With
    /// `--offline` among `extra`, hekte uses only the node's files.
    pub fn hekte_args(&self, data: &Path, extra: &[&str]) -> Vec<String> {
        let bitcoin = self.datadir().display().to_string();
        let (data, url) = (data.display().to_string(), self.rpc.url());
        let mut args = vec!["--network", self.network, "--bitcoin-dir", &bitcoin];
        args.extend(["--data-dir", &data, "--listen", "127.0.0.1:0"]);
        if !extra.contains(&"--offline") {
            args.extend(["--rpc-url", &url]);
        }
        args.extend(extra);
        args.into_iter().map(str::to_string).collect()
    }

    /// Submits a block; panics if the node calls it invalid. True if it was connected at once.
    pub fn submit(&self, block: &Block) -> bool {
        let answer = self.rpc.submit_block(block).unwrap_or_else(|e| panic!("{e}"));
        let known = matches!(answer.as_str(), "" | "inconclusive" | "duplicate");
        assert!(known, "block {} was refused: {answer}", block.block_hash());
        answer.is_empty()
    }

    pub fn height(&self) -> u32 {
        self.rpc.height()
    }

    /// All blocks of its active chain, genesis first.
    pub fn blocks(&self) -> Vec<Block> {
        let block = |height| {
            let hash = self.rpc.call("getblockhash", json!([height]));
            let hex = self.rpc.call("getblock", json!([hash, 0]));
            deserialize_hex(hex.as_str().expect("a string")).expect("a block")
        };
        (0..=self.height()).map(block).collect()
    }

    pub fn tip(&self) -> BlockHash {
        let hash = self.rpc.call("getbestblockhash", json!([]));
        hash.as_str().expect("a string").parse().expect("a hash")
    }

    /// Mines blocks that pay to an address; returns their hashes.
    pub fn generate_to_address(&self, blocks: u32, address: &str) -> Vec<String> {
        strings(self.rpc.call("generatetoaddress", json!([blocks, address])))
    }

    /// Mines blocks that pay to a descriptor such as `raw(51)` (anybody can spend).
    pub fn generate_to_descriptor(&self, blocks: u32, descriptor: &str) -> Vec<String> {
        strings(self.rpc.call("generatetodescriptor", json!([blocks, descriptor])))
    }

    /// Mines one block with exactly these transactions (raw hex, or ids from the mempool), paying
    /// to an address or descriptor; returns its hash.
    pub fn generate_block(&self, output: &str, txs: &[String]) -> String {
        let answer = self.rpc.call("generateblock", json!([output, txs]));
        answer["hash"].as_str().expect("a hash").to_string()
    }
}

impl Drop for Bitcoind {
    fn drop(&mut self) {
        self.kill();
    }
}

fn strings(array: Value) -> Vec<String> {
    let array = array.as_array().expect("an array").iter();
    array.map(|item| item.as_str().expect("a string").to_string()).collect()
}

/// A loopback port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback exists");
    listener.local_addr().expect("it is bound").port()
}
