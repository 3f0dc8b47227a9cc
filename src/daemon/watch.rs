//! Reports how far hekte is, and feeds systemd's watchdog while all parts make progress.

use std::time::Duration;

use log::{error, info};

use crate::host::{beat, notify};

use super::progress_lines::ProgressLines;

/// How often, unless the watchdog must be fed more often.
const TICK: Duration = Duration::from_secs(1);

/// Reports until it is dropped. While a part is overdue, the watchdog is not fed: only a restart
/// helps then, and systemd does that.
pub async fn report(mut lines: ProgressLines) {
    let interval = notify::watchdog_interval().map_or(TICK, |half| half.min(TICK));
    let mut tick = tokio::time::interval(interval);
    let mut stuck: Option<String> = None;
    loop {
        tick.tick().await;
        let line = lines.tick();
        match (beat::overdue(), &stuck) {
            (None, None) => {
                notify::alive();
                notify::status(&line);
            }
            (None, Some(who)) => {
                info!("{who}: going on");
                stuck = None;
            }
            (Some((who, _)), None) => {
                error!("{who}: no progress; systemd's watchdog, if it is on, restarts hekte");
                notify::status(&format!("hangs: {who}, {line}"));
                stuck = Some(who);
            }
            (Some(_), Some(_)) => {}
        }
    }
}
