//! Processes to be killed: a test binary starts itself again and runs one ignored function only.
//!
//! Such a function is marked as ignored, with "child process of ..." as the reason, so that it
//! never counts as a test that passed. It takes its [`words`] and does what is to be interrupted.

use std::env;
use std::fmt::Display;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Carries the words from the test to its child process.
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

/// In the child process: the words it was given; `None` if it was not [`start`] that ran it.
pub fn words<const COUNT: usize>() -> Option<[String; COUNT]> {
    let words = env::var(VARIABLE).ok()?;
    let words: Vec<String> = words.split('|').map(str::to_string).collect();
    Some(words.try_into().expect("as many words as the function takes"))
}

/// Kills the process after this time; true if it had come to its end before, without an error.
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
