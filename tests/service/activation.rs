//! A socket that the service manager opened is used instead of the configured address.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use hekte_testkit::hekte::Hekte;
use serde_json::json;

use crate::{made_chain, offline, with_variables};

#[test]
fn a_socket_from_systemd_is_served() {
    let chain = made_chain(3);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // systemd passes the first socket as file 3
    let mut shell = with_variables(&offline(&chain), "LISTEN_PID=$$ LISTEN_FDS=1");
    shell.stdin(Stdio::from(OwnedFd::from(listener)));
    let mut hekte = Hekte::spawn_command(shell, chain.path());
    hekte.wait_log("serving, height=3");
    assert_eq!(hekte.addresses(), [address], "and no other");
    assert!(hekte.client().call("server.ping", json!([])).is_ok());
    assert!(hekte.terminate().status.success());
}
