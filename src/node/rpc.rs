//! JSON-RPC calls to bitcoind over one connection, with the cookie read anew when it changes.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::auth;
use super::calls::{NodeCalls, NodeError};
use super::counted::count;
use super::error::RpcError;
use super::http::{HttpConnection, HttpError, HttpReply};
use crate::config::node::NodeConfig;
use crate::host::beat;
use crate::host::lock::lock;

/// How long bitcoind may take to answer; it is slow while it flushes to an SD card.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest reply accepted: a mempool of 300 000 transactions has 20 MB, a block in hex 8 MB.
pub const DEFAULT_MAX_REPLY_BYTES: u64 = 64 << 20;

/// bitcoind's RPC over one connection. Calls wait for each other, so a caller whose call may take
/// long uses a clone, which has a connection of its own.
#[derive(Debug)]
pub struct Rpc {
    node: NodeConfig,
    timeout: Duration,
    max_reply_bytes: u64,
    open: Mutex<Option<RpcLine>>,
    breaks: AtomicU64,
}

/// A connection to bitcoind, with the login that was sent on it.
#[derive(Debug)]
struct RpcLine {
    connection: HttpConnection,
    authorization: String,
    used: bool,
}

impl Clone for Rpc {
    fn clone(&self) -> Rpc {
        let (open, breaks) = (Mutex::new(None), AtomicU64::new(0));
        Rpc { node: self.node.clone(), open, breaks, ..*self }
    }
}

impl NodeCalls for Rpc {
    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, NodeError> {
        Ok(Rpc::call(self, method, params)?)
    }
}

/// The JSON object around one answer.
#[derive(Deserialize)]
struct Envelope<T> {
    id: Option<Value>,
    result: Option<T>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
}

impl Refusal {
    fn of(self, method: &str) -> RpcError {
        match self.code {
            -28 => RpcError::WarmingUp(self.message),
            code => RpcError::Method { method: method.into(), code, message: self.message },
        }
    }
}

impl Rpc {
    /// An RPC client; it connects at the first call.
    pub fn new(node: &NodeConfig) -> Rpc {
        Rpc {
            node: node.clone(),
            timeout: DEFAULT_TIMEOUT,
            max_reply_bytes: DEFAULT_MAX_REPLY_BYTES,
            open: Mutex::new(None),
            breaks: AtomicU64::new(0),
        }
    }

    /// How often bitcoind has closed this connection or stopped accepting the cookie. After each
    /// time it may be another bitcoind, even if no call has failed.
    pub fn breaks(&self) -> u64 {
        self.breaks.load(Ordering::Relaxed)
    }

    /// A client of this bitcoind with a connection of its own, on which an answer may take
    /// `timeout`.
    pub fn with_timeout(&self, timeout: Duration) -> Rpc {
        Rpc { timeout, ..self.clone() }
    }

    /// A client of this bitcoind with a connection of its own and another cap on replies.
    pub fn with_max_reply(&self, max_reply_bytes: u64) -> Rpc {
        Rpc { max_reply_bytes, ..self.clone() }
    }

