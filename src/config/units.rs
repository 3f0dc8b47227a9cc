//! Values as people write them: sizes, times, yes and no, hex, paths.

use std::path::PathBuf;
use std::time::Duration;

use bitcoin::hex::FromHex;

/// A value, or a text about what is wrong with it.
type Parsed<T> = Result<T, String>;

/// Parses a size in bytes, as "256MiB", "1GiB", "512KiB".
pub fn size(text: &str) -> Parsed<u64> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    with_unit(text, &units)
        .ok_or_else(|| format!("`{text}` is no size -> write it like 256MiB or 1GiB"))
}

/// Parses a time, as "500ms", "20s", "5m", "1h".
pub fn time(text: &str) -> Parsed<Duration> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let millis = with_unit(text, &units);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is no time -> write it like 20s, 5m or 1h"))
}

/// Parses a whole number from 1 to `max`.
pub fn count(max: u32) -> impl Fn(&str) -> Parsed<u32> {
    move |text| match text.trim().parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is not a whole number from 1 to {max}")),
    }
}

/// Parses yes or no in the spellings that files and variables use.
pub fn yes_no(text: &str) -> Parsed<bool> {
    match text.trim().to_lowercase().as_str() {
        "yes" | "true" | "1" | "on" => Ok(true),
        "no" | "false" | "0" | "off" => Ok(false),
        _ => Err(format!("`{text}` is neither yes nor no")),
    }
}

/// Parses hex into bytes.
pub fn hex(text: &str) -> Parsed<Vec<u8>> {
    Vec::from_hex(text.trim()).map_err(|error| format!("`{text}` is not hex: {error}"))
}

/// Parses a path and makes it absolute, so that messages name it in full; a leading ~ is the home
/// folder.
pub fn path(text: &str) -> Parsed<PathBuf> {
    if text.is_empty() {
        return Err("is empty -> give a path".into());
    }
    let below_home = text.strip_prefix("~/").or(if text == "~" { Some("") } else { None });
    match below_home {
        Some(rest) => Ok(home()?.join(rest)),
        None => std::path::absolute(text).map_err(|error| format!("`{text}`: {error}")),
    }
}

/// The home folder of the user that we run as.
pub fn home() -> Parsed<PathBuf> {
    let found = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    found.ok_or_else(|| "this user has no home folder -> give the full path".into())
}

/// Parses a number with one of `units`. The largest result fits an i64, so that a sum of a few
/// cannot overflow.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit = text[digits.len()..].trim();
    let factor = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
    let value = digits.parse::<u64>().ok()?.checked_mul(factor)?;
    (value <= i64::MAX as u64).then_some(value)
}

/// A size in the largest unit that leaves at most one decimal.
pub fn show_size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (name, shift) in units {
        if bytes >= 1 << shift {
            let tenths = (u128::from(bytes) * 10) >> shift;
            let (whole, rest) = (tenths / 10, tenths % 10);
            let rest = if rest == 0 { String::new() } else { format!(".{rest}") };
            return format!("{whole}{rest} {name}");
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn sizes_and_times_want_units() {
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size(" 1 gib "), Ok(1 << 30));
        assert_eq!(time("20s"), Ok(Duration::from_secs(20)));
        assert_eq!(time("2h"), Ok(Duration::from_secs(7200)));
        for bad in ["", "256", "256MB", "MiB", "-1MiB", "1.5GiB", "99999999999TiB", "٣MiB", "5ö"]
        {
            assert!(size(bad).is_err(), "{bad}");
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        assert_eq!(show_size(0), "0 B");
        assert_eq!(show_size(256 << 20), "256 MiB");
        assert_eq!(show_size(1_610_612_736), "1.5 GiB");
        assert_eq!(show_size(u64::MAX), "16777215.9 TiB");
    }

    #[test]
    fn words_and_paths() {
        assert_eq!(yes_no("True"), Ok(true));
        assert!(yes_no("maybe").is_err());
        assert_eq!(hex("5100"), Ok(vec![0x51, 0]));
        assert!(hex("5").is_err());
        assert_eq!(path("/x/~y"), Ok(PathBuf::from("/x/~y")));
        assert_eq!(path("~/a"), Ok(home().unwrap().join("a")));
        assert!(count(5)("6").is_err() && count(5)("0").is_err() && count(5)("5").is_ok());
    }
}
