//! A line at the foot of the terminal that is redrawn in place, while log lines appear above it.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard};

use crate::host::lock::lock;

/// The width that is assumed where a terminal does not report one.
const COLUMNS: usize = 80;

/// Whether the line is drawn now.
static DRAWN: Mutex<bool> = Mutex::new(false);

/// Whether stderr is a terminal on which a line can be redrawn.
pub fn can_draw() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    !dumb && io::stderr().is_terminal()
}

/// The number of characters that fit into the line; one column stays free so that the cursor does
/// not wrap.
pub fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { COLUMNS - 1 } else { columns - 1 }
}

/// Draws the line in place of the previous one.
pub fn draw(line: &str) {
    let mut drawn = lock(&DRAWN);
    // hekte goes on when its terminal is gone
    let _ = io::stderr().write_all(format!("\r{line}\x1b[K").as_bytes());
    *drawn = true;
}

/// Removes the line; none is drawn while the returned guard lives.
pub fn wiped() -> MutexGuard<'static, bool> {
    let mut drawn = lock(&DRAWN);
    if std::mem::take(&mut *drawn) {
        let _ = io::stderr().write_all(b"\r\x1b[K");
    }
    drawn
}
