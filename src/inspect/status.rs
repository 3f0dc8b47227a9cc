//! `hekte status`: how far the index is, asked of the running server, or read from the database.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::chain::params::ChainParams;
use crate::config::Config;
use crate::error::Result;
use crate::store::folder::{BULK_FILE, INDEX_FILE};
use crate::store::open::{Db, Mode};
use crate::store::records::{BuildState, RunKind};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Exit code while questions are not answered; sysexits' "try again".
const BUILDING_CODE: u8 = 75;

/// What is known; keys as in the JSON form.
#[derive(Clone, Debug)]
pub struct Status {
    facts: Map<String, Value>,
}

impl Status {
    /// One JSON object.
    pub fn json(&self) -> String {
        Value::Object(self.facts.clone()).to_string()
    }

    /// 0 when synced, 75 while building, or where no server runs.
    pub fn code(&self) -> ExitCode {
        match self.facts.get("synced") {
            Some(Value::Bool(true)) => ExitCode::SUCCESS,
            _ => ExitCode::from(BUILDING_CODE),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.facts.iter().enumerate() {
            let line_break = if i > 0 { "\n" } else { "" };
            match value {
                Value::String(text) => write!(f, "{line_break}{key}={text}")?,
                other => write!(f, "{line_break}{key}={other}")?,
            }
        }
        Ok(())
    }
}

/// Asks the server on each configured address, then the database.
pub fn ask(config: &Config) -> Result<Status> {
    let mut facts = Map::new();
    facts.insert("network".into(), json!(config.network.name()));
    let server = config.listen.iter().find_map(|address| ask_server(*address));
    facts.insert("running".into(), json!(server.is_some()));
    match server {
        Some(told) => facts.extend(told),
        None => facts.extend(read_database(config)?),
    }
    for (key, file) in [("index_bytes", INDEX_FILE), ("bulk_bytes", BULK_FILE)] {
        let bytes = std::fs::metadata(config.index_dir().join(file)).map_or(0, |meta| meta.len());
        facts.insert(key.into(), json!(bytes));
    }
    Ok(Status { facts })
}

fn ask_server(address: SocketAddr) -> Option<Map<String, Value>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    (&stream).write_all(b"{\"id\":0,\"method\":\"hekte.status\",\"params\":[]}\n").ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    let reply: Value = serde_json::from_str(&line).ok()?;
    reply.get("result")?.as_object().cloned()
}

fn read_database(config: &Config) -> Result<Map<String, Value>> {
    let path = config.index_dir().join(INDEX_FILE);
    let mut facts = Map::new();
    if !path.exists() {
        facts.insert("phase".into(), json!("no index yet"));
        facts.insert("synced".into(), json!(false));
        return Ok(facts);
    }
    let params = ChainParams::of(config.network.params()).with_magic(config.magic);
    let db = Db::open(&path, &params, Mode::Read)?;
    let (state, runs) = (db.state()?, db.runs()?);
    let phase = match state.phase {
        BuildState::Building => "building",
        BuildState::Merging => "merging",
        BuildState::Ready => "complete, but no server answers",
    };
    facts.insert("phase".into(), json!(phase));
    facts.insert("height".into(), json!(state.blocks.saturating_sub(1)));
    facts.insert("transactions".into(), json!(state.txs));
    let scripts = runs.iter().filter(|run| run.kind == RunKind::Script).count();
    facts.insert("runs".into(), json!(scripts));
    // nobody answers questions, however complete it is
    facts.insert("synced".into(), json!(false));
    Ok(facts)
}
