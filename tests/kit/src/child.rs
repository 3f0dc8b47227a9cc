//! Child processes to be killed: a test binary starts itself and runs one ignored function only.
//!
//! The function is marked as ignored, with "child process of ..." as the reason, so that it never
//! counts as a passed test. It reads its [`words`] and does the work that is to be interrupted.

use std::env;
use std::fmt::Display;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The variable that passes the words from the test to its child process.
const VARIABLE: &str = "KILLED_CHILD";

/// Starts the ignored function at this path (`module::function`) as a process of its own.
pub fn start(function: &str, words: &[&dyn Display]) -> Child {
    let words: Vec<String> = words.iter().map(ToString::to_string).collect();
    Command::new(env::current_exe().expect("this binary has a path"))
        .args(["--exact", function, "--ignored", "--nocapture"])
        .env(VARIABLE, words.join("|"))
        .stdout(Stdio::null())
        .spawn()
        .expect("this binary can be started again")
}

/// The words that the child process was given; `None` if this process was not started by [`start`].
pub fn words<const COUNT: usize>() -> Option<[String; COUNT]> {
    let words = env::var(VARIABLE).ok()?;
    let words: Vec<String> = words.split('|').map(str::to_string).collect();
    Some(words.try_into().expect("as many words as the function takes"))
}

/// Kills the process after `time`; true if it had ended before that, without an error.
pub fn ended_within(mut child: Child, time: Duration) -> bool {
    let end = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            assert!(status.success(), "the child process ended with {status}");
            return true;
        }
        if Instant::now() > end {
            child.kill().expect("it runs");
            child.wait().expect("it was killed");
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
