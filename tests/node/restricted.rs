//! A password instead of the cookie, and the short list of calls that node images allow.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bitcoin::ScriptBuf;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use hekte_testkit::maker::Pay;
use serde_json::json;

use crate::world::{World, until};

const ALLOWED: &str = "-rpcwhitelist=hekte:getblockchaininfo,getblockhash,getblockheader,getblock,\
    getrawmempool,getmempoolinfo,getmempoolentry,getrawtransaction,sendrawtransaction,\
    testmempoolaccept,estimatesmartfee,getnetworkinfo";

/// User `hekte` with password `secret`, as share/rpcauth/rpcauth.py of Bitcoin Core writes it.
pub const PASSWORD_SECRET: &str =
    "-rpcauth=hekte:73616c74$846844e694481faaae26edcefbf35c503818ae9ae2c9d993a5fbebe7e5733a3f";

/// Arguments of bitcoind: user `hekte` with password `secret`, who may do little.
fn node_args() -> [&'static str; 3] {
    [PASSWORD_SECRET, ALLOWED, "-rpcwhitelistdefault=0"]
}

#[test]
fn a_password_and_a_short_list_of_calls_are_enough() {
    let Some(mut world) = World::with("a_password", &node_args()) else { return };
    let file = world.scratch.join("password");
    fs::write(&file, "secret\n").expect("scratch is writable");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let file = file.display().to_string();
    let hekte = world.hekte("a", &["--rpc-user", "hekte", "--rpc-password-file", &file]);
    world.right(&hekte);
    world.mine(3);
    world.right(&hekte);
    world.reorg(2);
    world.right(&hekte);
    broadcast_and_fees(&mut world, &hekte);
}

#[test]
fn broadcast_and_fees_reach_bitcoind() {
    let Some(mut world) = World::new("broadcast_and_fees") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    broadcast_and_fees(&mut world, &hekte);
}

fn broadcast_and_fees(world: &mut World, hekte: &hekte_testkit::hekte::Hekte) {
    let mut client = world.served(hekte);
    let relay = client.call("blockchain.relayfee", json!([])).expect("a fee");
    assert!(relay.as_f64().is_some_and(|fee| fee > 0.0 && fee < 0.01), "{relay}");
    // a fresh regtest node knows no figure
    let estimate = client.call("blockchain.estimatefee", json!([6])).expect("a fee");
    assert_eq!(estimate.as_f64(), Some(-1.0), "{estimate}");

    let coin = *world.maker.wallet.coins().iter().max_by_key(|c| c.value).expect("coins");
    let pay =
        Pay::Script(ScriptBuf::new_p2wsh(&bitcoin::WScriptHash::all_zeros()), coin.value - 10_000);
    let tx = world.maker.loose_tx(&[coin], &[pay]);
    let txid = tx.compute_txid().to_string();
    let hex = serialize_hex(&tx);
    let answer = client.call("blockchain.transaction.broadcast", json!([hex]));
    assert_eq!(answer, Ok(json!(txid)));
    let pool = world.node.rpc.call("getrawmempool", json!([]));
    assert!(pool.as_array().is_some_and(|pool| pool.contains(&json!(txid))), "{pool}");
    for (what, bad) in [("no hex", "zz"), ("no transaction", "00"), ("cut", &hex[..hex.len() - 8])]
    {
        let refused = client.call("blockchain.transaction.broadcast", json!([bad]));
        assert!(refused.is_err(), "{what}: {refused:?}");
    }
    // a coin that was never there
    let mut wrong = tx.clone();
    wrong.input[0].previous_output.vout += 1000;
    let hex = serialize_hex(&wrong);
    let refused =
        client.call("blockchain.transaction.broadcast", json!([hex])).expect_err("refused");
    assert!(refused["message"].as_str().is_some_and(|m| m.contains("missing")), "{refused}");

    let mined = world.node.generate_to_descriptor(1, "raw(51)");
    until("the transaction is confirmed", || {
        client
            .call("blockchain.transaction.get", json!([txid, true]))
            .is_ok_and(|tx| tx["blockhash"] == mined[0].as_str() && tx["confirmations"] == 1)
    });
}
