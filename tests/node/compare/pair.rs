//! Equal requests to both servers, and their answers side by side.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use hekte_testkit::client::{Client, Line};
use serde_json::{Value, json};

/// How long the slower server may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The outcome of a request: a result in comparable form, or an error's code.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    Result(Value),
    Error(i64),
}

impl Outcome {
    pub fn is_error(&self) -> bool {
        matches!(self, Outcome::Error(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Result(value) => write!(f, "{:.300}", value.to_string()),
            Outcome::Error(code) => write!(f, "error {code}"),
        }
    }
}

/// One request at one protocol version, and both outcomes.
pub struct Asked {
    pub version: &'static str,
    pub method: String,
    pub params: Value,
    pub ours: Outcome,
    pub theirs: Outcome,
}

impl fmt::Display for Asked {
    /// Leaves out the version, so that a difference in all versions is shown once.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asked { method, params, ours, theirs, .. } = self;
        write!(f, "{method} {:.300}: ", params.to_string())?;
        match (ours, theirs) {
            (Outcome::Result(ours), Outcome::Result(theirs)) => {
                write!(f, "{}", difference(ours, theirs).unwrap_or_default())
            }
            _ => write!(f, "{ours} | {theirs}"),
        }
    }
}

/// The first place where two values differ.
pub fn difference(ours: &Value, theirs: &Value) -> Option<String> {
    let at = |key: &dyn fmt::Display, ours: &Value, theirs: &Value| {
        difference(ours, theirs).map(|text| format!("{key}/{text}"))
    };
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys = ours.keys().chain(theirs.keys());
            let of = |map: &serde_json::Map<String, Value>, key: &String| {
                map.get(key).cloned().unwrap_or_else(|| json!("not there"))
            };
            keys.into_iter().find_map(|key| at(key, &of(ours, key), &of(theirs, key)))
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            let pairs = ours.iter().zip(theirs).enumerate();
            pairs.into_iter().find_map(|(i, (ours, theirs))| at(&i, ours, theirs))
        }
        _ if ours == theirs => None,
        _ => Some(format!(" {:.300} | {:.300}", ours.to_string(), theirs.to_string())),
    }
}

/// A request: method and parameters.
pub type Question = (String, Value);

/// One client at each server, both at one version.
pub struct Pair {
    pub version: &'static str,
    pub ours: Side,
    pub theirs: Side,
}

/// The client at one of the servers.
pub struct Side {
    client: Client,
    /// The last notification about each watched item.
    pub told: HashMap<String, Value>,
}

impl Pair {
    pub fn new(version: &'static str, ours: Client, theirs: Client) -> Pair {
        let side = |client| Side { client, told: HashMap::new() };
        let mut pair = Pair { version, ours: side(ours), theirs: side(theirs) };
        let hello = ("server.version".to_string(), json!(["compare", version]));
        for asked in pair.ask(&[hello]) {
            assert!(!asked.ours.is_error() && !asked.theirs.is_error(), "{asked}");
        }
        pair
    }

    /// Sends all questions, then collects the answers in any order.
    pub fn ask(&mut self, questions: &[Question]) -> Vec<Asked> {
        let (ours, theirs) = (self.ours.send(questions), self.theirs.send(questions));
        let (ours, theirs) = (self.ours.collect(&ours), self.theirs.collect(&theirs));
        let both = questions.iter().zip(ours.into_iter().zip(theirs));
        let asked = |((method, params), (ours, theirs)): (&Question, (Outcome, Outcome))| Asked {
            version: self.version,
            method: method.clone(),
            params: params.clone(),
            ours: comparable(method, ours),
            theirs: comparable(method, theirs),
        };
        both.map(asked).collect()
    }
}

impl Side {
    fn send(&mut self, questions: &[Question]) -> Vec<Value> {
        questions.iter().map(|(method, params)| self.client.ask(method, params.clone())).collect()
    }

    fn collect(&mut self, ids: &[Value]) -> Vec<Outcome> {
        let mut answers: HashMap<String, Outcome> = HashMap::new();
        while answers.len() < ids.len() {
            let line = self.client.json(PATIENCE);
            match line.get("method") {
                Some(_) => self.note(&line),
                None => _ = answers.insert(line["id"].to_string(), outcome(&line)),
            }
        }
        let take = |id: &Value| answers.remove(&id.to_string()).expect("as many as asked");
        ids.iter().map(take).collect()
    }

    /// Takes the notifications that come within `time`.
    pub fn listen(&mut self, time: Duration) {
        while let Line::Text(line) = self.client.line(time) {
            self.note(&serde_json::from_slice(&line).expect("lines are JSON"));
        }
    }

    /// Remembers a notification; its last parameter is the new state.
    fn note(&mut self, line: &Value) {
        let (method, params) = (&line["method"], &line["params"]);
        if method == "server.ping" {
            return; // padding, which the protocol allows
        }
        let mut what = params.as_array().cloned().unwrap_or_default();
        let news = what.pop().unwrap_or_default();
        self.told.insert(format!("{method} {}", json!(what)), plain(news));
    }
}

fn outcome(line: &Value) -> Outcome {
    match line.get("error").filter(|error| !error.is_null()) {
        Some(error) => Outcome::Error(error["code"].as_i64().unwrap_or(i64::MIN)),
        None => Outcome::Result(line["result"].clone()),
    }
}

fn comparable(method: &str, outcome: Outcome) -> Outcome {
    let Outcome::Result(mut value) = outcome else { return outcome };
    if method.ends_with("listunspent") {
        // the protocol does not define the order of unconfirmed coins
        let list = if value.is_array() { Some(&mut value) } else { value.get_mut("utxos") };
        if let Some(coins) = list.and_then(Value::as_array_mut) {
            let (mut loose, confirmed): (Vec<Value>, Vec<Value>) =
                coins.drain(..).partition(|coin| coin["height"] == 0);
            loose.sort_by_key(Value::to_string);
            coins.extend(confirmed.into_iter().chain(loose));
        }
    }
    if let (true, Some(newest)) = (method == "mempool.recent", value.as_array_mut()) {
        // each server lists them in the order in which it saw them
        newest.sort_by_key(Value::to_string);
    }
    Outcome::Result(plain(value))
}

/// Makes numbers comparable, however they are written.
pub fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.to_string().parse::<f64>() {
            Ok(float) => Value::String(format!("number {float}")),
            Err(_) => Value::Number(number),
        },
        Value::Array(list) => list.into_iter().map(plain).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, plain(v))).collect(),
        other => other,
    }
}
