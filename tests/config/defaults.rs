//! The documentation names the defaults and bounds that the program has, and all settings.

use std::fs;
use std::path::Path;

use hekte::cli;
use hekte::config::Config;
use hekte::config::defaults;
use hekte::config::settings::NAMES;
use hekte::limits;

use crate::load;

/// Settings that make sense on the command line only.
const NOT_IN_THE_FILE: [&str; 2] = ["sync_only", "rebuild"];
/// Settings of which a text shows an example or says in words what they default to.
const IN_WORDS: [&str; 1] = ["banner"];

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// What hekte.toml says otherwise than the program.
fn faults_of_file(file: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for name in NAMES.iter().filter(|name| !NOT_IN_THE_FILE.contains(name)) {
        let value = file
            .lines()
            .find_map(|line| line.trim_start_matches('#').strip_prefix(*name)?.strip_prefix(" = "));
        let Some(value) = value else {
            faults.push(format!("hekte.toml does not show {name}"));
            continue;
        };
        if let Some(default) = defaults::of(name)
            && value.trim_matches('"') != default
        {
            faults.push(format!("hekte.toml: {name} = {value}, and the default is {default}"));
        }
    }
    faults
}

/// What the table of settings in README.md says otherwise than the program.
fn faults_of_readme(readme: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for name in NAMES {
        let named = format!("`{}`", flag(name));
        let row = readme.lines().find(|line| line.starts_with('|') && line.contains(&named));
        let Some(row) = row else {
            faults.push(format!("README.md has no row for {named}"));
            continue;
        };
        let mut cells = row.split(" | ");
        let (names, values) = (cells.next().unwrap(), cells.next().unwrap());
        // a row may be about two settings
        let place = names.split(", ").position(|one| one.contains(&named)).unwrap();
        let value = values.split(", ").nth(place).unwrap_or(values).trim_matches(['`', ' ']);
        if let Some(default) = defaults::of(name).filter(|_| !IN_WORDS.contains(name))
            && value != default
        {
            faults.push(format!("README.md: {named} {value}, and the default is {default}"));
        }
    }
    faults
}

/// What the table of limits in docs/protocol.md says otherwise than the program.
fn faults_of_protocol(page: &str) -> Vec<String> {
    let setting = |name: &str| (format!("`{name}`, "), defaults::of(name).unwrap());
    let bound = |row: &str, bound: usize| (format!("| {row} | "), bound.to_string());
    let expected = [
        setting("max_history"),
        setting("query_time"),
        setting("max_subscriptions"),
        setting("max_clients"),
        bound("one request line", limits::MAX_LINE_BYTES),
        bound("JSON values in a line", limits::MAX_JSON_VALUES_PER_LINE),
        bound("requests in a batch", limits::MAX_BATCH_REQUESTS),
        bound("one answer, single or batch", limits::MAX_REPLY_BYTES >> 20),
        bound("outpoints one client watches", limits::MAX_OUTPOINTS_WATCHED_PER_CLIENT),
        bound("lines in flight of one client", limits::IN_FLIGHT_LINES_PER_CLIENT),
        bound("questions of one client at once", limits::RUNNING_PER_CLIENT),
        bound("transactions in a package or `testmempoolaccept`", limits::MAX_PACKAGE_TRANSACTIONS),
        bound("transactions in `mempool.recent`", limits::MAX_RECENT_TRANSACTIONS),
    ];
    let mut faults = Vec::new();
    for (before, value) in expected {
        let said = page.lines().find_map(|line| line.split_once(&before)).map(|(_, rest)| {
            let cell = rest.split(" | ").next().unwrap();
            cell.trim_end_matches(" bytes").trim_end_matches(" MiB").replace(' ', "")
        });
        if said.as_ref() != Some(&value) {
            faults.push(format!("docs/protocol.md: {before}{said:?}, and it is {value}"));
        }
    }
    faults
}

/// What `--help` says otherwise than the program.
fn faults_of_help(help: &str) -> Vec<String> {
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = NAMES.iter().filter(|name| !["banner", "server_name"].contains(name));
    let shown = shown.filter_map(|name| Some((flag(name), defaults::of(name)?)));
    let is_missing = |(flag, default): &(String, String)| {
        let described = words.split(&format!("{flag} <")).nth(1).unwrap_or_default();
        !described.split(" --").next().unwrap().contains(&format!("[default: {default}]"))
    };
    shown.filter(is_missing).map(|(flag, default)| format!("{flag} without {default}")).collect()
}

#[test]
fn the_documentation_names_the_defaults() {
    let nothing = Vec::<String>::new();
    assert_eq!(faults_of_file(&text("systemd/hekte.toml")), nothing);
    assert_eq!(faults_of_readme(&text("README.md")), nothing);
    assert_eq!(faults_of_protocol(&text("docs/protocol.md")), nothing);
    assert_eq!(faults_of_help(&cli::command().render_help().to_string()), nothing);
}

#[test]
fn a_changed_default_is_found_in_every_text() {
    let file = text("systemd/hekte.toml").replace("max_clients = 200", "max_clients = 201");
    assert_eq!(faults_of_file(&file).len(), 1);
    let file = text("systemd/hekte.toml").replace("#query_time", "#time");
    assert_eq!(faults_of_file(&file).len(), 1);
    let readme = text("README.md").replace("| 20000 |", "| 50000 |").replace("`auto` |", "`no` |");
    // the second word stands in two rows
    assert_eq!(faults_of_readme(&readme).len(), 3);
    let page = text("docs/protocol.md").replace("max_clients`, 200", "max_clients`, 100");
    assert_eq!(faults_of_protocol(&page).len(), 1);
    let help = cli::command().render_help().to_string().replace("[default: 20s]", "");
    assert_eq!(faults_of_help(&help).len(), 1);
}

/// The value of each setting that has a default, in the order of [`NAMES`].
fn values(config: &Config) -> String {
    format!(
        "{:?}",
        (
            (config.network, config.metrics, config.max_history, config.query_time),
            (config.max_clients, config.max_subscriptions, config.index_during_ibd),
            (&config.banner, &config.server_name, config.log_level, config.log_timestamps),
        )
    )
}

#[test]
fn a_default_that_is_set_changes_nothing() {
    let nothing_set = load("", &[], None).unwrap();
    let mut set = 0;
    for name in NAMES {
        let Some(default) = defaults::of(name) else { continue };
        let variable = name.to_uppercase();
        let config = load("", &[(&format!("HEKTE_{variable}"), &default)], None).unwrap();
        assert_eq!(values(&config), values(&nothing_set), "{name} = {default}");
        assert_eq!(config.changed_since(&nothing_set), [*name]);
        set += 1;
    }
    assert_eq!(set, 11);
}
