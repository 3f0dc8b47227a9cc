//! The seams between protocols and transports: what must never be imported from where.

use crate::texts::{code, sources};

/// A folder, the paths below `crate::` that it must not name, and what to do instead.
const NEVER: [(&str, &[&str], &str); 5] = [
    ("src/session/", &["esplora"], "what both protocols need belongs to query/"),
    ("src/esplora/", &["session", "protocol"], "what both protocols need belongs to query/"),
    (
        "src/server/net/",
        &["server::electrum", "server::http", "session", "esplora", "protocol", "query"],
        "net carries bytes for any protocol: let the caller pass a closure or a value",
    ),
    ("src/query/", &["protocol", "session", "esplora", "server"], "query knows no wire"),
    ("src/protocol/", &["session", "esplora", "server"], "protocol knows no conversation"),
];

/// Whether a line of code in `path` names what is at or below `banned`.
fn names(path: &str, line: &str, banned: &str) -> bool {
    let own = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).any(|word| {
        let Some(named) = whole_path(own, word) else { return false };
        let rest = named.strip_prefix(banned);
        // a path that ends above the banned one goes on in braces or takes it along by name
        let above = banned.strip_prefix(named.trim_end_matches("::"));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            || named.ends_with("::") && above.is_some_and(|rest| rest.starts_with("::"))
    })
}

/// The path below the crate's root that `word` means in the module `own`, such as `query::tx`.
fn whole_path(own: &str, word: &str) -> Option<String> {
    if let Some(path) = word.strip_prefix("crate::") {
        return Some(path.to_owned());
    }
    let mut modules: Vec<&str> = own.split('/').collect();
    let mut rest = word;
    while let Some(below) = rest.strip_prefix("super::") {
        modules.pop()?;
        rest = below;
    }
    if rest == word || modules.is_empty() {
        return None;
    }
    Some(format!("{}::{rest}", modules.join("::")))
}

#[test]
fn protocols_and_transports_do_not_see_each_other() {
    let mut faults = Vec::new();
    for text in sources() {
        for (folder, banned, mend) in NEVER.iter().filter(|rule| text.path.starts_with(rule.0)) {
            for (number, line) in text.lines() {
                for name in banned.iter().filter(|name| names(&text.path, code(line), name)) {
                    faults.push(format!("{}:{number}: {folder} names {name} -> {mend}", text.path));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_forbidden_import_is_found_in_every_spelling() {
    let net = "src/server/net/listener.rs";
    for line in [
        "use crate::server::electrum::common::Common;",
        "use crate::server::{electrum, net};",
        "use super::super::electrum::tips::TipChannel;",
        "    let end = crate::server::electrum::connection::serve(stream);",
    ] {
        assert!(names(net, line, "server::electrum"), "{line}");
    }
    assert!(names("src/server/net/mod.rs", "use super::electrum::tips;", "server::electrum"));
    assert!(names("src/esplora/route.rs", "use crate::session::hub::SessionHub;", "session"));
    for line in ["use crate::server::net::shutdown::Shutdown;", "use super::memory::ByteBudget;"] {
        assert!(!names(net, line, "server::electrum"), "{line}");
    }
    assert!(!names("src/query/tx.rs", "use crate::protocols::x;", "protocol"));
}
