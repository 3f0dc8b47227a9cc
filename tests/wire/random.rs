//! Random requests straight into a session: none panics, each is answered under its own id.

use std::sync::Arc;

use hekte::protocol::line::LineCutter;
use hekte::query::relay::Relay;
use hekte::session::config::SessionConfig;
use hekte::session::hub::SessionHub;
use hekte::session::job::Step;
use hekte::session::talk::Session;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fake::{EXAMPLE, FakeIndex};
use crate::fake_node::FakeNode;

const METHODS: &str = "server.version server.ping server.features server.add_peer \
    blockchain.block.header blockchain.block.headers blockchain.headers.subscribe \
    blockchain.estimatefee blockchain.relayfee blockchain.scripthash.get_history \
    blockchain.scripthash.subscribe blockchain.scripthash.unsubscribe \
    blockchain.scriptpubkey.get_balance blockchain.scriptpubkey.subscribe \
    blockchain.outpoint.subscribe blockchain.outpoint.unsubscribe blockchain.transaction.get \
    blockchain.transaction.get_merkle blockchain.transaction.id_from_pos \
    blockchain.transaction.get_confirmed_blockhash blockchain.transaction.broadcast \
    blockchain.transaction.broadcast_package blockchain.transaction.testmempoolaccept \
    mempool.get_info mempool.recent nothing .";

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u32..10).prop_map(Value::from),
        any::<f64>().prop_map(|float| json!(float)),
        "[0-9]{1,40}".prop_map(|digits| {
            let digits = digits.trim_start_matches('0');
            serde_json::from_str(digits).unwrap_or(Value::Null)
        }),
        any::<String>().prop_map(Value::from),
        "[0-9a-f]{0,70}".prop_map(Value::from),
        Just(json!(EXAMPLE)),
        Just(json!("1.7")),
        Just(json!(["1.4", "1.7"])),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

fn session() -> Arc<Session> {
    let config =
        SessionConfig::new(bitcoin::BlockHash::from_raw_hash(bitcoin::hashes::Hash::all_zeros()));
    let (index, node) = (Arc::new(FakeIndex::default()), Arc::new(FakeNode::default()));
    let relay = Arc::new(Relay::new(index.clone(), Some(node)));
    Arc::new(Session::new(Arc::new(SessionHub::new(config, index, relay))))
}

/// Everything the session says to `line`.
fn replies(session: &Session, line: &[u8]) -> Vec<Value> {
    let steps = session.accept(line).steps;
    let lines = steps.into_iter().map(|step| match step {
        Step::Ready(_, line) => line,
        Step::Ask(job) => session.run(&job),
    });
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

proptest! {
    #[test]
    fn each_request_is_answered_under_its_id(
        requests in prop::collection::vec((0usize..27, value(), value()), 1..20),
    ) {
        let session = session();
        for (method, params, id) in requests {
            let method = METHODS.split_whitespace().nth(method).unwrap_or("");
            let line = json!({"id": id, "method": method, "params": params}).to_string();
            let replies = replies(&session, line.as_bytes());
            let sent: Value = serde_json::from_str(&line).unwrap();
            if sent["id"].is_null() {
                prop_assert!(replies.is_empty());
                continue;
            }
            prop_assert_eq!(replies.len(), 1);
            prop_assert_eq!(&replies[0]["id"], &sent["id"]);
            let (result, error) = (replies[0].get("result"), replies[0].get("error"));
            prop_assert!(result.is_some() != error.is_some(), "{} to {}", replies[0], line);
        }
    }

    #[test]
    fn no_bytes_upset_a_session(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let session = session();
        let (mut cutter, mut input) = (LineCutter::new(100), &bytes[..]);
        while let Some(line) = cutter.next(&mut input) {
            if let hekte::protocol::line::Line::Text(line) = line {
                replies(&session, &line);
            }
        }
    }
}