    /// Calls `method` with positional `params`; a result of null is [`Value::Null`].
    pub fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        Ok(self.call_as::<Option<Value>>(method, params)?.unwrap_or(Value::Null))
    }

    /// Like [`Rpc::call`], with the result parsed straight into `T`, without a tree of JSON values.
    pub fn call_as<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Vec<Value>,
    ) -> Result<T, RpcError> {
        let request = json!({"jsonrpc": "1.0", "id": 0, "method": method, "params": params});
        let body = self.ask(method, &request)?;
        let envelope: Envelope<T> = serde_json::from_slice(&body).map_err(|error| {
            self.unexpected_answer(method, format!("a result that does not fit: {error}"))
        })?;
        match (envelope.error, envelope.result) {
            (Some(refusal), _) => Err(refusal.of(method)),
            _ if envelope.id != Some(json!(0)) => {
                Err(self.unexpected_answer(method, "an answer to another call".into()))
            }
            (None, Some(result)) => Ok(result),
            (None, None) => serde_json::from_value(Value::Null)
                .map_err(|_| self.unexpected_answer(method, "no result".into())),
        }
    }

    /// Makes many calls in one request. The answers are in the order of `calls`; each may fail by
    /// itself.
    pub fn batch(
        &self,
        calls: &[(&str, Vec<Value>)],
    ) -> Result<Vec<Result<Value, RpcError>>, RpcError> {
        let Some((first, _)) = calls.first() else { return Ok(Vec::new()) };
        let requests = calls.iter().enumerate().map(|(id, (method, params))| {
            json!({"jsonrpc": "1.0", "id": id, "method": method, "params": params})
        });
        let body = self.ask(first, &Value::Array(requests.collect()))?;
        let replies: Vec<Envelope<Value>> = match serde_json::from_slice(&body) {
            Ok(replies) => replies,
            // one error in place of a list, as during the warm-up
            Err(error) => match serde_json::from_slice::<Envelope<Value>>(&body) {
                Ok(Envelope { error: Some(refusal), .. }) => return Err(refusal.of(first)),
                _ => {
                    return Err(self
                        .unexpected_answer(first, format!("a batch that does not fit: {error}")));
                }
            },
        };
        let mut answers: Vec<Option<Result<Value, RpcError>>> = vec![None; calls.len()];
        for reply in replies {
            let id = reply.id.and_then(|id| usize::try_from(id.as_u64()?).ok());
            let Some((id, slot)) = id.and_then(|id| Some((id, answers.get_mut(id)?))) else {
                return Err(self.unexpected_answer(first, "an answer to a call not made".into()));
            };
            *slot = Some(match reply.error {
                Some(refusal) => Err(refusal.of(calls[id].0)),
                None => Ok(reply.result.unwrap_or(Value::Null)),
            });
        }
        let answers: Option<Vec<_>> = answers.into_iter().collect();
        answers.ok_or_else(|| self.unexpected_answer(first, "fewer answers than calls".into()))
    }

    /// Sends one request, and counts it for the metrics.
    fn ask(&self, method: &str, request: &Value) -> Result<Vec<u8>, RpcError> {
        let begun = Instant::now();
        let answer = self.exchange(method, request);
        count(method, begun.elapsed(), &answer);
        answer
    }

    /// Sends one request, and repeats it in two cases that are sure to be safe: once if an idle
    /// connection turns out to be closed, once if the cookie has changed.
    fn exchange(&self, method: &str, request: &Value) -> Result<Vec<u8>, RpcError> {
        let request = request.to_string().into_bytes();
        let mut slot = lock(&self.open);
        let mut refused: Option<String> = None;
        loop {
            beat::step();
            let mut line = match slot.take() {
                Some(line) => line,
                None => self.connect()?,
            };
            if refused.as_ref() == Some(&line.authorization) {
                return Err(auth::not_accepted(&self.node));
            }
            let path = &self.node.url.path;
            let posted =
                line.connection.post(path, &line.authorization, &request, self.max_reply_bytes);
            match posted {
                Err(HttpError::Closed) if line.used => {
                    self.breaks.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => return Err(self.explain(method, error)),
                Ok(reply) if reply.status == 401 => {
                    if refused.is_some() {
                        return Err(auth::not_accepted(&self.node));
                    }
                    self.breaks.fetch_add(1, Ordering::Relaxed);
                    refused = Some(line.authorization);
                }
                Ok(reply) => {
                    if reply.reusable {
                        *slot = Some(RpcLine { used: true, ..line });
                    }
                    return self.judge(method, reply);
                }
            }
        }
    }

    fn connect(&self) -> Result<RpcLine, RpcError> {
        let url = &self.node.url;
        let connection = HttpConnection::open(&url.host, url.port, self.timeout).map_err(|error| {
            RpcError::Away(format!(
                "cannot reach bitcoind at {url}: {error} -> is it running, with server=1, and is \
                 rpc_url right?"
            ))
        })?;
        Ok(RpcLine { connection, authorization: auth::header(&self.node.auth)?, used: false })
    }

    /// The body if the status allows one to parse; otherwise the error that the status stands for.
    fn judge(&self, method: &str, reply: HttpReply) -> Result<Vec<u8>, RpcError> {
        let url = &self.node.url;
        match reply.status {
            // a method's errors come with status 400, 404 or 500 and a JSON body
            200 | 400 | 404 | 500 => Ok(reply.body),
            403 => Err(RpcError::Forbidden {
                method: method.into(),
                text: format!(
                    "bitcoind at {url} forbids {method} -> see rpcwhitelist and rpcallowip in \
                     bitcoin.conf"
                ),
            }),
            503 => Err(RpcError::Away(format!(
                "bitcoind at {url} has too many calls waiting -> raise rpcworkqueue in \
                 bitcoin.conf if this stays"
            ))),
            status => Err(self.unexpected_answer(method, format!("HTTP status {status}"))),
        }
    }

    fn explain(&self, method: &str, error: HttpError) -> RpcError {
        let url = &self.node.url;
        match error {
            HttpError::Closed => RpcError::Away(format!(
                "bitcoind at {url} closed the connection without an answer to {method} -> is it \
                 stopping?"
            )),
            HttpError::Io(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => RpcError::Away(format!(
                    "bitcoind at {url} did not answer {method} within {} s",
                    self.timeout.as_secs()
                )),
                _ => RpcError::Away(format!("lost bitcoind at {url} during {method}: {error}")),
            },
            HttpError::TooLong(bytes) => {
                let cap = self.max_reply_bytes;
                self.unexpected_answer(
                    method,
                    format!("{bytes} bytes, more than our limit of {cap}"),
                )
            }
            HttpError::Malformed(what) => self.unexpected_answer(method, what),
        }
    }

    fn unexpected_answer(&self, method: &str, what: String) -> RpcError {
        let url = &self.node.url;
        RpcError::Protocol(format!(
            "{url} answers {method} with {what} -> is there a bitcoind at that address?"
        ))
    }
}
