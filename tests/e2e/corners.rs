//! A corner of the files: undo data that only bitcoind can tell apart.

use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::script::Kind;
use hekte_testkit::wallet::Coin;
use serde_json::json;

use crate::random_world::RandomWorld;

/// Two blocks on one parent, each with one transaction that spends another taproot coin: no input
/// reveals which undo data is whose.
#[test]
fn siblings_that_reveal_nothing_are_told_apart_by_bitcoind() {
    let Some(mut world) = RandomWorld::new("siblings_that_reveal_nothing", 4) else { return };
    let hekte = world.hekte();
    let mut watching = vec![world.subscriber(hekte.client(), "1.6")];
    for _ in 0..3 {
        let mut coins = world.coins();
        let keyed = |coin: &Coin| coin.owner.kind == Kind::P2tr && coin.height > 0;
        coins.retain(|coin| keyed(coin) && coin.value > 60_000);
        coins.sort_by_key(|coin| coin.value);
        coins.dedup_by_key(|coin| coin.owner);
        let [first, .., second] = coins[..] else { panic!("too few taproot coins") };
        // as much as the smaller one holds, so that neither pays out more than the other's coin
        let fee = second.value - first.value + 1000;
        let older = world.pay(&[first], 1, Some(1000));
        let newer = world.pay(&[second], 1, Some(fee));
        let blocks = [older, newer].map(|tx| {
            let reward = format!("raw({})", world.regular().to_hex_string());
            world.tick();
            let hash = world.node.generate_block(&reward, &[serialize_hex(&tx)]);
            world.node.rpc.call("invalidateblock", json!([hash]));
            hash
        });
        // the one whose undo data is not the newest wins
        blocks.iter().for_each(|hash| _ = world.node.rpc.call("reconsiderblock", json!([hash])));
        world.node.rpc.call("invalidateblock", json!([blocks[1]]));
        world.mine(1);
        world.settle(&mut watching, &hekte);
        watching[0].ask(&world.truth);
    }
    // found out while building, too
    hekte.kill();
    let built = world.run("fresh", &["--sync-only"]);
    assert!(built.status.success(), "{}", built.stderr);
    let offline = world.run("offline", &["--sync-only", "--offline"]);
    assert!(offline.stderr.contains("would fit as well"), "{}", offline.stderr);
}
