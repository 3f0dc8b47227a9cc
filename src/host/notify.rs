//! Messages to systemd: ready, status, watchdog, stopping; nothing is sent without systemd.

use std::time::Duration;

use sd_notify::NotifyState;

/// The service accepts connections; units that wait for a Type=notify unit are started now.
pub fn ready() {
    send(&[NotifyState::Ready]);
}

/// The line that `systemctl status` shows; line breaks become spaces.
pub fn status(text: &str) {
    send(&[NotifyState::Status(&text.replace('\n', " "))]);
}

/// The configuration is being read again; call [`ready`] when done.
pub fn reloading() {
    // systemd needs the clock reading of Type=notify-reload with it; without one it waits for ever
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

/// The service is on its way down.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Asks for this much more time to start or stop, counted from now.
pub fn extend_timeout(by: Duration) {
    let micros = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    send(&[NotifyState::ExtendTimeoutUsec(micros)]);
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

/// Sends a message. If that fails, hekte goes on: systemd's own time limits act on silence.
fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        log::debug!("cannot notify systemd: {error}");
    }
}
