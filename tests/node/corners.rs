//! A bitcoind that changes under a running hekte: another password, pruned, far away on a fork.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hekte_testkit::hekte::Hekte;
use serde_json::{Value, json};

use crate::restricted::PASSWORD_SECRET;
use crate::world::{World, until};

/// User `hekte` with password `other`.
const PASSWORD_OTHER: &str =
    "-rpcauth=hekte:73616c74$8a86001aca16a7e6ce94209a47eda68a4276ce55001443768d4b4c88735b6b23";

fn write_password(world: &World, password: &str) -> String {
    let file = world.scratch.join("password");
    fs::write(&file, format!("{password}\n")).expect("scratch is writable");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
    file.display().to_string()
}

fn says(hekte: &Hekte, words: &str) {
    until(words, || hekte.log().contains(words));
}

#[test]
fn a_password_changed_in_both_places_is_taken_up() {
    let Some(mut world) = World::with("a_password_changed", &[PASSWORD_SECRET]) else { return };
    let file = write_password(&world, "secret");
    let hekte = world.hekte("a", &["--rpc-user", "hekte", "--rpc-password-file", &file]);
    world.right(&hekte);
    world.node.restart(&[PASSWORD_OTHER]);
    says(&hekte, "does not accept user hekte");
    // what is indexed is served; what needs bitcoind is refused without telling where it is
    world.right(&hekte);
    let refused = hekte.client().call("blockchain.relayfee", json!([])).expect_err("no login");
    let text = "bitcoind does not accept this server's login";
    assert_eq!(refused, json!({"code": 2, "message": text}));
    write_password(&world, "other");
    world.mine(2);
    world.right(&hekte);
    assert!(hekte.client().call("blockchain.relayfee", json!([])).is_ok());
}

#[test]
fn a_node_that_is_pruned_now_is_told_of_and_what_is_indexed_served() {
    let Some(mut world) = World::new("pruned_now") else { return };
    let mut hekte = world.hekte("a", &[]);
    world.right(&hekte);
    world.node.restart(&["-prune=550"]);
    says(&hekte, "bitcoind is pruned, and hekte needs every block");
    world.right(&hekte);
    assert!(hekte.is_running());
    world.node.restart(&["-reindex"]);
    until("the node has its blocks again", || world.node.height() == world.height());
    world.mine(2);
    world.right(&hekte);
}

#[test]
fn a_reorg_deeper_than_a_person_would_believe_ends_it() {
    let Some(world) = World::new("a_reorg_deeper") else { return };
    let mut hekte = world.hekte("a", &[]);
    world.served(&hekte);
    world.node.generate_to_descriptor(1010, "raw(51)");
    says(&hekte, &format!("serving, height={}", world.node.height()));
    let first = world.node.rpc.call("getblockhash", json!([world.height() + 5]));
    world.node.rpc.call("invalidateblock", json!([first]));
    // so far below, it may be a reindex: nothing is thrown away
    says(&hekte, "the index is kept");
    let tip = |hekte: &Hekte| {
        hekte.client().call("blockchain.headers.subscribe", json!([])).map(|t| t["height"].clone())
    };
    assert_eq!(tip(&hekte), Ok(Value::from(world.height() + 1010)));
    world.node.generate_to_descriptor(1010, "raw(52)");
    until("it ends", || !hekte.is_running());
    let done = hekte.wait();
    assert_eq!(done.status.code(), Some(65), "{}", done.stderr);
    for words in ["deeper than any reorganisation", "--rebuild"] {
        assert!(done.stderr.contains(words), "{words}: {}", done.stderr);
    }
}
