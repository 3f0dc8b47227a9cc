//! ElectrumX 2.0.0 as a child process, if it is installed.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hekte_testkit::bitcoind::{Bitcoind, free_port};
use hekte_testkit::client::Client;
use hekte_testkit::scratch::Scratch;

/// How long ElectrumX may take to index the chain.
const PATIENCE: Duration = Duration::from_secs(60);

/// The Python that has ElectrumX, from `HEKTE_ELECTRUMX`, which `make compare` sets.
pub fn locate() -> Option<PathBuf> {
    let python = std::env::var_os("HEKTE_ELECTRUMX").map(PathBuf::from);
    if python.is_none() {
        eprintln!(
            "\n*** SKIPPED comparison: HEKTE_ELECTRUMX is not set; `make compare` sets it ***"
        );
    }
    python
}

/// A running server; killed on drop.
pub struct ElectrumX {
    child: Child,
    scratch: Scratch,
    pub address: String,
}

impl ElectrumX {
    /// Starts it beside a node with `txindex` and waits until it listens.
    pub fn start(python: &Path, node: &Bitcoind) -> ElectrumX {
        let scratch = Scratch::new("electrumx");
        let address = format!("127.0.0.1:{}", free_port());
        let cookie = fs::read_to_string(node.rpc.cookie()).expect("the node runs");
        let url = node.rpc.url().replace("http://", &format!("http://{}@", cookie.trim()));
        let log = File::create(scratch.join("log")).expect("scratch is writable");
        let data = scratch.join("data");
        fs::create_dir_all(&data).expect("scratch is writable");
        let child = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run_electrumx.py"))
            .env("DB_DIRECTORY", data)
            .env("DAEMON_URL", url)
            .env("SERVICES", format!("tcp://{address},rpc://127.0.0.1:{}", free_port()))
            // with the usual five seconds the test would take longer
            .env("DAEMON_POLL_INTERVAL_BLOCKS", "300")
            .env("DAEMON_POLL_INTERVAL_MEMPOOL", "300")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
        let mut server = ElectrumX { child, scratch, address };
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(&server.address).is_err() {
            let ended = server.child.try_wait().expect("a child").is_some();
            let late = ended || Instant::now() > end;
            assert!(!late, "ElectrumX does not listen:\n{}", server.log());
            sleep(Duration::from_millis(100));
        }
        server
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.address)
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.scratch.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for ElectrumX {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
