//! The port for dashboards beside a real bitcoind: lag, mempool, and how it answers.

use std::io::{Read, Write};
use std::net::TcpStream;

use hekte_testkit::hekte::Hekte;
use serde_json::json;

use crate::world::{BINARY, PATIENCE, World, refs, until};

/// The page, asked for as a dashboard does.
fn page(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

fn sample(page: &str, name: &str) -> f64 {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in\n{page}")).parse().unwrap()
}

#[test]
fn dashboards_follow_the_tip_and_the_mempool() {
    let Some(mut world) = World::new("dashboards_follow") else { return };
    let args = world.args("a", &["--metrics", "127.0.0.1:0"]);
    let mut hekte = Hekte::start(BINARY, world.scratch.path(), &refs(&args));
    hekte.wait_log("serving metrics on http://");
    let log = hekte.log();
    let (_, rest) = log.split_once("serving metrics on http://").unwrap();
    let address = rest.split('/').next().unwrap();
    world.right(&hekte);
    world.mine(1);
    world.right(&hekte);
    let told = page(address);
    assert_eq!(sample(&told, "electrs_index_height{type=\"tip\"}"), f64::from(world.height()));
    assert_eq!(sample(&told, "hekte_lag_blocks"), 0.0);
    let asked = "hekte_rpc_duration_seconds_count{method=\"getblockchaininfo\"}";
    assert!(sample(&told, asked) > 0.0, "{told}");
    assert!(sample(&told, "hekte_rpc_last_answer_timestamp_seconds") > 1.6e9);

    // the transactions of the newest block go back to the mempool
    let tip = world.node.rpc.call("getbestblockhash", json!([]));
    world.node.rpc.call("invalidateblock", json!([tip]));
    let pool = world.node.rpc.call("getrawmempool", json!([]));
    let waiting = pool.as_array().unwrap().len() as f64;
    assert!(waiting > 0.0, "nothing came back");
    until("the mempool is told", || {
        sample(&page(address), "hekte_mempool_transactions") == waiting
    });
    let told = page(address);
    let bands = told.lines().filter(|line| line.starts_with("electrs_mempool_txs_count{"));
    let counts = bands.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    assert_eq!(counts.sum::<f64>(), waiting, "{told}");
}
