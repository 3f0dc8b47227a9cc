//! No file of src/ uses another that uses it: neither directly nor by way of others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::report;
use crate::texts::{Text, sources};
use crate::tokens::{is_word, tokens};

/// A path as words, from the root of the crate: `["query", "view", "View"]`.
type Path = Vec<String>;
/// The names that each file takes from each other one.
type Uses = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

#[test]
fn no_file_uses_one_that_uses_it() {
    let texts: Vec<Text> = sources().filter(|text| text.path.starts_with("src/")).collect();
    let mend = "move what both need to a file of its own, or to the one that is used";
    report(circles(&uses(&texts)).iter().map(|circle| format!("{circle} -> {mend}")).collect());
}

/// `src/query/view.rs` is module `query::view`, `src/query/mod.rs` is `query`.
fn module_of(path: &str) -> Option<Path> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut words: Path = inner.split('/').map(str::to_string).collect();
    match words.last()?.as_str() {
        "main" => return None, // a crate of its own
        "lib" | "mod" => _ = words.pop(),
        _ => {}
    }
    Some(words)
}

/// What a file says of others: the paths it names, and the names that it has imported.
struct Named {
    paths: BTreeSet<Path>,
    imports: BTreeMap<String, Path>,
}

fn uses(texts: &[Text]) -> Uses {
    let files: BTreeMap<Path, &Text> =
        texts.iter().filter_map(|text| Some((module_of(&text.path)?, text))).collect();
    let named: BTreeMap<&Path, Named> =
        files.iter().map(|(module, text)| (module, names_in(module, text))).collect();
    let mut uses = Uses::new();
    for (module, text) in &files {
        let of_file = uses.entry(text.path.clone()).or_default();
        for path in &named[module].paths {
            if let Some((target, name)) = resolve(path, &files, &named)
                && target != module
            {
                of_file.entry(files[target].path.clone()).or_default().insert(name);
            }
        }
    }
    uses
}

/// The file that defines what a path names, and the name; imports that are passed on are followed.
fn resolve<'a>(
    path: &Path,
    files: &BTreeMap<Path, &'a Text>,
    named: &'a BTreeMap<&Path, Named>,
) -> Option<(&'a Path, String)> {
    let mut path = path.clone();
    for _ in 0..10 {
        let length = (0..=path.len()).rev().find(|n| files.contains_key(&path[..*n]))?;
        let (module, of_it) = named.get_key_value(&path[..length].to_vec())?;
        let Some(name) = path.get(length) else {
            return Some((*module, path.last().cloned().unwrap_or_default()));
        };
        match of_it.imports.get(name) {
            Some(further) if *further != path => path = further.clone(),
            _ => return Some((*module, name.clone())),
        }
    }
    None
}

