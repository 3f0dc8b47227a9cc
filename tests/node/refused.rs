//! Settings that cannot work are refused at once, with the remedy and an exit code from sysexits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hekte_testkit::hekte::Finished;

use crate::world::{BINARY, World, refs};

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[track_caller]
fn refused(done: &Finished, code: i32, words: &[&str]) {
    assert_eq!(done.status.code(), Some(code), "{}", done.stderr);
    for word in words {
        assert!(done.stderr.contains(word), "{word:?} is not in: {}", done.stderr);
    }
}

#[test]
fn another_network_or_password_is_refused_with_what_to_do() {
    let Some(world) = World::new("another_network") else { return };
    let blocks = world.node.blocks_dir().display().to_string();
    let cookie = world.node.rpc.cookie().display().to_string();
    let elsewhere = ["--network", "testnet4", "--blocks-dir", &blocks, "--rpc-cookie", &cookie];
    let twice = world.run("n", &elsewhere);
    refused(&twice, 78, &["holds blocks of regtest", "testnet4"]);
    let file = world.scratch.join("password");
    fs::write(&file, "not this\n").expect("scratch is writable");
    open(&file, 0o600);
    let file = file.display().to_string();
    let done = world.run("n", &["--rpc-user", "somebody", "--rpc-password-file", &file]);
    refused(&done, 77, &["somebody", "rpcauth"]);
    // the cookie of another node
    let other = world.scratch.join("cookie");
    fs::write(&other, "__cookie__:0123456789abcdef").expect("scratch is writable");
    open(&other, 0o600);
    let done = world.run("n", &["--rpc-cookie", &other.display().to_string()]);
    refused(&done, 77, &["cookie"]);
}

#[test]
fn a_pruned_node_is_refused_not_waited_for() {
    let Some(world) = World::with("a_pruned_node", &["-prune=550"]) else { return };
    refused(&world.run("n", &[]), 69, &["pruned", "prune=0"]);
}

#[test]
fn a_second_hekte_and_a_taken_port_are_refused() {
    let Some(world) = World::new("a_second_hekte") else { return };
    let hekte = world.hekte("a", &[]);
    refused(&world.run("a", &[]), 75, &["another hekte", "--data-dir"]);
    let mut args = world.args("b", &[]);
    let at = args.iter().position(|arg| arg == "127.0.0.1:0").expect("it listens");
    args[at] = hekte.address();
    let done = hekte_testkit::hekte::run(BINARY, world.scratch.path(), &refs(&args));
    refused(&done, 75, &["listen", "--listen"]);
    world.right(&hekte);
}

#[test]
fn closed_files_are_refused_with_the_command_that_opens_them() {
    let Some(world) = World::new("closed_files") else { return };
    if !nix::unistd::geteuid().is_root() {
        eprintln!("\n*** SKIPPED closed_files: only root can become somebody else ***");
        return;
    }
    for path in [world.scratch.path(), world.node.datadir(), &world.node.datadir().join("regtest")]
    {
        open(path, 0o755);
    }
    open(world.node.rpc.cookie(), 0o644);
    let data = world.data("n");
    fs::create_dir_all(&data).expect("scratch is writable");
    open(&data, 0o777);
    let binary = world.scratch.join("hekte");
    fs::copy(BINARY, &binary).expect("a copy that everybody can run");
    let mut args =
        vec!["--reuid=65534".to_string(), "--regid=65534".into(), "--clear-groups".into()];
    args.push(binary.display().to_string());
    args.extend(world.args("n", &["--sync-only"]));
    let mut command = Command::new("setpriv");
    // hekte refuses unknown variables that begin with HEKTE_, among them those that control these
    // tests
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HEKTE_")) {
        command.env_remove(name);
    }
    let output = command.args(args).output().expect("setpriv is there");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(77), "{text}");
    assert!(text.contains("setfacl"), "{text}");
}
