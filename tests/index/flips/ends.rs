//! How flips may end: right answers, an error, a rebuild; and what else ended is counted as wrong.

use std::env;
use std::fmt;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hekte::error::Error;

use super::btree::Bit;

/// A flip that is not dealt with after this time has led to an endless loop.
const ENDLESS: Duration = Duration::from_secs(120);
/// All flips of the first campaign; the others are smaller in proportion.
const FULL: u64 = 3000;

/// How a flip may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was answered, stored and merged rightly.
    Right,
    /// Questions were refused, and the index was found damaged.
    Refused,
    /// Opening, building or merging found the index damaged, so that it is built anew.
    Rebuilt,
}

/// An end, or what should not have been.
pub type Ended = Result<End, String>;

/// The end of a step that failed: damage is mended by a rebuild, any other error comes again at
/// each start.
pub fn failed(error: &Error) -> Ended {
    match error {
        Error::Damaged(why) if why.contains(".sqlite") && why.contains("--rebuild") => {
            Ok(End::Rebuilt)
        }
        other => Err(format!("ends with {other:?}")),
    }
}

/// The ends of a campaign.
#[derive(Debug, Default)]
pub struct Ends {
    flips: u64,
    right: u64,
    refused: u64,
    rebuilt: u64,
    wrong: Vec<String>,
}

impl Ends {
    fn note(&mut self, bit: &Bit, ended: Ended) {
        self.flips += 1;
        match ended {
            Ok(End::Right) => self.right += 1,
            Ok(End::Refused) => self.refused += 1,
            Ok(End::Rebuilt) => self.rebuilt += 1,
            Err(why) => {
                // at once, since the next flip may end the process
                println!("wrong: {bit}: {why}");
                self.wrong.push(format!("{bit}: {why}"));
            }
        }
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ends { flips, right, refused, rebuilt, wrong } = self;
        let wrong = wrong.len();
        write!(
            f,
            "{flips} flips, {right} right, {refused} refused, {rebuilt} rebuilt, {wrong} wrong"
        )
    }
}

/// How many flips a campaign has of which all of `HEKTE_FLIPS=3000` make `full`, and each test run
/// a few.
pub fn flips_wanted(full: u64, sample: u64) -> u64 {
    let wanted = env::var("HEKTE_FLIPS").ok().map(|text| text.parse::<u64>().unwrap());
    wanted.map_or(sample, |wanted| (wanted * full).div_ceil(FULL))
}

/// Tries `bits` on all cores, and prints what came of them.
pub fn campaign<T>(name: &str, bits: impl Iterator<Item = Bit> + Send, try_out: T) -> Ends
where
    T: Fn(&Bit) -> Ended + Clone + Send + Sync + 'static,
{
    let begun = Instant::now();
    let (bits, ends) = (Mutex::new(bits), Mutex::new(Ends::default()));
    let next = || bits.lock().unwrap().next();
    let work = || {
        while let Some(bit) = next() {
            let ended = try_alone(&bit, &try_out);
            ends.lock().unwrap().note(&bit, ended);
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let ends = ends.into_inner().unwrap();
    println!("{name}: {ends}, {:.1?}", begun.elapsed());
    assert!(ends.wrong.is_empty(), "{name}: {ends}\n{}", ends.wrong.join("\n"));
    ends
}

/// Tries a bit in a thread of its own, which may panic or never end.
fn try_alone<T>(bit: &Bit, try_out: &T) -> Ended
where
    T: Fn(&Bit) -> Ended + Clone + Send + 'static,
{
    let (sender, receiver) = channel();
    let (flip, work) = (bit.clone(), try_out.clone());
    let worker = thread::spawn(move || drop(sender.send(work(&flip))));
    receiver.recv_timeout(ENDLESS).unwrap_or_else(|why| match why {
        RecvTimeoutError::Timeout => Err("endless".into()),
        RecvTimeoutError::Disconnected => Err(format!("panicked: {:?}", panic_of(worker))),
    })
}

fn panic_of(worker: JoinHandle<()>) -> Option<String> {
    let panic = worker.join().err()?;
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()))
}
