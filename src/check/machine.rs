//! Findings about this machine: our folder, its free space, memory, clock, ports.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::findings::Findings;
use crate::config::network::Network;
use crate::config::{Config, units};
use crate::error::Error;
use crate::host::disk::{self, Storage};
use crate::host::{access, memory};
use crate::store::space::{DiskNeed, disk_need};

/// 1 January 2024: a clock that shows an earlier time has not been set since the board started.
const OLDEST_SANE_TIME: u64 = 1_704_067_200;

/// How far ahead of our clock a block's time may be: consensus allows two hours.
const BLOCK_AHEAD_SECONDS: u64 = 2 * 3600;

/// Checks the machine. `block_bytes` is the size of the blk and rev files, `newest_block_time` the
/// Unix time of the newest block, both if known.
pub fn look(
    config: &Config,
    block_bytes: Option<u64>,
    newest_block_time: Option<u64>,
    findings: &mut Findings,
) {
    data_dir(config, findings);
    if let Some(bytes) = block_bytes {
        space(config, bytes, findings);
    }
    memory_budget(config, memory::ram_bytes(), memory::cgroup_limit_bytes(), findings);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    clock(config.network, now, newest_block_time, findings);
    for address in &config.listen {
        port(*address, &config.server_name, findings);
    }
    match config.metrics {
        Some(address) => metrics_port(address, findings),
        None => findings.ok("metrics", "off"),
    }
}

fn data_dir(config: &Config, findings: &mut Findings) {
    let dir = &config.data_dir;
    if let Err(error) = access::writable(dir) {
        return findings.error("data dir", &error);
    }
    let text = format!("{} can be written", dir.display());
    match disk::storage(nearest(dir)) {
        Storage::Card => findings.warning(
            "data dir",
            format!("{text}, on an SD card or eMMC, slow to answer from -> set data_dir to an SSD"),
        ),
        Storage::Rotating => findings.ok("data dir", format!("{text}, on a rotating disk")),
        Storage::SolidState => findings.ok("data dir", format!("{text}, on an SSD")),
        Storage::Unknown => findings.ok("data dir", text),
    }
}

/// The folder itself or, if it does not exist, the nearest existing one above it.
fn nearest(dir: &Path) -> &Path {
    dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"))
}

fn space(config: &Config, block_bytes: u64, findings: &mut Findings) {
    let dir = nearest(&config.data_dir);
    let free = match disk::free_bytes(dir) {
        Ok(free) => free,
        Err(error) => return findings.error("disk space", &error),
    };
    let DiskNeed { index, more, .. } = disk_need(&config.index_dir(), block_bytes, 0);
    let text = format!(
        "{} free in {}, {} more needed for an index of about {}",
        units::show_size(free),
        dir.display(),
        units::show_size(more),
        units::show_size(index),
    );
    let advice = "free some space, or set data_dir to a larger disk";
    if free < more {
        findings.error("disk space", &Error::Io(format!("{text} -> {advice}")));
    } else if free - more < index / 10 {
        // the chain grows by this much in a year or two
        findings.warning("disk space", format!("{text}, and it grows -> {advice}"));
    } else {
        findings.ok("disk space", text);
    }
}

fn memory_budget(config: &Config, ram: Option<u64>, limit: Option<u64>, findings: &mut Findings) {
    let budget = config.memory_bytes;
    let shown = units::show_size;
    let mut text = format!("budget {}", shown(budget));
    if let Some(ram) = ram {
        text += &format!(", RAM {}", shown(ram));
    }
    if let Some(limit) = limit {
        text += &format!(", limit for this process {}", shown(limit));
    }
    if limit.is_some_and(|limit| budget > limit) {
        let text = format!("{text} -> the kernel would kill hekte: set memory below the limit");
        findings.error("memory", &Error::Config(text));
    } else if ram.is_some_and(|ram| budget > ram / 2) {
        findings.warning("memory", format!("{text} -> bitcoind needs room too: lower memory"));
    } else {
        findings.ok("memory", text);
    }
}

fn clock(network: Network, now: u64, newest_block: Option<u64>, findings: &mut Findings) {
    let newest_block = newest_block.filter(|_| network != Network::Regtest);
    if now < OLDEST_SANE_TIME {
        let text = "the clock says it is before 2024 -> wait for time synchronisation, or set it \
                    with timedatectl";
        return findings.error("clock", &Error::TryAgain(text.into()));
    }
    match newest_block {
        Some(block) if block > now + BLOCK_AHEAD_SECONDS => {
            let hours = (block - now) / 3600;
            let text = format!(
                "the clock is {hours} h behind the newest block -> set it; timedatectl shows \
                 whether it is synchronised"
            );
            findings.error("clock", &Error::TryAgain(text));
        }
        Some(_) => findings.ok("clock", "agrees with the newest block"),
        None => findings.ok("clock", "plausible"),
    }
}

