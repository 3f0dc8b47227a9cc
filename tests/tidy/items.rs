//! Functions take at most five things, and what is public is used.

use std::collections::BTreeMap;

use crate::report;
use crate::texts::{Text, sources};
use crate::tokens::{is_word, tokens};

/// Longest list of parameters, `self` not counted.
const PARAMETERS: usize = 5;

#[test]
fn functions_take_at_most_five_things() {
    report(sources().flat_map(|text| long_lists(&text)).collect());
}

fn long_lists(text: &Text) -> Vec<String> {
    let tokens = tokens(text);
    let mut faults = Vec::new();
    for (at, three) in tokens.windows(3).enumerate() {
        let [(_, "fn"), (line, name), (_, "(" | "<")] = three else { continue };
        let list = after_generics(&tokens[at + 2..]);
        let count = parameters(list);
        if count > PARAMETERS {
            let mend = "give what belongs together a struct with a name";
            faults.push(format!("{}:{line}: {name} takes {count} things -> {mend}", text.path));
        }
    }
    faults
}

fn after_generics<'a>(tokens: &'a [(usize, &'a str)]) -> &'a [(usize, &'a str)] {
    let mut depth = 0;
    for (at, (_, token)) in tokens.iter().enumerate() {
        match *token {
            "<" => depth += 1,
            ">" => depth -= 1,
            "(" if depth == 0 => return &tokens[at..],
            _ => {}
        }
    }
    &[]
}

/// The commas of the outermost list, but for one at its end; `self` is taken off.
fn parameters(list: &[(usize, &str)]) -> usize {
    let (mut depth, mut count, mut filled, mut has_self) = (0, 0, false, false);
    for (_, token) in list {
        match *token {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" => depth -= 1,
            "," if depth == 1 => {
                count += 1;
                filled = false;
                continue;
            }
            "self" if depth == 1 && count == 0 => has_self = true,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        filled |= is_word(token);
    }
    count + usize::from(filled) - usize::from(has_self)
}

/// What stands in front of the name of an item.
const KINDS: [&str; 7] = ["fn", "const", "static", "struct", "enum", "trait", "type"];

#[test]
fn what_is_public_is_used_by_the_program() {
    let used = |text: &Text| ["src/", "benches/", "deb/"].iter().any(|f| text.path.starts_with(f));
    let texts: Vec<Text> = sources().filter(used).collect();
    report(unused(&texts));
}

/// Public items of src/ whose name stands nowhere but where it is given.
fn unused(texts: &[Text]) -> Vec<String> {
    let (mut times, mut public) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for text in texts {
        let tokens = tokens(text);
        for (_, word) in tokens.iter().filter(|(_, token)| is_word(token)) {
            *times.entry(word).or_default() += 1;
        }
        for (at, (_, token)) in tokens.iter().enumerate() {
            if *token != "pub" || !text.path.starts_with("src/") {
                continue;
            }
            // `pub const fn` and the like: the word in front of `fn` is no kind of its own
            let is_fn = tokens.get(at + 2).is_some_and(|(_, token)| *token == "fn");
            let from = at + 1 + usize::from(is_fn);
            if let Some([(_, kind), (line, name)]) = tokens.get(from..from + 2)
                && KINDS.contains(kind)
            {
                public.push((text, *line, *name));
            }
        }
    }
    let dead = public.into_iter().filter(|(_, _, name)| times[name] == 1);
    let shown = |(text, line, name): (&Text, usize, &str)| {
        let mend = "delete it; what only tests need belongs to the tests";
        format!("{}:{line}: nothing uses {name} -> {mend}", text.path)
    };
    dead.map(shown).collect()
}

fn made_up(content: &str) -> Text {
    Text { path: "src/a.rs".into(), content: content.into() }
}

#[test]
fn a_list_that_is_too_long_is_found() {
    for (content, count) in [
        ("fn f() {}", 0),
        ("fn f(&mut self, a: u8,) {}", 1),
        ("fn f<F: Fn(u8, u8) -> u8>(a: F, b: [u8; 2], c: (u8, u8), d: &'a str) {}", 4),
        ("fn f(a: M<u8, u8>, b: impl Fn(u8) -> M<u8, u8>, c: u8, d: u8, e: u8) {}", 5),
    ] {
        let text = made_up(content);
        let tokens = tokens(&text);
        assert_eq!(parameters(after_generics(&tokens[2..])), count, "{content}");
        assert!(long_lists(&text).is_empty());
    }
    let text = made_up("impl A {\n    fn f(self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}\n}");
    assert!(long_lists(&text)[0].starts_with("src/a.rs:2: f takes 6 things"));
}

#[test]
fn a_public_item_that_nothing_uses_is_found() {
    let text = made_up(
        "pub fn a() { b() }\npub const fn b() {}\npub struct C;\npub const D: u8 = 0;\n\
         fn e() { a() }\n// C, D\n#[cfg(test)]\nmod tests { fn f() { D } }",
    );
    let found: Vec<String> = unused(&[text]).into_iter().map(|fault| fault[..30].into()).collect();
    assert_eq!(found, ["src/a.rs:3: nothing uses C -> ", "src/a.rs:4: nothing uses D -> "]);
}
