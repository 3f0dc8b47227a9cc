//! Histograms of durations: counts by bucket, for each of a few names.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets in microseconds; one more bucket counts everything above.
pub const BOUNDS_MICROS: [u64; 10] =
    [200, 1_000, 5_000, 20_000, 100_000, 500_000, 1_000_000, 5_000_000, 20_000_000, 60_000_000];

/// The most names that are told apart; durations of further names count under the last one.
const NAMES_MAX: usize = 48;

/// A histogram of durations of one kind.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    micros: AtomicU64,
}

impl Histogram {
    const fn new() -> Histogram {
        Histogram {
            buckets: [const { AtomicU64::new(0) }; BOUNDS_MICROS.len() + 1],
            micros: AtomicU64::new(0),
        }
    }

    fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// For each bound, the number of durations up to it, shorter ones included; the last entry
    /// counts all.
    pub fn cumulative(&self) -> [u64; BOUNDS_MICROS.len() + 1] {
        let mut sum = 0;
        std::array::from_fn(|i| {
            sum += self.buckets[i].load(Ordering::Relaxed);
            sum
        })
    }

    /// The sum of all durations in seconds.
    pub fn seconds(&self) -> f64 {
        self.micros.load(Ordering::Relaxed) as f64 / 1e6
    }
}

/// A histogram for each name.
#[derive(Debug)]
pub struct Timings {
    names: [OnceLock<&'static str>; NAMES_MAX],
    histograms: [Histogram; NAMES_MAX],
}

impl Timings {
    /// Timings without names yet.
    pub const fn new() -> Timings {
        Timings {
            names: [const { OnceLock::new() }; NAMES_MAX],
            histograms: [const { Histogram::new() }; NAMES_MAX],
        }
    }

    /// Counts a duration under `name`.
    pub fn add(&self, name: &'static str, took: Duration) {
        let place = self.names.iter().position(|known| *known.get_or_init(|| name) == name);
        self.histograms[place.unwrap_or(NAMES_MAX - 1)].add(took);
    }

    /// The names counted so far, with their histograms.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Histogram)> {
        let names = self.names.iter().map_while(|name| name.get().copied());
        names.zip(&self.histograms)
    }
}

impl Default for Timings {
    fn default() -> Timings {
        Timings::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_own_counts() {
        let timings = Timings::new();
        for (name, micros) in [("a", 200), ("b", 201), ("a", 90_000_000), ("a", 0)] {
            timings.add(name, Duration::from_micros(micros));
        }
        let counts: Vec<_> =
            timings.all().map(|(name, counts)| (name, counts.cumulative())).collect();
        assert_eq!(counts[0], ("a", [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3]));
        assert_eq!(counts[1], ("b", [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
        assert_eq!(counts.len(), 2);
        assert!((timings.histograms[0].seconds() - 90.0002).abs() < 1e-9);
    }

    #[test]
    fn more_names_than_places_are_still_counted() {
        const NAMES: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let timings = Timings::new();
        (0..NAMES.len()).for_each(|i| timings.add(&NAMES[i..=i], Duration::ZERO));
        let counted: u64 = timings.all().map(|(_, counts)| counts.cumulative()[10]).sum();
        assert_eq!(counted, NAMES.len() as u64);
    }
}
