//! The house rules as a test: each failure names the file, the rule and the mend.

mod circles;
mod items;
mod scripts;
mod seams;
mod texts;
mod tokens;

use std::fs;

use self::texts::{Text, code, module, read, root, sources, texts};

/// Longest line, file and function.
const COLUMNS: usize = 100;
const FILE_LINES: usize = 300;
const FUNCTION_LINES: usize = 70;

/// Crates that only some modules may name, and what to do instead.
const RESERVED: [(&str, &[&str], &str); 5] = [
    (
        "tokio",
        &["host", "server", "daemon"],
        "block on a thread of your own, or move it to server/",
    ),
    ("rusqlite", &["store"], "add a method to store/ and call that"),
    (
        "serde_json",
        &["node", "protocol", "session", "server", "inspect", "check"],
        "JSON belongs to the wire and to bitcoind's RPC: pass typed values",
    ),
    ("sha2", &["hash"], "take a function of hash/, the one door to SHA-256"),
    ("clap", &["config", "cli"], "settings reach the program as a Config"),
];

/// What must not be committed, and the mend.
const FORBIDDEN: [(&str, &str); 5] = [
    (concat!("to", "do!("), "write it, or return an error that says what is missing"),
    (concat!("unimpl", "emented!("), "write it, or return an error that says what is missing"),
    (concat!("#[ig", "nore"), "let the test skip itself with a message that says what it needs"),
    (concat!("db", "g!("), "use log::debug!"),
    (concat!("eprintln!(\"", "DEBUG"), "use log::debug!"),
];

/// The one good reason to be ignored; see tests/kit/src/child.rs.
const CHILD_PROCESS: &str = concat!("#[ig", "nore = \"child process of ");

fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Lines of Markdown that may be as long as they must: tables, code, links.
fn may_be_long(text: &Text, line: &str, in_fence: bool) -> bool {
    text.is(".md") && (in_fence || line.starts_with('|') || line.contains("](http"))
}

#[test]
fn every_file_opens_with_a_sentence_that_says_what_it_is() {
    let mut faults = Vec::new();
    for text in texts() {
        let mut lines = text.content.lines().filter(|line| !line.starts_with("#!"));
        let first = lines.next().unwrap_or_default();
        let (good, form) = match text.path.rsplit('.').next() {
            Some("rs") => (first.starts_with("//! "), "//! What it is."),
            Some("sh" | "py" | "toml" | "service" | "yml") | Some("Makefile" | "ci/run") => {
                (first.starts_with("# "), "# What it is.")
            }
            Some("sql") => (first.starts_with("-- "), "-- What it is."),
            Some("md") => (first.starts_with("# "), "# Title, then a sentence"),
            _ => continue,
        };
        if !good {
            faults.push(format!("{}: begins with `{first}` -> open it with `{form}`", text.path));
        }
    }
    report(faults);
}

#[test]
fn lines_files_and_functions_are_short() {
    let mut faults = Vec::new();
    for text in texts() {
        let mut in_fence = false;
        for (number, line) in text.lines() {
            in_fence ^= line.starts_with("```");
            let columns = line.chars().count();
            if columns > COLUMNS && !may_be_long(&text, line, in_fence) {
                faults.push(format!("{}:{number}: {columns} columns -> break it", text.path));
            }
            if line.ends_with([' ', '\t']) {
                faults.push(format!("{}:{number}: ends with a blank -> take it off", text.path));
            }
        }
        let lines = text.content.lines().count();
        if text.is(".rs") && lines > FILE_LINES {
            let mend = "move a part that has a name of its own to a file of that name";
            faults.push(format!("{}: {lines} lines -> {mend}", text.path));
        }
        if text.is(".rs") {
            faults.extend(long_functions(&text));
        }
    }
    report(faults);
}

/// rustfmt puts a function's last brace under its first letter.
fn long_functions(text: &Text) -> Vec<String> {
    let mut faults = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    for (number, line) in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match open {
            None if starts_function(line) && !line.ends_with(['}', ';']) => {
                open = Some((number, indent));
            }
            Some((start, at)) if indent == at && line.trim() == "}" => {
                let length = number - start + 1;
                if length > FUNCTION_LINES {
                    let mend = "give a step of it a name and a function";
                    faults.push(format!("{}:{start}: {length} lines -> {mend}", text.path));
                }
                open = None;
            }
            Some((_, at)) if indent <= at && line.ends_with(';') => open = None,
            _ => {}
        }
    }
    faults
}

