//! The crate `electrum-client`, used by BDK and others: every call that a server must answer.

use std::time::Duration;

use bitcoin::{Script, ScriptBuf, Txid};
use electrum_client::{Client, ConfigBuilder, ElectrumApi, Param};
use hekte_testkit::model::{Model, ScriptHash};

use crate::world::{World, until};

/// Some scripts of the chain, including the one with the longest history.
fn scripts(world: &World, model: &Model) -> Vec<ScriptBuf> {
    let outputs = world.blocks.iter().flat_map(|b| &b.txdata).flat_map(|tx| &tx.output);
    let mut scripts: Vec<_> = outputs.map(|output| output.script_pubkey.clone()).collect();
    scripts.retain(|script| !script.as_bytes().starts_with(&[0x6a]));
    scripts.sort_unstable();
    scripts.dedup();
    scripts.sort_by_key(|s| std::cmp::Reverse(model.history(ScriptHash::of(s)).len()));
    let rare: Vec<_> = scripts.iter().skip(20).step_by(50).cloned().collect();
    scripts.truncate(20);
    scripts.extend(rare);
    scripts
}

#[test]
fn electrum_client_gets_what_it_asks_for() {
    let Some(mut world) = World::new("electrum_client") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    let config = ConfigBuilder::new().timeout(Some(Duration::from_secs(20))).build();
    let url = format!("tcp://{}", hekte.address());
    let client = Client::from_config(&url, config).expect("it connects");
    let features = client.server_features().expect("features");
    assert_eq!(features.genesis_hash[..], genesis_of(&world), "{features:?}");
    client.ping().expect("a pong");
    client.mempool_get_info().expect("fees"); // replaces relayfee in 1.6
    client.estimate_fee(6, None).expect("a fee");

    let model = world.model();
    let tip = client.block_headers_subscribe().expect("a tip");
    assert_eq!((tip.height as u32, tip.header), (model.height(), *model.header(model.height())));
    let headers = client.block_headers(0, 500).expect("headers");
    assert_eq!(headers.headers, model.headers());
    let some = client.batch_block_header([0u32, 7, 200]).expect("headers");
    assert_eq!(some, [0, 7, 200].map(|height| *model.header(height)));
    check_scripts(&client, &model, &scripts(&world, &model));
    check_transactions(&client, &world, &model);

    // notifications of new transactions
    let busy = scripts(&world, &model).remove(0);
    let told = client.script_subscribe(&busy).expect("a status");
    assert_eq!(told.map(|s| hex(&s[..])), model.status(ScriptHash::of(&busy)));
    let before = world.height();
    while world.model().status(ScriptHash::of(&busy)) == model.status(ScriptHash::of(&busy)) {
        world.mine(1);
    }
    let new = world.model().status(ScriptHash::of(&busy));
    until("told of the script", || {
        client.ping().expect("a pong");
        let status = client.script_pop(&busy).expect("its list");
        status.is_some_and(|s| Some(hex(&s[..])) == new)
    });
    until("told of the tip", || {
        let popped = client.block_headers_pop().expect("its list");
        popped.is_some_and(|tip| tip.height as u32 > before)
    });
    let answer = client.raw_call("server.banner", std::iter::empty::<Param>());
    assert!(answer.expect("a banner").is_string());
}

fn hex(status: &[u8]) -> String {
    status.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn genesis_of(world: &World) -> Vec<u8> {
    let mut hash = bitcoin::hashes::Hash::to_byte_array(world.blocks[0].block_hash());
    hash.reverse();
    hash.to_vec()
}

fn check_scripts(client: &Client, model: &Model, scripts: &[ScriptBuf]) {
    let refs: Vec<&Script> = scripts.iter().map(|script| script.as_script()).collect();
    let balances = client.batch_script_get_balance(refs.clone()).expect("balances");
    let histories = client.batch_script_get_history(refs.clone()).expect("histories");
    let coins = client.batch_script_list_unspent(refs.clone()).expect("coins");
    for (i, script) in scripts.iter().enumerate() {
        let hash = ScriptHash::of(script);
        assert_eq!(balances[i].confirmed, model.balance(hash));
        let alone = client.script_get_balance(script).expect("a balance");
        assert_eq!((alone.confirmed, alone.unconfirmed), (balances[i].confirmed, 0));
        let told = histories[i].iter().map(|item| (item.tx_hash, item.height as u32));
        let right = model.history(hash).iter().map(|item| (item.txid, item.height));
        assert!(told.eq(right), "{script:?}");
        let told = coins[i].iter().map(|c| (c.height as u32, c.tx_hash, c.tx_pos as u32, c.value));
        let right = model.unspent(hash).into_iter().map(|c| (c.height, c.txid, c.vout, c.value));
        assert!(told.eq(right), "{script:?}");
    }
}

fn check_transactions(client: &Client, world: &World, model: &Model) {
    let txids: Vec<Txid> = model.transactions().skip(1).step_by(41).collect();
    let txs = client.batch_transaction_get(&txids).expect("transactions");
    for (txid, tx) in txids.iter().zip(txs) {
        assert_eq!(tx.compute_txid(), *txid);
        let (height, pos) = model.places(*txid)[0];
        let proof = client.transaction_get_merkle(txid, height as usize).expect("a proof");
        assert_eq!(proof.pos as u32, pos);
        let root = world.blocks[height as usize].header.merkle_root;
        assert!(electrum_client::utils::validate_merkle_proof(txid, &root, &proof), "{txid}");
        assert_eq!(client.txid_from_pos(height as usize, pos as usize).expect("a txid"), *txid);
    }
}
