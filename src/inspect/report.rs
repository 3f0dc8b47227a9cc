//! Progress in words: one line for systemd and the log, a bar on a terminal.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::info;

use crate::live::progress::{Progress, Stage};

/// How often a line goes to the log during a build.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// The rate is measured over so many ticks.
const RATE_TICKS: usize = 30;
/// Cells of the bar.
const BAR_CELLS: usize = 30;

/// Watches a build.
pub struct Reporter {
    progress: Arc<Progress>,
    terminal: bool,
    last_log: Instant,
    /// Moments, and the fraction and bytes done then.
    seen: VecDeque<(Instant, f64, u64)>,
    stage: Stage,
}

impl Reporter {
    /// `terminal`: draw a bar on stderr.
    pub fn new(progress: Arc<Progress>, terminal: bool) -> Reporter {
        let (stage, now) = (Stage::Waiting, Instant::now());
        Reporter { progress, terminal, last_log: now, seen: VecDeque::new(), stage }
    }

    /// Looks at the counters; the line for systemd comes back.
    pub fn tick(&mut self) -> String {
        let (stage, _) = self.progress.stage();
        if stage != self.stage {
            if self.terminal && self.stage == Stage::Merging {
                eprintln!();
            }
            self.stage = stage;
            self.seen.clear();
        }
        let bytes = self.progress.bytes.load(Ordering::Relaxed);
        self.seen.push_back((Instant::now(), self.progress.fraction(), bytes));
        if self.seen.len() > RATE_TICKS {
            self.seen.pop_front();
        }
        let line = self.line(stage);
        let building = matches!(stage, Stage::Reading | Stage::Merging);
        if building && self.terminal {
            self.draw(&line);
        } else if building && self.last_log.elapsed() >= LOG_EVERY {
            info!("{line}");
            self.last_log = Instant::now();
        }
        line
    }

    /// Stage, percent, rate, time left, and the height last, where dashboards look for it.
    fn line(&self, stage: Stage) -> String {
        let height = self.progress.blocks.load(Ordering::Relaxed).saturating_sub(1);
        let mut line = stage.name().to_string();
        if matches!(stage, Stage::Reading | Stage::Merging) {
            line += &format!(" {:.1} %", self.progress.fraction() * 100.0);
            if let Some((per_second, left)) = self.rate() {
                if stage == Stage::Reading {
                    line += &format!(", {:.1} MiB/s", per_second / f64::from(1 << 20));
                }
                line += &format!(", {} left", show_time(left));
            }
        }
        if let Some(trouble) = self.progress.trouble() {
            line += &format!(", {trouble}");
        }
        format!("{line}, height={height}")
    }

    /// Bytes per second lately, and how long the stage will take at that pace.
    fn rate(&self) -> Option<(f64, Duration)> {
        let (first, last) = (self.seen.front()?, self.seen.back()?);
        let seconds = last.0.duration_since(first.0).as_secs_f64();
        let done = last.1 - first.1;
        if seconds < 0.5 || done <= 0.0 {
            return None;
        }
        let left = (1.0 - last.1).max(0.0) / done * seconds;
        let bytes = last.2.saturating_sub(first.2) as f64 / seconds;
        Some((bytes, Duration::try_from_secs_f64(left).ok()?))
    }

    fn draw(&self, line: &str) {
        let filled = (self.progress.fraction() * BAR_CELLS as f64) as usize;
        let bar =
            "#".repeat(filled.min(BAR_CELLS)) + &"-".repeat(BAR_CELLS - filled.min(BAR_CELLS));
        let mut out = std::io::stderr();
        // a terminal that has gone away is no reason to stop
        let _ = write!(out, "\r[{bar}] {line}\x1b[K").and_then(|()| out.flush());
    }
}

fn show_time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
