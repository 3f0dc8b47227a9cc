//! Rust cut into words and signs, for the rules that look further than one line.

use crate::texts::Text;

/// Words, numbers and signs, each with its line; comments, strings and test code are left out.
pub fn tokens(text: &Text) -> Vec<(usize, &str)> {
    without_tests(all_tokens(&text.content))
}

/// True for words: keywords, names and numbers.
pub fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn all_tokens(content: &str) -> Vec<(usize, &str)> {
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while let Some(first) = content[at..].chars().next() {
        let rest = &content[at..];
        let (length, is_code) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |n| n + 2), false),
            '"' => (quoted(rest), false),
            'r' | 'b' if string_prefix(rest).is_some() => {
                let prefix = string_prefix(rest).unwrap_or_default();
                (string_after(rest, prefix), false)
            }
            '\'' => (character(rest), false),
            c if c.is_whitespace() => (c.len_utf8(), false),
            c if c.is_alphanumeric() || c == '_' => (
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len()),
                true,
            ),
            _ if ["::", "->", "=>"].iter().any(|sign| rest.starts_with(sign)) => (2, true),
            c => (c.len_utf8(), true),
        };
        if is_code {
            found.push((line, &rest[..length]));
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    found
}

/// The length of a string that begins here, both quotes counted.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r`, `b` or `br` and the `#`s in front of a string's first quote; `None` if this is no string.
fn string_prefix(rest: &str) -> Option<&str> {
    let letters = ["br", "r", "b"].into_iter().find(|letters| rest.starts_with(letters))?;
    let marks = rest[letters.len()..].chars().take_while(|c| *c == '#').count();
    let prefix = &rest[..letters.len() + marks];
    (rest[prefix.len()..].starts_with('"') && (marks == 0 || prefix.contains('r')))
        .then_some(prefix)
}

fn string_after(rest: &str, prefix: &str) -> usize {
    if !prefix.contains('r') {
        return prefix.len() + quoted(&rest[prefix.len()..]);
    }
    let end = format!("\"{}", "#".repeat(prefix.matches('#').count()));
    let inner = prefix.len() + 1;
    rest[inner..].find(&end).map_or(rest.len(), |at| inner + at + end.len())
}

/// The length of a character in quotes; one for the quote in front of a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, c))) => {
            let from = at + c.len_utf8();
            rest[from..].find('\'').map_or(rest.len(), |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// Takes out every item that is marked `#[cfg(test)]`.
fn without_tests(tokens: Vec<(usize, &str)>) -> Vec<(usize, &str)> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let marked = tokens[at..].iter().map(|(_, token)| *token).take(MARK.len()).eq(MARK);
        if !marked {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        let mut depth = 0;
        at += MARK.len();
        while let Some((_, token)) = tokens.get(at) {
            at += 1;
            match *token {
                "{" => depth += 1,
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

#[test]
fn only_code_is_left() {
    let text = Text {
        path: "a.rs".into(),
        content:
            "fn a<'x>() -> u8 { /* b */ \"c\\\"d\"; r#\"e\"f\"#; b\"g\"; '\"'; '\\''; 'h'; h::i }\n\
                  // j\n#[cfg(test)]\nmod k { fn l() {} }\n#[cfg(test)]\nuse m::n;\nfn o() {}\n"
                .into(),
    };
    let words: Vec<_> = tokens(&text).into_iter().filter(|(_, token)| is_word(token)).collect();
    let at = |line: usize, words: &[&'static str]| -> Vec<(usize, &str)> {
        words.iter().map(|word| (line, *word)).collect()
    };
    assert_eq!(words, [at(1, &["fn", "a", "x", "u8", "h", "i"]), at(7, &["fn", "o"])].concat());
}
