//! The layers of a configuration, each overriding the ones before: file, environment, flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::settings::{Flags, NAMES, nearest};
use crate::error::{Error, Result};

/// The file that is read, if it exists, when no other file is named.
pub const DEFAULT_FILE: &str = "/etc/hekte/hekte.toml";

/// Settings that are lists: an array in a file, separated by commas in a variable.
const LISTS: &[&str] = &["listen"];

/// Variables that are not settings of the file.
const EXTRA_VARIABLES: &[&str] = &["config", "rpc_password"];

/// Where a value came from; a later variant overrides an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// No layer set it.
    Default,
    /// The configuration file.
    File { path: PathBuf, line: usize },
    /// This variable of the environment.
    Variable(String),
    /// This flag.
    Flag(String),
}

impl Source {
    /// The rank of the layer: 0 for defaults up to 3 for flags; a higher one overrides a lower one.
    pub fn rank(&self) -> u8 {
        match self {
            Source::Default => 0,
            Source::File { .. } => 1,
            Source::Variable(_) => 2,
            Source::Flag(_) => 3,
        }
    }

    /// An error about a value from this source: `Usage` for a flag, `Config` for the rest.
    pub fn error(&self, text: impl fmt::Display) -> Error {
        match self {
            Source::Flag(_) => Error::Usage(format!("{self}: {text}")),
            _ => Error::Config(format!("{self}: {text}")),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => write!(f, "default"),
            Source::File { path, line } => write!(f, "{} line {line}", path.display()),
            Source::Variable(name) => write!(f, "environment variable {name}"),
            Source::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// The value of each setting, unparsed, from the layer that overrides the others.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    given: BTreeMap<&'static str, (Vec<String>, Source)>,
    /// The password from `HEKTE_RPC_PASSWORD`.
    pub password: Option<String>,
}

impl Layers {
    /// Reads all layers; `file` is the file that `--config` named.
    ///
    /// Errors: a file that cannot be read or is no TOML, a key or variable that does not exist
    /// (with its line and the nearest name), a value of the wrong shape.
    pub fn collect(
        flags: &Flags,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Layers> {
        let variables = variables(environment)?;
        let mut layers = Layers::default();
        let named = file.map(Path::to_path_buf);
        let named = named.or_else(|| variables.get("config").map(PathBuf::from));
        if let Some(path) = named {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Error::NoInput(format!("cannot read configuration {}: {error}", path.display()))
            })?;
            layers.add_file(&path, &text)?;
        } else if let Some(text) = default_file()? {
            layers.add_file(Path::new(DEFAULT_FILE), &text)?;
        }
        layers.password = variables.get("rpc_password").cloned();
        for (&name, value) in variables.iter().filter(|(name, _)| NAMES.contains(name)) {
            let source = Source::Variable(variable(name));
            let list = LISTS.contains(&name);
            let parts = |value: &str| value.split(',').map(|part| part.trim().into()).collect();
            let values = if list { parts(value) } else { vec![value.clone()] };
            layers.given.insert(name, (values, source));
        }
        for (name, values) in flags.given().into_iter().filter(|(_, values)| !values.is_empty()) {
            let source = Source::Flag(format!("--{}", name.replace('_', "-")));
            layers.given.insert(name, (values.to_vec(), source));
        }
        Ok(layers)
    }

    /// Where the setting's value comes from.
    pub fn source(&self, name: &str) -> &Source {
        self.given.get(name).map_or(&Source::Default, |(_, source)| source)
    }

    /// The setting as it was given; empty if nobody set it.
    pub fn raw(&self, name: &str) -> &[String] {
        self.given.get(name).map_or(&[], |(values, _)| values.as_slice())
    }

    /// The setting, parsed; `None` if nobody set it. If a flag is repeated, its last value is
    /// taken.
    pub fn get<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> std::result::Result<T, String>,
    ) -> Result<Option<T>> {
        debug_assert!(NAMES.contains(&name), "{name}");
        let Some((values, source)) = self.given.get(name) else { return Ok(None) };
        let Some(value) = values.last() else { return Ok(None) };
        parse(value).map(Some).map_err(|text| source.error(format!("{name}: {text}")))
    }

    /// The setting as a list, parsed; empty if nobody set it.
    pub fn list<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> std::result::Result<T, String>,
    ) -> Result<Vec<T>> {
        let Some((values, source)) = self.given.get(name) else { return Ok(Vec::new()) };
        let parsed = values.iter().map(|value| parse(value)).collect::<std::result::Result<_, _>>();
        parsed.map_err(|text| source.error(format!("{name}: {text}")))
    }

    fn add_file(&mut self, path: &Path, text: &str) -> Result<()> {
        let line_of = |position: usize| 1 + text[..position.min(text.len())].matches('\n').count();
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(span.start));
            let path = path.to_path_buf();
            Source::File { path, line }.error(error.message())
        })?;
        for (key, value) in table.get_ref() {
            let line = line_of(key.span().start);
            let source = Source::File { path: path.to_path_buf(), line };
            let typed: &str = key.get_ref();
            let Some(&name) = NAMES.iter().find(|name| **name == typed) else {
                return Err(source.error(unknown("key", typed, nearest(typed, NAMES))));
            };
            let values = plain(name, value.get_ref()).map_err(|text| source.error(text))?;
            self.given.insert(name, (values, source));
        }
        Ok(())
    }
}

/// The text of the default file. The file is optional, but one that exists must be readable.
fn default_file() -> Result<Option<String>> {
    match std::fs::read_to_string(DEFAULT_FILE) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::NoPermission(format!(
            "cannot read configuration {DEFAULT_FILE}: {error} -> run as its owner, or name \
             another file with --config"
        ))),
    }
}

/// A TOML value as the text that a flag would have.
fn plain(name: &str, value: &DeValue<'_>) -> std::result::Result<Vec<String>, String> {
    let single = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.as_str().replace('_', "")),
        DeValue::Boolean(yes) => Ok(if *yes { "yes" } else { "no" }.to_string()),
        _ => Err(format!("{name}: takes text in quotes, a whole number, true or false")),
    };
    match value {
        DeValue::Array(values) if LISTS.contains(&name) => {
            values.iter().map(|value| single(value.get_ref())).collect()
        }
        DeValue::Array(_) => Err(format!("{name}: takes one value, not a list")),
        value => Ok(vec![single(value)?]),
    }
}

/// hekte's variables by setting name; all other variables of the environment are ignored.
fn variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<&'static str, String>> {
    let known: Vec<&'static str> = NAMES.iter().chain(EXTRA_VARIABLES).copied().collect();
    let mut found = BTreeMap::new();
    for (key, value) in environment {
        let Some(key) = key.to_str().filter(|key| key.starts_with("HEKTE_")) else { continue };
        let Some(&name) = known.iter().find(|name| variable(name) == key) else {
            let typed = key.trim_start_matches("HEKTE_");
            let meant = nearest(typed, &known).map(variable);
            return Err(Error::Config(unknown("environment variable", key, meant.as_deref())));
        };
        let text = value.into_string().map_err(|_| {
            Error::Config(format!("environment variable {key}: its value is not UTF-8"))
        })?;
        // container files set variables to nothing when they mean "not set"
        if !text.is_empty() {
            found.insert(name, text);
        }
    }
    Ok(found)
}

fn variable(name: &str) -> String {
    format!("HEKTE_{}", name.to_uppercase())
}

fn unknown(kind: &str, typed: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("unknown {kind} `{typed}` -> did you mean `{meant}`?"),
        None => format!("unknown {kind} `{typed}` -> remove it, or see `hekte --help` for names"),
    }
}
