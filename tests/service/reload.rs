//! SIGHUP: settings that change at once, settings that wait, and the messages to systemd.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::notify::Manager;
use crate::{made_chain, offline};

#[test]
fn a_changed_file_is_read_again_without_a_restart() {
    let chain = made_chain(3);
    let file = chain.join("hekte.toml");
    fs::write(&file, "banner = \"one\"\nmax_clients = 7\n").unwrap();
    let mut command = offline(&chain);
    command.arg("--config").arg(&file);
    let (manager, mut hekte) = Manager::start(chain.path(), Duration::from_secs(1), &command);
    manager.wait("READY=1");
    hekte.wait_log("serving, height=3");
    let mut client = hekte.client();
    assert_eq!(client.call("server.banner", json!([])), Ok(json!("one")));

    fs::write(&file, "banner = \"two\"\nmax_clients = 8\nlog_level = \"debug\"\n").unwrap();
    hekte.signal("HUP");
    let told = manager.wait("RELOADING=1");
    assert!(told.last().unwrap().contains("MONOTONIC_USEC="), "{told:?}");
    manager.wait("READY=1");
    assert_eq!(client.call("server.banner", json!([])), Ok(json!("two")));
    hekte.wait_log("max_clients has changed, which takes effect at the next start");
    assert!(!hekte.log().contains("banner has changed"), "{}", hekte.log());
    let _debugged = hekte.client();
    hekte.wait_log("connected");

    // a mistake in the file changes nothing
    fs::write(&file, "baner = \"three\"\n").unwrap();
    hekte.signal("HUP");
    manager.wait("RELOADING=1");
    manager.wait("READY=1");
    hekte.wait_log("did you mean `banner`?");
    assert_eq!(client.call("server.banner", json!([])), Ok(json!("two")));
}
