//! One of the compared servers: how to start it, and the resources that the kernel counted for it.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hekte_testkit::bitcoind::free_port;
use hekte_testkit::client::Client;
use nix::unistd::{SysconfVar, sysconf};
use serde_json::{Value, json};

use crate::peers::node::Node;
use crate::peers::{bytes_below, folder};

/// How long a server may take to index the chain.
const PATIENCE: Duration = Duration::from_secs(1200);
/// The memory budget of hekte; the other servers have their defaults.
const BUDGET: &str = "256MiB";

/// The servers that are compared, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Hekte,
    Electrs,
    ElectrumX,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Hekte, Kind::Electrs, Kind::ElectrumX];

    /// The server with this name on the command line.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name on the command line and in file names.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Hekte => "hekte",
            Kind::Electrs => "electrs",
            Kind::ElectrumX => "electrumx",
        }
    }

    /// Its name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Hekte => "hekte",
            Kind::Electrs => "electrs 0.10.10",
            Kind::ElectrumX => "ElectrumX 2.0.0",
        }
    }

    /// The folder of its index.
    pub fn data(self) -> PathBuf {
        folder().join("data").join(self.name())
    }

    fn command(self, node: &Node, address: &str) -> Command {
        match self {
            Kind::Hekte => hekte(node, address, &self.data()),
            Kind::Electrs => electrs(node, address, &self.data()),
            Kind::ElectrumX => electrumx(node, address, &self.data()),
        }
    }
}

fn hekte(node: &Node, address: &str, data: &Path) -> Command {
    let mut command = Command::new(crate::hekte());
    command.args(["--network", "regtest", "--memory", BUDGET, "--listen", address]);
    command.arg("--bitcoin-dir").arg(node.bitcoind.datadir()).arg("--data-dir").arg(data);
    command.args(["--rpc-url", &node.bitcoind.rpc.url()]);
    command
}

fn electrs(node: &Node, address: &str, data: &Path) -> Command {
    let mut command = Command::new(folder().join("electrs-0.10.10/bin/electrs"));
    let rpc = node.bitcoind.rpc.url().replace("http://", "");
    let monitoring = format!("127.0.0.1:{}", free_port());
    command.args(["--network", "regtest", "--log-filters", "INFO", "--skip-default-conf-files"]);
    command.args(["--electrum-rpc-addr", address, "--monitoring-addr", &monitoring]);
    command.args(["--daemon-rpc-addr", &rpc, "--daemon-p2p-addr", &node.p2p]);
    command.arg("--cookie-file").arg(node.bitcoind.rpc.cookie()).arg("--db-dir").arg(data);
    command
}

fn electrumx(node: &Node, address: &str, data: &Path) -> Command {
    let mut command = Command::new(folder().join("electrumx/bin/python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/run_electrumx.py"));
    let url = node.bitcoind.rpc.url().replace("http://", &format!("http://{}@", node.cookie()));
    let services = format!("tcp://{address},rpc://127.0.0.1:{}", free_port());
    command.env("DB_DIRECTORY", data).env("DAEMON_URL", url).env("SERVICES", services);
    // long histories need larger replies than the default allows
    command.env("MAX_SEND", "100000000");
    command
}

/// The resources that the kernel counted for a process so far.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// CPU time in seconds.
    pub cpu: f64,
    /// The most RAM held, in bytes.
    pub peak_rss: u64,
    /// Bytes written towards the disk.
    pub written: u64,
}

/// The counters of a running process.
pub fn counted(pid: u32) -> Counted {
    let read = |name| fs::read_to_string(format!("/proc/{pid}/{name}")).expect("it lives");
    let field = |text: &str, name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name).map(str::to_string));
        let word = line.and_then(|line| line.split_whitespace().next().map(str::to_string));
        word.and_then(|word| word.parse().ok()).unwrap_or_default()
    };
    // the fields follow the name, which may hold any character: the state, then numbers; numbers 12
    // and 13 are CPU ticks
    let stat = read("stat");
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    let numbers: Vec<f64> = behind.split_whitespace().map(|w| w.parse().unwrap_or(0.0)).collect();
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64;
    Counted {
        cpu: (numbers[11] + numbers[12]) / ticks,
        peak_rss: field(&read("status"), "VmHWM:") * 1024,
        written: field(&read("io"), "write_bytes:"),
    }
}

/// A running server that answers questions; killed on drop.
pub struct Server {
    child: Child,
    /// The address on which it listens.
    pub address: String,
    /// The time from its start until it answered a question about a script at the tip.
    pub wall: Duration,
}

impl Server {
    /// Starts the server on its index, or without one if that was removed, and waits until it
    /// answers. Before that, the node's block files are brought into the page cache.
    pub fn start(kind: Kind, node: &Node) -> Server {
        fs::create_dir_all(kind.data()).expect("the target folder can be written");
        node.warm();
        let address = format!("127.0.0.1:{}", free_port());
        let log = File::create(folder().join(format!("{}.log", kind.name())));
        let log = log.expect("the target folder can be written");
        let mut command = kind.command(node, &address);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
        let start = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{kind:?}: {error} (tests/get-peers.sh fetches the others)")
        });
        let mut server = Server { child, address, wall: Duration::ZERO };
        while !ready(&server.address, node.tip) {
            let ended = server.child.try_wait().expect("a child");
            assert!(ended.is_none(), "{kind:?} ended, see its log in {}", folder().display());
            assert!(start.elapsed() < PATIENCE, "{kind:?} takes too long");
            sleep(Duration::from_millis(20));
        }
        server.wall = start.elapsed();
        server
    }

    /// The resources that it has used so far.
    pub fn counted(&self) -> Counted {
        counted(self.child.id())
    }

    /// Stops it in the regular way.
    pub fn stop(mut self) {
        let term = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &term]).status();
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end && self.child.try_wait().expect("a child").is_none() {
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether it answers about scripts at this tip.
fn ready(address: &str, tip: u32) -> bool {
    if TcpStream::connect(address).is_err() {
        return false;
    }
    let mut client = Client::connect(address);
    client.patience = Duration::from_secs(60);
    let _ = client.call("server.version", json!(["bench", "1.4"]));
    let seen = client.call("blockchain.headers.subscribe", json!([]));
    let height = seen.ok().and_then(|seen| seen["height"].as_u64());
    let nobody: Value = json!(["00".repeat(32)]);
    height == Some(tip.into()) && client.call("blockchain.scripthash.get_balance", nobody).is_ok()
}

/// The bytes of its index.
pub fn index_bytes(kind: Kind) -> u64 {
    bytes_below(&kind.data())
}
