//! A server on port 0 in a thread of its own, and a client that reads and writes bytes.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown as Close, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use hekte::node::calls::NodeCalls;
use hekte::query::relay::Relay;
use hekte::server::electrum::tips::TipChannel;
use hekte::server::net::settings::Settings;
use hekte::server::net::shutdown::{self, Trigger};
use hekte::session::config::{Host, SessionConfig};
use hekte::session::hub::SessionHub;
use serde_json::Value;

use crate::fake::FakeIndex;
use crate::fake_node::FakeNode;

/// Longer than any test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; stops when dropped.
pub struct Serving {
    pub address: SocketAddr,
    pub index: Arc<FakeIndex>,
    pub node: Arc<FakeNode>,
    pub tips: TipChannel,
    pub shared: Arc<SessionHub>,
    trigger: Trigger,
    thread: Option<JoinHandle<()>>,
}

/// Everything logged by all tests of this program.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LOG.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
    }

    fn flush(&self) {}
}

/// Waits for a line of the log with all of `words`.
pub fn logged(words: &[&str]) -> String {
    for _ in 0..200 {
        let lines = LOG.lock().unwrap().clone();
        let fits = |line: &&String| words.iter().all(|word| line.contains(word));
        if let Some(line) = lines.iter().find(fits) {
            return line.clone();
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("no line with {words:?} in the log");
}

/// A server with usual limits and a node.
pub fn serve() -> Serving {
    serve_with(Settings::default(), |_| (), true)
}

/// A server with other limits.
pub fn serve_with(
    settings: Settings,
    change: impl FnOnce(&mut SessionConfig),
    online: bool,
) -> Serving {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
    let (index, node) = (Arc::new(FakeIndex::default()), Arc::new(FakeNode::default()));
    let genesis = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
    let mut config = SessionConfig::new(genesis.parse().unwrap());
    config.software = "hekte/test".to_owned();
    config.texts.banner = "A banner\nof two lines.".to_owned();
    let host = Host { name: "node.local".to_owned(), tcp_port: Some(50001), ssl_port: None };
    config.hosts.push(host);
    change(&mut config);
    let calls = online.then(|| node.clone() as Arc<dyn NodeCalls>);
    let relay = Arc::new(Relay::new(index.clone(), calls));
    let shared = Arc::new(SessionHub::new(config, index.clone(), relay));
    let (trigger, signal) = shutdown::channel();
    let tips = TipChannel::default();
    let (tell, told) = mpsc::channel();
    let (ours, theirs) = (tips.clone(), shared.clone());
    let thread = std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let listeners = vec![(listener, hekte::server::Speaks::Electrum)];
            hekte::server::run(listeners, signal, ours, settings, theirs).await.unwrap();
        });
        runtime.shutdown_background();
    });
    let address = told.recv().unwrap();
    Serving { address, index, node, tips, shared, trigger, thread: Some(thread) }
}

impl Serving {
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Gives the signal to stop and waits until the server has.
    pub fn stop(&mut self) {
        self.trigger.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.index.open_gate();
        self.stop();
    }
}

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub fn send_line(&mut self, line: &str) {
        self.send(format!("{line}\n"));
    }

    /// The next line without its newline; `None` when the server closed.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end_matches('\n').to_owned()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no line: {error}"),
        }
    }

    /// The same without the spaces before its last bracket.
    pub fn unpadded(&mut self) -> Option<String> {
        let mut line = self.line()?;
        let bracket = line.pop();
        line.truncate(line.trim_end_matches(' ').len());
        line.extend(bracket);
        Some(line)
    }

    pub fn value(&mut self) -> Value {
        serde_json::from_str(&self.line().expect("a reply")).unwrap()
    }

    /// Sends a request and reads one line.
    pub fn ask(&mut self, line: &str) -> Value {
        self.send_line(line);
        self.value()
    }

    /// A request made of its parts.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.ask(&serde_json::json!({"id": 1, "method": method, "params": params}).to_string())
    }

    /// Our end, as the server's log names it.
    pub fn name(&self) -> String {
        self.stream.local_addr().unwrap().to_string()
    }

    pub fn no_more_requests(&self) {
        self.stream.shutdown(Close::Write).unwrap();
    }

    /// True if nothing comes for a short while.
    pub fn is_quiet(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let nothing = self.reader.fill_buf().map(<[u8]>::len).is_err();
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        nothing
    }

    /// Everything up to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest);
        rest
    }
}
