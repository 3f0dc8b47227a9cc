//! Settings from each of the four layers, and the errors for wrong ones.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod defaults;
mod items_per_row;

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hekte::cli::{self, Parsed};
use hekte::config::Config;
use hekte::config::network::Network;
use hekte::config::node::RpcAuth;
use hekte::error::{Error, Result};

/// Loads a configuration from flags in one string, variables without their HEKTE_, and a file.
fn load(flags: &str, variables: &[(&str, &str)], file: Option<&Path>) -> Result<Config> {
    let mut arguments: Vec<OsString> = vec!["hekte".into()];
    arguments.extend(flags.split_whitespace().map(OsString::from));
    if let Some(file) = file {
        arguments.extend(["--config".into(), file.into()]);
    }
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), value.into()));
    match cli::parse(arguments, variables)? {
        Parsed::Do(_, config) => Ok(*config),
        Parsed::Print(text) => Err(Error::Usage(text)),
    }
}

fn write(name: &str, content: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("hekte-{name}-{}", std::process::id()));
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// Checks that the outcome is an error with this exit code and a text that holds all `parts`.
fn refused(outcome: Result<Config>, code: u8, parts: &[&str]) {
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "`{part}` is not in: {error}");
    }
}

fn file_refused(name: &str, content: &str, parts: &[&str]) {
    let path = write(name, content);
    refused(load("", &[], Some(&path)), 78, parts);
    fs::remove_file(path).unwrap();
}

#[test]
fn later_layers_win() {
    let file = write(
        "layers",
        "network = \"signet\"\nmax_clients = 7\nmax_history = 1_000\nbanner = \"of the file\"\n\
         listen = [\"127.0.0.1:1\", \"[::1]:2\"]\noffline = true\n",
    );
    let variables = [("HEKTE_BANNER", "of the variable"), ("HEKTE_MAX_CLIENTS", "8"), ("HOME", "")];
    let config = load("--max-clients 9 --query-time 5m", &variables, Some(&file)).unwrap();
    assert_eq!(config.network, Network::Signet);
    assert_eq!((config.max_clients, config.max_history), (9, 1000));
    assert_eq!(config.banner, "of the variable");
    assert_eq!(config.query_time, Duration::from_secs(300));
    assert_eq!(config.listen.len(), 2);
    assert!(config.offline());
    let explained = config.explain().join("\n");
    assert!(explained.contains("max_clients = 9 (flag --max-clients)"), "{explained}");
    assert!(explained.contains("(environment variable HEKTE_BANNER)"), "{explained}");
    assert!(explained.contains("line 3"), "{explained}");

    let config = load("--listen 127.0.0.1:5 --listen 0.0.0.0:5", &[], Some(&file)).unwrap();
    assert_eq!(config.listen, ["127.0.0.1:5".parse().unwrap(), "0.0.0.0:5".parse().unwrap()]);
    let path = file.to_str().unwrap();
    let variables = [("HEKTE_CONFIG", path), ("HEKTE_LISTEN", "127.0.0.1:6, 127.0.0.1:7")];
    let config = load("--offline=no", &variables, None).unwrap();
    assert_eq!((config.network, config.listen.len()), (Network::Signet, 2));
    assert!(!config.offline());
    fs::remove_file(file).unwrap();
}

#[test]
fn defaults_follow_the_network() {
    let config = load("--network regtest --bitcoin-dir /nonexistent", &[], None).unwrap();
    assert_eq!(config.listen, ["127.0.0.1:60401".parse().unwrap()]);
    let node = config.node.unwrap();
    assert_eq!(node.url.to_string(), "http://127.0.0.1:18443");
    assert_eq!(node.auth, RpcAuth::Cookie("/nonexistent/regtest/.cookie".into()));
    assert_eq!(config.blocks_dir, Path::new("/nonexistent/regtest/blocks"));
    let config = load("--data-dir /d --network main", &[("HEKTE_BANNER", "")], None).unwrap();
    assert_eq!(config.index_dir(), Path::new("/d/bitcoin/index"));
    assert_eq!(config.banner, "Welcome to hekte");
    assert!(config.server_name.starts_with("hekte/"));
}

