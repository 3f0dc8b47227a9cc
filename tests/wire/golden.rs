//! Transcripts of whole conversations in tests/golden, compared byte for byte.
//!
//! A line with `> ` is sent by the client, one with `< ` is the line that it gets, and `<|` means
//! that the server closes; other lines are remarks. Padding is removed before comparing.
//! HEKTE_GOLDEN=write rewrites the replies; read them before you commit.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use crate::kit::{Serving, serve, serve_with};

fn play(server: &Serving, name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let written = fs::read_to_string(&path).unwrap();
    let anew = std::env::var("HEKTE_GOLDEN").is_ok_and(|word| word == "write");
    let (mut client, mut seen) = (server.client(), String::new());
    for line in written.lines().filter(|line| !(anew && line.starts_with('<'))) {
        let expected = match line.split_once(' ') {
            Some((">", request)) => {
                client.send_line(request);
                seen += &format!("{line}\n");
                if anew {
                    seen += &client.unpadded().map_or("<|\n".into(), |line| format!("< {line}\n"));
                }
                continue;
            }
            Some(("<", reply)) => Some(reply),
            _ if line == "<|" => None,
            _ => {
                seen += &format!("{line}\n");
                continue;
            }
        };
        let reply = client.unpadded();
        assert_eq!(reply.as_deref(), expected, "{name}, after:\n{seen}");
        seen += &format!("{line}\n");
    }
    if anew {
        fs::write(&path, seen).unwrap();
    } else {
        client.no_more_requests();
        assert_eq!(client.line(), None, "{name}: more than expected");
    }
}

#[test]
fn protocol_1_4() {
    play(&serve(), "v1.4.txt");
}

#[test]
fn protocol_1_4_2() {
    play(&serve(), "v1.4.2.txt");
}

#[test]
fn protocol_1_6() {
    play(&serve(), "v1.6.txt");
}

#[test]
fn protocol_1_7() {
    play(&serve(), "v1.7.txt");
}

#[test]
fn clients_that_do_not_greet() {
    play(&serve(), "unversioned.txt");
}

#[test]
fn versions_that_do_not_meet() {
    let server = serve();
    play(&server, "too-old.txt");
    play(&server, "too-new.txt");
}

#[test]
fn during_the_first_sync() {
    let server = serve();
    server.index.building.store(true, Ordering::SeqCst);
    server.index.tip.store(0, Ordering::SeqCst);
    play(&server, "building.txt");
}

#[test]
fn without_a_node() {
    play(&serve_with(Default::default(), |_| (), false), "offline.txt");
    let server = serve();
    server.node.away.store(true, Ordering::SeqCst);
    play(&server, "node-away.txt");
}

#[test]
fn malformed_requests() {
    play(&serve(), "malformed.txt");
}