/// Every path in a file that begins with `crate`, `super`, `self` or a module declared there.
fn names_in(module: &Path, text: &Text) -> Named {
    let tokens: Vec<&str> = tokens(text).into_iter().map(|(_, token)| token).collect();
    let mut named = Named { paths: BTreeSet::new(), imports: BTreeMap::new() };
    let declared: BTreeSet<&str> = tokens
        .windows(3)
        .filter(|three| three[0] == "mod" && is_word(three[1]))
        .map(|three| three[1])
        .collect();
    // inline modules that are open, each with the depth of its brace
    let (mut inline, mut depth, mut at): (Vec<(usize, String)>, _, _) = (Vec::new(), 0, 0);
    while at < tokens.len() {
        let before = if at == 0 { "" } else { tokens[at - 1] };
        match tokens[at] {
            "{" => {
                if at > 1 && tokens[at - 2] == "mod" {
                    inline.push((depth, before.to_string()));
                }
                depth += 1;
            }
            "}" => {
                depth -= 1;
                inline.retain(|(opened, _)| *opened < depth);
            }
            first if is_word(first) && before != "::" && tokens.get(at + 1) == Some(&"::") => {
                let here: Path =
                    module.iter().cloned().chain(inline.iter().map(|(_, n)| n.clone())).collect();
                let start = match first {
                    "crate" => Some(Path::new()),
                    "self" => Some(here),
                    "super" => Some(here[..here.len().saturating_sub(1)].to_vec()),
                    _ if declared.contains(first) => Some([here, vec![first.into()]].concat()),
                    _ => None,
                };
                if let Some(start) = start {
                    let mut paths = Vec::new();
                    at = tree(&tokens, at + 2, &start, &mut paths);
                    for (path, name) in paths {
                        if before == "use" {
                            named.imports.insert(name, path.clone());
                        }
                        named.paths.insert(path);
                    }
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    named
}

/// Reads what follows a `::`, a list in braces included: each path, and the name it is known by.
fn tree(tokens: &[&str], mut at: usize, start: &Path, found: &mut Vec<(Path, String)>) -> usize {
    let mut path = start.clone();
    loop {
        match tokens.get(at).copied() {
            Some("{") => {
                at += 1;
                while at < tokens.len() && tokens[at] != "}" {
                    at = if tokens[at] == "," { at + 1 } else { tree(tokens, at, &path, found) };
                }
                return at + 1;
            }
            Some("super") => _ = path.pop(),
            Some("self") => {}
            Some(word) if is_word(word) => path.push(word.to_string()),
            _ => break, // a glob, or the end of an expression
        }
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    let mut name = path.last().cloned().unwrap_or_default();
    match tokens.get(at..at + 2) {
        Some(["as", other]) => (name, at) = (other.to_string(), at + 2),
        Some(["*" | "<", _]) => at += 1,
        _ => {}
    }
    found.push((path, name));
    at
}

/// Each shortest circle once, with the names that tie its files.
fn circles(uses: &Uses) -> BTreeSet<String> {
    let mut found = BTreeMap::new();
    for (from, targets) in uses {
        for to in targets.keys() {
            let Some(mut circle) = way(uses, to, from) else { continue };
            // the same circle is met once from each of its files
            let first = circle.iter().enumerate().min_by_key(|(_, file)| **file).map(|(n, _)| n);
            circle.rotate_left(first.unwrap_or_default());
            found.entry(circle.clone()).or_insert_with(|| shown(uses, &circle));
        }
    }
    found.into_values().collect()
}

/// The files from one to another, each using the next.
fn way<'a>(uses: &'a Uses, from: &'a String, to: &'a String) -> Option<Vec<&'a String>> {
    let (mut came, mut next) = (BTreeMap::from([(from, from)]), VecDeque::from([from]));
    while let Some(file) = next.pop_front() {
        if file == to {
            let mut way = vec![file];
            while way[way.len() - 1] != from {
                way.push(came[way[way.len() - 1]]);
            }
            way.reverse();
            return Some(way);
        }
        for target in uses.get(file)?.keys() {
            if !came.contains_key(target) {
                came.insert(target, file);
                next.push_back(target);
            }
        }
    }
    None
}

fn shown(uses: &Uses, circle: &[&String]) -> String {
    let mut shown = format!("{} uses", circle[0]);
    for (n, file) in circle.iter().enumerate() {
        let next = circle[(n + 1) % circle.len()];
        let names: Vec<&str> = uses[*file][next].iter().map(String::as_str).collect();
        let again = if n + 1 == circle.len() { "" } else { ", which uses" };
        shown += &format!(" {} of {next}{again}", names.join(", "));
    }
    shown
}

fn made_up(files: &[(&str, &str)]) -> Vec<String> {
    let text = |(path, content): &(&str, &str)| Text {
        path: format!("src/{path}.rs"),
        content: (*content).into(),
    };
    circles(&uses(&files.iter().map(text).collect::<Vec<_>>())).into_iter().collect()
}

#[test]
fn a_circle_is_found_whichever_way_its_files_are_named() {
    let two = ["src/m/a.rs uses B of src/m/b.rs, which uses A of src/m/a.rs"];
    let lib = ("lib", "pub mod m; pub mod n;");
    let a = ("m/a", "use super::b::B; pub struct A(B);");
    for b in [
        "use crate::m::a::A; pub struct B(A);",
        "use std::fmt; use crate::{m::{a::{A}}, n}; pub struct B(A);",
        "pub struct B(crate::m::a::A);",
        "use super::super::m::a::A as Other; pub struct B(Other);",
        "pub mod inner { use super::super::a::A; }",
        "use super::A; pub struct B(A);",
    ] {
        let tree = [lib, ("m/mod", "mod a; mod b; pub use self::a::A;"), a, ("m/b", b), ("n", "")];
        assert_eq!(made_up(&tree), two, "{b}");
    }
    // a folder's own file, and a circle over three files in two folders
    let own = [lib, ("m/mod", "mod a; use a::A; pub struct C;"), ("m/a", "use super::C;")];
    assert_eq!(made_up(&own), ["src/m/a.rs uses C of src/m/mod.rs, which uses A of src/m/a.rs"]);
    let called = [lib, ("m/mod", "mod a; fn f() { a::run() } fn g() {}"), ("m/a", "use super::g;")];
    assert_eq!(made_up(&called).len(), 1);
    let three = [
        lib,
        ("m/mod", "pub mod a; pub mod b;"),
        ("m/a", "use super::b;"),
        ("m/b", "use crate::n::N;"),
        ("n", "use crate::m::a::*;"),
    ];
    assert_eq!(
        made_up(&three),
        ["src/m/a.rs uses b of src/m/b.rs, which uses N of src/n.rs, which uses a of src/m/a.rs"]
    );
}

#[test]
fn a_tree_without_a_circle_is_left_in_peace() {
    let tree = [
        ("lib", "pub mod m;"),
        ("m/mod", "mod a; mod b; pub struct C;"),
        ("m/a", "use super::{C, b::B}; pub struct A;"),
        // what only comments, strings and tests name ties nothing
        ("m/b", "// super::a\nconst B: &str = \"super::a::A\";\n#[cfg(test)]\nuse super::a::A;"),
    ];
    assert_eq!(made_up(&tree), Vec::<String>::new());
}