#[test]
fn unknown_names_are_named_with_the_nearest_one() {
    file_refused("typo", "# x\nmax_client = 5\n", &["line 2", "`max_client`", "`max_clients`"]);
    file_refused("flagged", "bitcoin-dir = \"x\"\n", &["line 1", "`bitcoin_dir`"]);
    file_refused("dead", "\nzebra = 1\n", &["line 2", "`zebra`", "remove it"]);
    file_refused("table", "[rpc]\nurl = 1\n", &["line 1", "unknown key `rpc`"]);
    file_refused("password", "rpc_password = \"x\"\n", &["`rpc_password_file`"]);
    let variables = [("HEKTE_NETWRK", "regtest")];
    refused(load("", &variables, None), 78, &["HEKTE_NETWRK", "`HEKTE_NETWORK`"]);
    refused(load("--netwrk x", &[], None), 64, &["--network"]);
}

#[test]
fn wrong_values_say_where_and_what_instead() {
    file_refused("toml", "a = 1\nb = = 2\n", &["line 2"]);
    file_refused("twice", "memory = \"1GiB\"\nmemory = \"1GiB\"\n", &["line 2"]);
    file_refused("size", "\n\nmemory = 256\n", &["line 3", "memory", "256MiB"]);
    file_refused("list", "memory = [\"1GiB\"]\n", &["one value"]);
    file_refused("float", "max_clients = 1.5\n", &["line 1", "whole number"]);
    refused(load("--memory 63MiB", &[], None), 64, &["--memory", "at least 64MiB"]);
    refused(load("", &[("HEKTE_MEMORY", "lots")], None), 78, &["HEKTE_MEMORY", "256MiB"]);
    refused(load("--listen 50001", &[], None), 64, &["127.0.0.1:50001"]);
    refused(load("--listen 1.1.1.1:5 --listen 1.1.1.1:5", &[], None), 64, &["twice"]);
    refused(load("--network bitcion", &[], None), 64, &["testnet4"]);
    refused(load("--max-history 0", &[], None), 64, &["from 1"]);
    refused(load("--query-time 0s", &[], None), 64, &["at least 1s"]);
    refused(load("--config /nonexistent.toml", &[], None), 66, &["/nonexistent.toml"]);
}

#[test]
fn settings_that_contradict_each_other_are_errors() {
    refused(load("--offline --rpc-url x", &[], None), 64, &["--rpc-url", "offline"]);
    refused(load("--rpc-user u --rpc-cookie c", &[], None), 64, &["both"]);
    refused(load("--rpc-user u", &[], None), 64, &["HEKTE_RPC_PASSWORD"]);
    refused(load("", &[("HEKTE_RPC_PASSWORD", "p")], None), 78, &["rpc_user"]);
    refused(load("--signet-magic 00000000", &[], None), 64, &["network is bitcoin"]);
    let both = "--network signet --signet-challenge 51 --signet-magic 01020304";
    refused(load(both, &[], None), 64, &["signet_challenge gives"]);
    // `--offline` overrides a file's settings about bitcoind, which may be absent today
    let file = write("overruled", "rpc_url = \"http://x\"\nrpc_cookie = \"/c\"\n");
    assert!(load("--offline", &[], Some(&file)).unwrap().offline());
    let config = load("--rpc-user u", &[("HEKTE_RPC_PASSWORD", "p")], Some(&file)).unwrap();
    let auth = RpcAuth::User { user: "u".into(), password: "p".into() };
    assert_eq!(config.node.unwrap().auth, auth);
    fs::remove_file(file).unwrap();
}

#[test]
fn a_password_file_is_for_few_eyes() {
    let file = write("secret", "s3cret\n");
    let flags = format!("--rpc-user u --rpc-password-file {}", file.display());
    let config = load(&flags, &[], None).unwrap();
    let auth = RpcAuth::UserFile { user: "u".into(), file: file.clone() };
    assert_eq!(config.node.as_ref().unwrap().auth, auth);
    assert!(!config.explain().join("").contains("s3cret"));
    assert!(!format!("{config:?}").contains("s3cret"));
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    refused(load(&flags, &[], None), 78, &["everybody", "0600"]);
    fs::write(&file, "\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    refused(load(&flags, &[], None), 78, &["empty"]);
    fs::remove_file(file).unwrap();
}

#[test]
fn custom_signets_have_their_own_magic() {
    let config = load("--network signet --signet-challenge 51", &[], None).unwrap();
    assert!(config.magic_was_set);
    let config = load("--network signet --signet-magic 01020304", &[], None).unwrap();
    assert_eq!(config.magic, [1, 2, 3, 4]);
}
