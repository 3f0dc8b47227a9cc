//! Progress in words: one line for systemd and the log, a bar on a terminal.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::info;

use crate::host::terminal;
use crate::live::progress::{Progress, ProgressReport, Stage};

/// How often a line goes to the log during a build.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// The pace is measured over this time: while a batch is stored nothing may be read for minutes.
const PACE_WINDOW: Duration = Duration::from_secs(300);
/// How often the counters are noted for the pace.
const PACE_EVERY: Duration = Duration::from_secs(1);
/// A rate is shown only after it was measured for this time.
const RATE_AFTER: Duration = Duration::from_secs(3);
/// The time left is shown only after this time, and after `LEFT_AFTER_PART` of the stage: the
/// oldest blocks are small and say little of the others.
const LEFT_AFTER: Duration = Duration::from_secs(10);
/// The part of the stage that must be done before the time left is shown.
const LEFT_AFTER_PART: f64 = 0.0005;
/// Cells of the bar, if the terminal is wide enough.
const BAR_CELLS: usize = 30;

/// The counters at one time.
#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    fraction: f64,
    bytes: u64,
}

/// Watches how far a build is, and puts it into words.
pub struct ProgressLines {
    progress: Arc<Progress>,
    terminal: bool,
    last_log: Instant,
    /// The counters noted during the present stage, oldest first.
    seen: VecDeque<Seen>,
    stage: Stage,
}

impl ProgressLines {
    /// Watches `progress`. With `terminal`, a bar on stderr takes the place of the lines in the
    /// log.
    pub fn new(progress: Arc<Progress>, terminal: bool) -> ProgressLines {
        let (stage, now) = (Stage::Waiting, Instant::now());
        ProgressLines { progress, terminal, last_log: now, seen: VecDeque::new(), stage }
    }

    /// Looks at the counters, shows bar or line where one is due, and returns the line for systemd.
    pub fn tick(&mut self) -> String {
        let stage = self.progress.stage();
        let new = stage != self.stage;
        if new {
            self.stage = stage;
            self.seen.clear();
        }
        self.measure();
        // no served tip is passed, so that the line shows the counters, also while serving
        let report = self.progress.report(None);
        let line = line(&report);
        if !is_build(stage) {
            drop(terminal::wiped());
        } else if self.terminal {
            terminal::draw(&bar(report.percent, &line, terminal::width()));
        } else if new || self.last_log.elapsed() >= LOG_EVERY {
            info!("{line}");
            self.last_log = Instant::now();
        }
        line
    }

    /// Works out pace and time left, and puts them where other parts read them.
    fn measure(&mut self) {
        let now = Seen {
            at: Instant::now(),
            fraction: self.progress.fraction(),
            bytes: self.progress.bytes.load(Ordering::Relaxed),
        };
        let since = |seen: &Seen| now.at.duration_since(seen.at);
        if self.seen.back().is_none_or(|last| since(last) >= PACE_EVERY) {
            self.seen.push_back(now);
        }
        while self.seen.front().is_some_and(|first| since(first) > PACE_WINDOW) {
            self.seen.pop_front();
        }
        let Some(first) = self.seen.front() else { return };
        let rate = Some(pace(*first, now).0).filter(|_| self.stage == Stage::Reading).flatten();
        let left = pace(*first, now).1.filter(|_| is_build(self.stage));
        self.progress.bytes_per_second.set(rate);
        self.progress.seconds_left.set(left);
    }
}

impl Drop for ProgressLines {
    fn drop(&mut self) {
        drop(terminal::wiped());
    }
}

fn is_build(stage: Stage) -> bool {
    matches!(stage, Stage::Scanning | Stage::Reading | Stage::Merging)
}

/// Bytes per second between two times, and how many more seconds the stage takes at that pace. Each
/// is `None` until enough was measured.
fn pace(first: Seen, now: Seen) -> (Option<u64>, Option<u64>) {
    let time = now.at.duration_since(first.at);
    let bytes = now.bytes.saturating_sub(first.bytes) as f64;
    let rate = (time >= RATE_AFTER).then(|| (bytes / time.as_secs_f64()) as u64);
    let done = now.fraction - first.fraction;
    let left = (time >= LEFT_AFTER && done >= LEFT_AFTER_PART)
        .then(|| ((1.0 - now.fraction).max(0.0) / done * time.as_secs_f64()) as u64);
    (rate, left)
}

/// The line: stage, percent, rate, time left, and last the height, where dashboards look for it.
fn line(report: &ProgressReport) -> String {
    let mut line = report.stage.name().to_string();
    if is_build(report.stage) {
        line += &format!(" {:.1} %", report.percent);
    }
    if let Some(rate) = report.bytes_per_second {
        line += &format!(", {:.1} MiB/s", rate as f64 / f64::from(1 << 20));
    }
    if let Some(left) = report.seconds_left {
        line += &format!(", {} left", show_time(left));
    }
    if let Some(trouble) = &report.trouble {
        line += &format!(", {trouble}");
    }
    format!("{line}, height={}", report.height)
}

/// The line with a bar in front; never wider than the terminal, or it would be drawn below itself.
fn bar(percent: f64, line: &str, width: usize) -> String {
    let cells = BAR_CELLS.min(width.saturating_sub(line.len() + 3));
    let filled = (percent / 100.0 * cells as f64) as usize;
    let all = match cells {
        0..5 => line.to_string(),
        _ => format!("[{}{}] {line}", "#".repeat(filled), "-".repeat(cells - filled.min(cells))),
    };
    all.chars().take(width).collect()
}

fn show_time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64, fraction: f64) -> (Option<u64>, Option<u64>) {
        let first = Seen { at: Instant::now(), fraction: 0.2, bytes: 1000 };
        let at = first.at + Duration::from_secs(seconds);
        let bytes = 1000 + (fraction * 1e6) as u64;
        pace(first, Seen { at, fraction, bytes })
    }

    #[test]
    fn nothing_is_told_before_it_can_be_known() {
        assert_eq!(after(2, 0.3), (None, None));
        assert_eq!(after(4, 0.4), (Some(100_000), None));
        assert_eq!(after(9, 0.2001).1, None);
        assert_eq!(after(60, 0.2001).1, None, "too small a part");
        assert_eq!(after(20, 0.6), (Some(30_000), Some(20)));
        assert_eq!(after(20, 1.0).1, Some(0));
    }

    #[test]
    fn a_bar_fits_the_terminal() {
        let line = "reading blocks 50.0 %, height=7";
        assert_eq!(bar(50.0, line, 44), format!("[#####-----] {line}"));
        let cells = "#".repeat(15) + &"-".repeat(15);
        assert_eq!(bar(50.0, line, 200), format!("[{cells}] {line}"));
        assert_eq!(bar(100.0, line, 38), line);
        assert_eq!(bar(50.0, line, 9), "reading b");
        for width in 0..100 {
            assert!(bar(100.0, line, width).len() <= width);
        }
    }
}
