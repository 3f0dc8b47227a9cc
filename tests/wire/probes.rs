//! The requests of node dashboards and companion programs, byte for byte, and what they look for.

use serde_json::json;

use crate::fake::{COINBASE_1, EXAMPLE};
use crate::kit::serve;

#[test]
fn dashboards_that_ask_one_thing_without_a_greeting() {
    let server = serve();
    let ask = |line: &str| server.client().ask(line);
    // RaspiBlitz counts lines with "result"; Start9 wants such a line from the banner
    let ping = r#"{"jsonrpc":"2.0","method":"server.ping","params":[],"id":"electrs-check"}"#;
    assert_eq!(ask(ping), json!({"jsonrpc": "2.0", "id": "electrs-check", "result": null}));
    let banner = r#"{"jsonrpc": "2.0", "method": "server.banner", "params": [], "id": 1}"#;
    assert!(ask(banner)["result"].is_string());
    // Embassy passes parameters to a method that has none
    let features = r#"{"jsonrpc":"2.0","method":"server.features","params":["","1.4"],"id":1}"#;
    assert_eq!(ask(features)["result"]["hash_function"], "sha256");
    // the nix tests leave out everything that can be left out
    let tip = r#"{"method": "blockchain.headers.subscribe", "id": 0}"#;
    assert!(ask(tip)["result"]["height"].is_number());
}

#[test]
fn umbrel_reads_the_version_behind_the_slash() {
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"server.version","params":["umbrel","1.4"]}"#;
    let server = serve();
    let mut client = server.client();
    let reply = client.ask(hello);
    let name = reply["result"][0].as_str().expect("a name");
    assert!(name.split_once('/').is_some_and(|(_, version)| !version.is_empty()), "{name}");
    let tip = client.call("blockchain.headers.subscribe", json!([]));
    assert!(tip["result"]["height"].is_number());
}

#[test]
fn mempool_and_the_explorer_ask_about_scripts() {
    let server = serve();
    for name in ["mempool-v2", "btc-rpc-explorer"] {
        let mut client = server.client();
        let hello = client.call("server.version", json!([name, "1.4"]));
        assert_eq!(hello["result"][1], "1.4");
        for method in ["get_balance", "get_history", "listunspent"] {
            let reply = client.call(&format!("blockchain.scripthash.{method}"), json!([EXAMPLE]));
            assert!(reply.get("error").is_none(), "{method}: {reply}");
        }
        // without txindex the explorer asks for the block of a transaction, as a plain hash
        let reply =
            client.call("blockchain.transaction.get_confirmed_blockhash", json!([COINBASE_1]));
        assert_eq!(reply["result"].as_str().map(str::len), Some(64), "{reply}");
    }
}

#[test]
fn specter_never_greets_and_wants_decoded_transactions() {
    let server = serve();
    let mut client = server.client();
    let header = client.call("blockchain.block.header", json!([0]));
    assert_eq!(header["result"].as_str().map(str::len), Some(160));
    let tx = client.call("blockchain.transaction.get", json!([COINBASE_1, true]));
    assert!(tx["result"]["vout"].is_array(), "{tx}");
}
