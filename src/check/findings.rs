//! Findings, and how they are shown: as lines for people, as JSON for dashboards.

use std::fmt::{self, Write};

use crate::error::Error;

/// The level of a finding; an error carries the exit code that `hekte run` would end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All is well.
    Ok,
    /// hekte works, with a drawback.
    Warning,
    /// hekte would not work.
    Error(u8),
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The level of the finding.
    pub level: Level,
    /// What was checked, in a word or two.
    pub what: &'static str,
    /// What was found.
    pub finding: String,
    /// What to do about it.
    pub to_do: Option<String>,
}

/// All findings, in the order in which they matter.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The findings.
    pub list: Vec<Finding>,
}

impl Findings {
    /// Adds a finding that all is well.
    pub fn ok(&mut self, what: &'static str, finding: impl Into<String>) {
        self.add(Level::Ok, what, finding.into());
    }

    /// Adds a drawback; the text after " -> " says what to do about it.
    pub fn warning(&mut self, what: &'static str, finding: impl Into<String>) {
        self.add(Level::Warning, what, finding.into());
    }

    /// Adds an error that would stop hekte; its text after " -> " says what to do about it.
    pub fn error(&mut self, what: &'static str, error: &Error) {
        self.add(Level::Error(error.code()), what, error.to_string());
    }

    /// Adds the findings of another report at the end.
    pub fn append(&mut self, mut other: Findings) {
        self.list.append(&mut other.list);
    }

    /// 0, or the exit code of the first error.
    pub fn code(&self) -> u8 {
        let codes = self.list.iter().map(|finding| match finding.level {
            Level::Error(code) => code,
            _ => 0,
        });
        codes.into_iter().find(|code| *code != 0).unwrap_or(0)
    }

    /// One JSON object on one line: `ok`, `code`, `version` and `findings`, each with `level`,
    /// `what`, `finding` and `to_do` (text or null).
    pub fn json(&self) -> String {
        // written by hand, since serde_json belongs to the wire and to bitcoind's RPC
        let findings: Vec<String> = self.list.iter().map(Finding::json).collect();
        let code = self.code();
        format!(
            "{{\"ok\":{},\"code\":{code},\"version\":\"{}\",\"findings\":[{}]}}",
            code == 0,
            env!("CARGO_PKG_VERSION"),
            findings.join(",")
        )
    }

    fn add(&mut self, level: Level, what: &'static str, text: String) {
        let (finding, to_do) = match text.split_once(" -> ") {
            Some((finding, to_do)) => (finding.to_string(), Some(to_do.to_string())),
            None => (text, None),
        };
        self.list.push(Finding { level, what, finding, to_do });
    }
}

impl Finding {
    fn json(&self) -> String {
        let to_do = self.to_do.as_deref().map_or("null".into(), quoted);
        format!(
            "{{\"level\":\"{}\",\"what\":{},\"finding\":{},\"to_do\":{to_do}}}",
            self.level,
            quoted(self.what),
            quoted(&self.finding),
        )
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error(_) => "error",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7}  {}: {}", self.level, self.what, self.finding)?;
        match &self.to_do {
            Some(to_do) => write!(f, " -> {to_do}"),
            None => Ok(()),
        }
    }
}

/// Writes the findings, each as a line with its line break.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}

/// The text as a JSON string (RFC 8259, section 7).
fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => {
                // writing to a String cannot fail
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_json_and_code() {
        let mut findings = Findings::default();
        findings.ok("blocks", "3 files");
        assert_eq!(findings.code(), 0);
        findings.warning("clock", "odd -> set it");
        findings.error("disk", &Error::Io("full: \"x\"\n -> free some -> now".into()));
        findings.error("rpc", &Error::Unavailable("down".into()));
        assert_eq!(findings.code(), 74);
        let text = findings.to_string();
        assert!(text.starts_with("ok       blocks: 3 files\nwarning  clock: odd -> set it\n"));
        let json = "{\"level\":\"error\",\"what\":\"disk\",\"finding\":\"full: \\\"x\\\"\\u000a\",\
                    \"to_do\":\"free some -> now\"}";
        assert!(findings.json().contains(json), "{}", findings.json());
        assert!(findings.json().starts_with("{\"ok\":false,\"code\":74,\"version\":\""));
    }
}
