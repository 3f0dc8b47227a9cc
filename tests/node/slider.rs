//! Electrum's fee slider: filled from our histogram and bitcoind's estimates.

use std::path::Path;
use std::process::Command;

use bitcoin::ScriptBuf;
use hekte_testkit::hekte::Hekte;
use hekte_testkit::maker::Pay;
use hekte_testkit::scratch::Scratch;
use hekte_testkit::wallet::Coin;
use serde_json::{Value, json};

use crate::wallet::locate;
use crate::watch::{coin_of, owner};
use crate::world::{World, until};

/// Electrum's positions by blocks: 25, 10, 5, 2, and the next one.
const TARGETS: [u32; 4] = [25, 10, 5, 2];

/// What the slider shows.
fn slider(program: &Path, hekte: &Hekte) -> Value {
    let scratch = Scratch::new("slider");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/electrum_slider.py");
    let mut command = Command::new("python3");
    command.arg("-W").arg("ignore").arg(script).arg(scratch.path()).arg(hekte.address());
    command.env("HOME", scratch.path());
    // the unpacked one of tests/get-electrum.sh; an installed one is found without
    let root = program.with_file_name("root");
    if root.is_dir() {
        command.env("PYTHONPATH", root.join("usr/lib/python3/dist-packages"));
        let libs = std::fs::read_dir(root.join("usr/lib")).expect("it is unpacked");
        let mut libs = libs.map(|entry| entry.expect("a name").path());
        let libs = libs.find(|path| path.to_string_lossy().contains("-linux-gnu"));
        command.env("LD_LIBRARY_PATH", libs.expect("libraries"));
    }
    let output = command.output().expect("python runs");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let line = out.lines().next().unwrap_or_else(|| panic!("{err}\n{}", hekte.log()));
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {out}"))
}

/// Blocks of paying transactions until bitcoind can estimate.
fn teach(world: &mut World) {
    let mut coins: Vec<Coin> = world.maker.wallet.signed_coins(5_000_000).take(12).collect();
    let known = |world: &World| {
        let knows = |blocks: u32| {
            let told = world.node.rpc.call("estimatesmartfee", json!([blocks]));
            told.get("feerate").is_some()
        };
        TARGETS.into_iter().all(knows)
    };
    world.node.generate_to_descriptor(1, "raw(51)"); // a block of now
    for round in 0..150 {
        for (nth, coin) in coins.iter_mut().enumerate() {
            let pays = [Pay::Owner(owner(40), coin.value - 2000 - 100 * nth as u64)];
            let tx = world.maker.loose_tx(&[*coin], &pays);
            world.send(&tx);
            *coin = coin_of(&tx, 0, owner(40));
        }
        world.node.generate_to_descriptor(1, "raw(51)");
        if round % 10 == 9 && known(world) {
            return;
        }
    }
    panic!("bitcoind gives no estimate");
}

#[test]
fn electrum_fills_its_fee_slider() {
    let Some(program) = locate() else { return };
    let Some(mut world) = World::new("slider") else { return };
    teach(&mut world);
    let hekte = world.hekte("a", &[]);
    let tip = world.node.height();
    // two large ones, so that the position of 100 kB is within the mempool
    let coins = world.maker.wallet.signed_coins(12_000_000);
    let coins: Vec<Coin> = coins.skip(20).take(2).collect();
    let mut expected = Vec::new();
    for (coin, fee) in coins.into_iter().zip([3_000_000, 1_200_000]) {
        let tiny = ScriptBuf::from_bytes(vec![0x51]);
        let mut pays: Vec<Pay> = (0..9_000).map(|_| Pay::Script(tiny.clone(), 600)).collect();
        pays.push(Pay::Owner(owner(41), coin.value - 9_000 * 600 - fee));
        let tx = world.maker.loose_tx(&[coin], &pays);
        world.send(&tx);
        let vsize = tx.vsize() as u64;
        expected.push((fee as f64 / vsize as f64, vsize));
    }
    let mut client = hekte.client();
    until("the histogram is there", || {
        let bins = client.call("mempool.get_fee_histogram", json!([]));
        bins.is_ok_and(|bins| bins.as_array().is_some_and(|bins| bins.len() == 2))
    });
    let header = client.call("blockchain.headers.subscribe", json!([])).expect("a tip");
    assert_eq!(header["height"], tip);

    let told = slider(&program, &hekte);
    let bins = told["histogram"].as_array().expect("a list");
    for (bin, (rate, vsize)) in bins.iter().zip(&expected) {
        let floor = bin[0].as_f64().expect("a rate");
        assert!(floor <= *rate && *rate < floor + 0.1, "{bin}, not {rate}");
        assert_eq!(bin[1], *vsize);
    }
    // 100 kB deep: a satoshi above the cheaper one; all other positions are below the mempool
    let by_depth = told["by_depth"].as_array().expect("a list");
    let right = ((bins[1][0].as_f64().expect("a rate") + 1.0) * 1000.0) as i64;
    assert_eq!(by_depth[8][0], right, "{told}");
    assert!(by_depth[..8].iter().all(|p| p[0].as_i64().is_some_and(|r| r < right)), "{told}");
    // by blocks: bitcoind's own figures, in satoshi
    for (at, blocks) in TARGETS.into_iter().enumerate() {
        let fee = world.node.rpc.call("estimatesmartfee", json!([blocks]))["feerate"].clone();
        let fee = hekte_testkit::rpc::satoshi(&fee);
        assert_eq!(told["estimates"][blocks.to_string()], fee, "{told}");
        assert_eq!(told["by_blocks"][at][0], fee, "{told}");
    }
    assert!(told["by_blocks"][4][0].as_i64() > told["by_blocks"][3][0].as_i64(), "{told}");
    assert!(told["relay_fee"].as_i64() > Some(0), "{told}");
}
