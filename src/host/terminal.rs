//! A line at the foot of the terminal that is drawn again and again, above which the log goes on.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard};

use crate::host::lock::lock;

/// Where a terminal does not say.
const COLUMNS: usize = 80;

/// Whether the line stands there.
static DRAWN: Mutex<bool> = Mutex::new(false);

/// Whether stderr is a terminal on which a line can be drawn again.
pub fn can_draw() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    !dumb && io::stderr().is_terminal()
}

/// Characters that fit into a line; one column is left free, lest the cursor jump.
pub fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { COLUMNS - 1 } else { columns - 1 }
}

/// Draws the line, in place of the one before.
pub fn draw(line: &str) {
    let mut drawn = lock(&DRAWN);
    // a terminal that has gone away is no reason to stop
    let _ = io::stderr().write_all(format!("\r{line}\x1b[K").as_bytes());
    *drawn = true;
}

/// Takes the line away; none is drawn while the guard lives.
pub fn wiped() -> MutexGuard<'static, bool> {
    let mut drawn = lock(&DRAWN);
    if std::mem::take(&mut *drawn) {
        let _ = io::stderr().write_all(b"\r\x1b[K");
    }
    drawn
}