fn port(address: SocketAddr, our_name: &str, findings: &mut Findings) {
    let error = match TcpListener::bind(address) {
        Ok(_) => return findings.ok("port", format!("{address} is free")),
        Err(error) => error,
    };
    let error = match error.kind() {
        io::ErrorKind::AddrInUse if answers_as(address, our_name) => {
            return findings.ok("port", format!("{address} is served by hekte already"));
        }
        io::ErrorKind::AddrInUse => Error::Unavailable(format!(
            "{address} is in use -> stop the other program (ss -ltnp shows it), or set listen"
        )),
        io::ErrorKind::PermissionDenied => Error::NoPermission(format!(
            "{address} is not ours to use -> take a port of 1024 or above"
        )),
        io::ErrorKind::AddrNotAvailable => Error::Config(format!(
            "{address} is no address of this machine -> set listen, 0.0.0.0 for all"
        )),
        _ => Error::Io(format!("cannot listen on {address}: {error}")),
    };
    findings.error("port", &error);
}

/// Checks the metrics port. A port in use is a warning only, as hekte runs without metrics.
fn metrics_port(address: SocketAddr, findings: &mut Findings) {
    const QUESTION: &[u8] = b"GET /health HTTP/1.0\r\n\r\n";
    let error = match TcpListener::bind(address) {
        Ok(_) => return findings.ok("metrics", format!("{address} is free")),
        Err(error) => error,
    };
    let text = match exchange(address, QUESTION, "alive") {
        true => return findings.ok("metrics", format!("{address} is served by hekte already")),
        false if error.kind() == io::ErrorKind::AddrInUse => format!("{address} is in use"),
        false => format!("cannot listen on {address}: {error}"),
    };
    let text = format!("{text} -> set metrics to another port, or to off; electrs uses 4224, too");
    findings.warning("metrics", text);
}

/// True if an Electrum server with our name answers at this address.
fn answers_as(address: SocketAddr, our_name: &str) -> bool {
    const QUESTION: &[u8] =
        b"{\"id\":0,\"method\":\"server.version\",\"params\":[\"hekte check\",\"1.4\"]}\n";
    exchange(address, QUESTION, our_name)
}

/// True if the first lines of the answer to `question` hold `word`.
fn exchange(mut address: SocketAddr, question: &[u8], word: &str) -> bool {
    let patience = Duration::from_secs(2);
    if address.ip().is_unspecified() {
        let here: std::net::IpAddr =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0, 0, 0, 0, 0, 0, 0, 1].into() };
        address.set_ip(here);
    }
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.write_all(question)?;
        let mut lines = BufReader::new(stream.take(4096)).lines();
        Ok(lines.any(|line| line.is_ok_and(|line| line.contains(word))))
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn code_of(look: impl FnOnce(&mut Findings)) -> u8 {
        let mut findings = Findings::default();
        look(&mut findings);
        assert_eq!(findings.list.len(), 1, "{findings}");
        findings.code()
    }

    #[test]
    fn a_clock_behind_the_newest_block_or_not_set_is_found() {
        let now = 1_800_000_000;
        let check = |network, now, block, code| {
            assert_eq!(code_of(|findings| clock(network, now, block, findings)), code);
        };
        check(Network::Bitcoin, now, Some(now - 600), 0);
        check(Network::Bitcoin, now, Some(now + 7000), 0);
        check(Network::Bitcoin, now, Some(now + 8000), 75);
        check(Network::Regtest, now, Some(now + 8000), 0);
        check(Network::Bitcoin, 86_400, None, 75);
    }

    #[test]
    fn a_port_in_use_by_others_and_by_us() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap();
        let answer = std::thread::spawn(move || {
            for reply in
                ["{\"result\":[\"ElectrumX 1.16\",\"1.4\"]}\n", "{\"result\":[\"hekte/1\"]}\n"]
            {
                let (mut stream, _) = other.accept().unwrap();
                stream.write_all(reply.as_bytes()).unwrap();
                let _ = BufReader::new(&stream).read_line(&mut String::new());
            }
            other
        });
        assert_eq!(code_of(|findings| port(address, "hekte/1", findings)), 69);
        assert_eq!(code_of(|findings| port(address, "hekte/1", findings)), 0);
        drop(answer.join().unwrap());
        assert_eq!(code_of(|findings| port("192.0.2.1:1".parse().unwrap(), "x", findings)), 78);
    }
}