fn starts_function(line: &str) -> bool {
    let words = line.split_whitespace().take_while(|word| !word.contains('('));
    let mut words = words.skip_while(|w| w.starts_with("pub") || ["async", "const"].contains(w));
    let first = words.next().or_else(|| line.split_whitespace().find(|word| word.contains('(')));
    first == Some("fn") || line.trim_start().starts_with("pub(") && line.contains(" fn ")
}

/// The modules in the order of src/lib.rs: data moves down this list, imports point up.
fn order() -> Vec<String> {
    let tour = fs::read_to_string(root().join("src/lib.rs")).unwrap_or_default();
    let names = tour.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

#[test]
fn imports_run_one_way() {
    let order = order();
    let place = |name: &str| order.iter().position(|other| other == name);
    assert!(order.len() > 15, "src/lib.rs no longer lists its modules one a line");
    let mut faults = Vec::new();
    for text in sources() {
        let Some(own) = module(&text.path).filter(|name| !["lib", "main"].contains(name)) else {
            continue;
        };
        let Some(own_place) = place(own) else {
            faults
                .push(format!("{}: `{own}` is not in src/lib.rs -> list or delete it", text.path));
            continue;
        };
        for (number, line) in text.lines() {
            for name in imported(code(line)) {
                let at = format!("{}:{number}", text.path);
                match place(name) {
                    _ if ["sync", "query"].contains(&own) && is_other_half(own, name) => {
                        let mend = "they meet only in live/ and store/";
                        faults.push(format!("{at}: {own} imports {name} -> {mend}"));
                    }
                    Some(other) if other <= own_place => {}
                    Some(_) => {
                        let mend = "move what both need above both (order of src/lib.rs)";
                        faults.push(format!("{at}: {own} imports {name} -> {mend}"));
                    }
                    None => faults.push(format!(
                        "{at}: crate::{name} is no module -> one `use crate::module::Name;` a line"
                    )),
                }
            }
        }
    }
    report(faults);
}

fn is_other_half(own: &str, name: &str) -> bool {
    own != name && ["sync", "query"].contains(&name)
}

/// The modules named after `crate::` in a line.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn some_crates_stay_in_their_rooms() {
    let mut faults = Vec::new();
    for text in sources() {
        let Some(own) = module(&text.path) else { continue };
        for (number, line) in text.lines() {
            for (krate, rooms, mend) in RESERVED {
                let named = code(line).split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                if named.into_iter().any(|word| word == krate) && !rooms.contains(&own) {
                    let at = format!("{}:{number}", text.path);
                    faults.push(format!("{at}: {krate} outside of {rooms:?} -> {mend}"));
                }
            }
        }
    }
    report(faults);
}

#[test]
fn nothing_unfinished_and_nothing_that_is_not_ours() {
    // folders beside the checkout, which nobody else has; .ci/run alone may look for test data
    let beside = [concat!("work/", "shared"), concat!("../", "shared"), concat!("shared/", "docs")];
    let mut faults = Vec::new();
    for text in texts() {
        for (number, line) in text.lines() {
            let at = format!("{}:{number}", text.path);
            for (word, mend) in FORBIDDEN {
                // what a test starts and kills is a function of the test binary, and no test
                let child = line.trim_start().starts_with(CHILD_PROCESS);
                if text.is(".rs") && line.contains(word) && !child {
                    faults.push(format!("{at}: `{word}` -> {mend}"));
                }
            }
            if text.path != ".ci/run" && beside.iter().any(|folder| line.contains(folder)) {
                let mend = "take the folder from a variable and skip where it is unset";
                faults.push(format!("{at}: a folder that others do not have -> {mend}"));
            }
        }
    }
    report(faults);
}

#[test]
fn every_dependency_has_a_reason() {
    let mut faults = Vec::new();
    for manifest in ["Cargo.toml", "tests/kit/Cargo.toml"] {
        let Some(text) = read(&root().join(manifest)) else { continue };
        let (mut inside, mut before) = (false, "");
        for (number, line) in text.lines() {
            if line.starts_with('[') {
                inside = line.ends_with("dependencies]");
            }
            let names = line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains('=');
            if inside && names && !before.starts_with('#') {
                let mend = "say in a line above why it is worth having";
                faults.push(format!("{manifest}:{number}: `{line}` -> {mend}"));
            }
            before = line;
        }
    }
    report(faults);
}
