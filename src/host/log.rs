//! Log lines on stderr, plain on a terminal and with a priority in front under journald.
//!
//! journald reads `<N>` at the start of a line as its syslog priority (sd-daemon(3)) and adds time
//! and process itself, so both are left out there.

use std::io::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};
use simplelog::{ConfigBuilder, WriteLogger};

use crate::error::{Error, Result};

use super::terminal;

/// True when systemd connected our stderr to the journal.
pub fn under_journald() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some_and(|stream| !stream.is_empty())
}

/// Starts logging for the whole process; a second call is an error.
pub fn start(level: LevelFilter, timestamps: bool) -> Result<()> {
    let lines = Lines::new(timestamps, under_journald(), io::stderr);
    log::set_boxed_logger(Box::new(lines))
        .map_err(|_| Error::Software("logging was started twice".into()))?;
    set_level(level);
    Ok(())
}

/// From now on logs only lines of this level and more important ones.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// One simplelog writer per level, since the prefix of a line must be known before its text.
struct Lines<W: Write + Send + 'static> {
    by_level: [Box<WriteLogger<Line<W>>>; 5],
}

impl<W: Write + Send + 'static> Lines<W> {
    fn new(timestamps: bool, journald: bool, sink: fn() -> W) -> Lines<W> {
        let mut config = ConfigBuilder::new();
        let off = LevelFilter::Off;
        config.set_thread_level(off).set_target_level(off).set_location_level(off);
        config.set_time_level(if timestamps { LevelFilter::Error } else { off });
        config.set_time_format_rfc3339();
        if journald {
            config.set_max_level(off);
        }
        let config = config.build();
        let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
        let by_level = levels.map(|of| {
            let prefix = if journald { priority(of) } else { "" };
            // lines below the level in force never get here
            WriteLogger::new(LevelFilter::Trace, config.clone(), Line::new(prefix, sink()))
        });
        Lines { by_level }
    }
}

/// The level as the number that syslog(3) gives it.
fn priority(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

impl<W: Write + Send + 'static> Log for Lines<W> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        self.by_level[record.level() as usize - 1].log(record);
    }

    fn flush(&self) {}
}

/// Collects a line and writes it with one call, so that lines of two threads do not mix.
struct Line<W: Write> {
    prefix: &'static str,
    text: Vec<u8>,
    sink: W,
}

impl<W: Write> Line<W> {
    fn new(prefix: &'static str, sink: W) -> Line<W> {
        Line { prefix, text: Vec::new(), sink }
    }
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.is_empty() {
            self.text.extend_from_slice(self.prefix.as_bytes());
        }
        self.text.extend_from_slice(bytes);
        if bytes.ends_with(b"\n") {
            let _room = terminal::wiped();
            let written = self.sink.write_all(&self.text);
            self.text.clear();
            written?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::sync::Mutex;

    use super::*;

    /// What the test's logger wrote, one line per write; only one test uses it.
    static WRITTEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Sink;

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            WRITTEN.lock().unwrap().push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn say(lines: &Lines<Sink>, level: Level, text: &str) -> Vec<String> {
        lines.log(&Record::builder().level(level).args(format_args!("{text}")).build());
        std::mem::take(&mut WRITTEN.lock().unwrap())
    }

    #[test]
    fn one_write_per_line_with_the_right_front() {
        set_level(LevelFilter::Info);
        let journal = Lines::new(false, true, || Sink);
        assert_eq!(say(&journal, Level::Warn, "disk low"), ["<4>disk low\n"]);
        assert!(say(&journal, Level::Debug, "detail").is_empty());
        let plain = Lines::new(false, false, || Sink);
        assert_eq!(say(&plain, Level::Error, "height=5"), ["[ERROR] height=5\n"]);
        let dated = Lines::new(true, false, || Sink);
        let line = say(&dated, Level::Info, "x").remove(0);
        assert!(line.starts_with("20") && line.ends_with(" [INFO] x\n"), "{line}");
    }
}
