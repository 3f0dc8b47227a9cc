//! A BDK wallet: finds its money through us, pays, bumps, and follows replacements and reorgs.

mod pair;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Amount, FeeRate, ScriptBuf, Transaction};
use hekte_testkit::maker::Pay;
use hekte_testkit::wallet::Coin;
use serde_json::json;

use crate::world::{World, until};
use pair::{EXTERNAL, Pair, coins_of};

/// Coins of the made-up chain that bitcoind lets us spend.
fn riches(world: &World, count: usize) -> Vec<Coin> {
    let coins: Vec<Coin> = world.maker.wallet.signed_coins(2_000_000).take(count).collect();
    assert_eq!(coins.len(), count);
    coins
}

impl World {
    /// Somebody pays these scripts, and `fee` is what the coin holds beyond that.
    fn payment(&mut self, coin: Coin, to: &[(ScriptBuf, u64)], fee: u64) -> Transaction {
        let mut pays: Vec<Pay> =
            to.iter().map(|(script, value)| Pay::Script(script.clone(), *value)).collect();
        let rest = coin.value - fee - to.iter().map(|(_, value)| value).sum::<u64>();
        pays.push(Pay::Script(elsewhere(), rest));
        let tx = self.maker.loose_tx(&[coin], &pays);
        self.node.rpc.call("sendrawtransaction", json!([serialize_hex(&tx), 0]));
        tx
    }

    /// Takes the newest block back and mines another in its place, with exactly these.
    fn instead(&self, txs: &[&Transaction]) {
        let tip = self.node.tip().to_string();
        self.node.rpc.call("invalidateblock", json!([tip]));
        let txs: Vec<String> = txs.iter().map(|tx| serialize_hex(*tx)).collect();
        self.node.generate_block("raw(52)", &txs);
        self.node.generate_block("raw(52)", &[]);
    }
}

fn elsewhere() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&ScriptBuf::from_bytes(vec![0x51]).wscript_hash())
}

#[test]
fn bdk_follows_its_money_as_bitcoind_does() {
    let Some(mut world) = World::with("bdk", &["-disablewallet=0"]) else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    let mut pair = Pair::new(&world, &hekte);
    // payments with gaps between the addresses, to be found by a scan
    let coins = riches(&world, 4);
    let scripts = [0, 3, 17].map(|at| pair.wallet.peek_address(EXTERNAL, at).script_pubkey());
    let to: Vec<_> = scripts.into_iter().zip([300_000, 200_000, 100_000]).collect();
    let first = world.payment(coins[0], &to, 1000);
    world.node.generate_to_descriptor(1, "raw(51)");
    until("the scan finds it", || {
        pair.full_scan();
        pair.agrees(&world)
    });
    assert_eq!(pair.wallet.balance().confirmed, Amount::from_sat(600_000));
    assert_eq!(pair.wallet.derivation_index(EXTERNAL), Some(17));
    assert_eq!(pair.wallet.calculate_fee(&first).expect("all outputs"), Amount::from_sat(1000));

    received_and_replaced(&mut world, &mut pair, &coins[1..]);
    sent_and_bumped(&world, &mut pair);

    // who restores the wallet now sees the same
    pair = pair.restored(&hekte);
    pair.full_scan();
    assert!(pair.agrees(&world), "{:?}\n{:?}", pair.coins(), coins_of(&pair.watch));
}

fn received_and_replaced(world: &mut World, pair: &mut Pair, coins: &[Coin]) {
    // unconfirmed, then in a block
    let tx = world.payment(coins[0], &[(pair.script(), 50_000)], 2000);
    pair.follow(world, "an unconfirmed payment");
    assert_eq!(pair.wallet.balance().untrusted_pending, Amount::from_sat(50_000));
    world.node.generate_to_descriptor(1, "raw(51)");
    pair.follow(world, "a confirmed payment");
    assert_eq!(pair.confirmations(&tx), Some(1));
    // whoever paid takes it back
    let [script, other] = [pair.script(), pair.script()];
    let promise = world.payment(coins[1], &[(script, 70_000)], 2000);
    pair.follow(world, "a promise");
    assert_eq!(pair.confirmations(&promise), Some(0));
    let broken = world.payment(coins[1], &[], 20_000);
    pair.follow(world, "a broken promise");
    assert_eq!((pair.confirmations(&promise), pair.confirmations(&broken)), (None, None));
    // a payment in a block that goes away, and its coin is spent otherwise in the next
    let lost = world.payment(coins[2], &[(other, 90_000)], 2000);
    world.node.generate_to_descriptor(1, "raw(51)");
    pair.follow(world, "a payment in a block");
    assert_eq!(pair.confirmations(&lost), Some(1));
    let rest = coins[2].value - 5000;
    let conflict = world.maker.loose_tx(&coins[2..3], &[Pay::Script(elsewhere(), rest)]);
    world.instead(&[&conflict]);
    pair.follow(world, "its block is gone, and it with it");
    assert_eq!(pair.confirmations(&lost), None);
    // a reward, which nobody can spend yet
    let address = pair.wallet.reveal_next_address(EXTERNAL).to_string();
    world.node.generate_to_address(1, &address);
    pair.follow(world, "a reward");
    assert!(pair.wallet.balance().immature > Amount::from_sat(1_000_000));
}

fn sent_and_bumped(world: &World, pair: &mut Pair) {
    let rate = |rate: u64| FeeRate::from_sat_per_vb(rate).expect("small");
    let mut builder = pair.wallet.build_tx();
    builder.add_recipient(elsewhere(), Amount::from_sat(120_000)).fee_rate(rate(3));
    let psbt = builder.finish().expect("coins enough");
    let slow = pair.send(psbt);
    pair.follow(world, "what was sent");
    assert_eq!(pair.confirmations(&slow), Some(0));
    let mut builder = pair.wallet.build_fee_bump(slow.compute_txid()).expect("it may be replaced");
    builder.fee_rate(rate(9));
    let psbt = builder.finish().expect("coins enough");
    let quick = pair.send(psbt);
    pair.follow(world, "what was sent in its place");
    let pool = world.node.rpc.call("getrawmempool", json!([]));
    let quick_id = quick.compute_txid().to_string();
    assert!(pool.as_array().expect("a list").iter().any(|txid| *txid == quick_id), "{pool}");
    assert_eq!((pair.confirmations(&slow), pair.confirmations(&quick)), (None, Some(0)));
    // what bitcoind refuses is told with its reason
    let refused = pair.electrum.transaction_broadcast(&slow).expect_err("it pays less");
    assert!(refused.to_string().contains("insufficient fee"), "{refused}");
    world.node.generate_to_descriptor(1, "raw(51)");
    pair.follow(world, "a block holds it");
    assert_eq!(pair.confirmations(&quick), Some(1));
    // not in the block that takes that block's place: unconfirmed again
    world.instead(&[]);
    pair.follow(world, "unconfirmed again");
    assert_eq!(pair.confirmations(&quick), Some(0));
    world.node.generate_to_descriptor(3, "raw(51)");
    pair.follow(world, "and confirmed again");
    assert_eq!(pair.confirmations(&quick), Some(3));
}
