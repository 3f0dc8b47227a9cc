//! What systemd is told: ready, status, watchdog, stopping; silence where nobody listens.
//!
//! The notify socket has a short queue: 10 messages (`net.unix.max_dgram_qlen`), unless a booted
//! systemd has raised that to 512; and systemd may be too busy to read it. So no message is sent by
//! a call that waits: a status or a sign of life that does not fit is dropped, since the next one
//! follows within a second. What is said only once, such as "ready", goes to a thread that may wait
//! for room.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use std::{env, io, thread};

use sd_notify::NotifyState;

/// Messages that may wait for room: more are never under way at once.
const WAITING_MAX: usize = 16;

/// The service accepts connections; with a Type=notify unit, whoever waits for us goes on.
pub fn ready() {
    send_surely(&[NotifyState::Ready]);
}

/// The line that `systemctl status` shows; line breaks become spaces.
pub fn status(text: &str) {
    send(&[NotifyState::Status(&text.replace('\n', " "))]);
}

/// The configuration is being read again; call [`ready`] when done.
pub fn reloading() {
    // Type=notify-reload wants the clock reading along with it, or it waits for ever
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send_surely(&[NotifyState::Reloading, now]),
        Err(_) => send_surely(&[NotifyState::Reloading]),
    }
}

/// The service is on its way down.
pub fn stopping() {
    send_surely(&[NotifyState::Stopping]);
}

/// Asks for this much more time to start or stop, counted from now.
pub fn extend_timeout(by: Duration) {
    let micros = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    send_surely(&[NotifyState::ExtendTimeoutUsec(micros)]);
}

/// How often to call [`alive`]: half of the unit's `WatchdogSec=`; `None` without one.
pub fn watchdog_interval() -> Option<Duration> {
    let mut micros = 0;
    let wanted = sd_notify::watchdog_enabled(false, &mut micros) && micros > 0;
    wanted.then(|| Duration::from_micros(micros) / 2)
}

/// Tells the watchdog that the process still makes progress.
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// Sends a message that another one will follow soon; where the queue is full it is dropped.
fn send(states: &[NotifyState<'_>]) {
    note(try_send(&text_of(states), true));
}

/// Sends a message that is said once. Where the queue is full, or an earlier one still waits, a
/// thread of its own waits for room, in the order of the messages.
fn send_surely(states: &[NotifyState<'_>]) {
    let text = text_of(states);
    if WAITING.load(Ordering::Acquire) == 0 {
        match try_send(&text, true) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return note(sent),
        }
    }
    WAITING.fetch_add(1, Ordering::AcqRel);
    if waiting_thread().try_send(text).is_err() {
        WAITING.fetch_sub(1, Ordering::AcqRel);
        log::debug!("cannot notify systemd: too many messages wait");
    }
}

/// Messages that the waiting thread has not sent yet.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The thread that may wait for room, started when it is needed first.
fn waiting_thread() -> &'static SyncSender<String> {
    static SENDER: OnceLock<SyncSender<String>> = OnceLock::new();
    SENDER.get_or_init(|| {
        let (sender, messages) = sync_channel(WAITING_MAX);
        let started = thread::Builder::new().name("notify".into()).spawn(|| send_all(messages));
        if let Err(error) = started {
            log::debug!("cannot notify systemd: {error}");
        }
        sender
    })
}

fn send_all(messages: Receiver<String>) {
    for text in messages {
        note(try_send(&text, false));
        WAITING.fetch_sub(1, Ordering::AcqRel);
    }
}

fn text_of(states: &[NotifyState<'_>]) -> String {
    states.iter().map(|state| format!("{state}\n")).collect()
}

/// Sends one message to the socket that systemd named, if it named one.
fn try_send(text: &str, at_once: bool) -> io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match path.as_encoded_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(&path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(at_once)?;
    socket.send_to_addr(text.as_bytes(), &address).map(|_| ())
}

/// A lost message is not worth stopping for: systemd's own time limits act on silence.
fn note(sent: io::Result<()>) {
    if let Err(error) = sent {
        log::debug!("cannot notify systemd: {error}");
    }
}
