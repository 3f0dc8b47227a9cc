//! The text that Prometheus reads: families of samples, one line each (exposition format 0.0.4).

use std::fmt::{Display, Write};

use super::histogram::{BOUNDS_MICROS, Timings};

/// A page that is being written, sample by sample.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// Begins a family; the lines of its samples follow.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// Adds a number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.line(format_args!("{name} {value}"));
    }

    /// Adds a number that only goes up; its name ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        self.line(format_args!("{name} {value}"));
    }

    /// Adds a number for each value of a label. hekte chooses the values, so they need no escaping.
    pub fn gauges<V: Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        self.family(name, "gauge", help);
        for (key, value) in values {
            self.line(format_args!("{name}{{{label}=\"{key}\"}} {value}"));
        }
    }

    /// Adds a histogram for each name.
    pub fn timings(&mut self, name: &str, help: &str, label: &str, timings: &Timings) {
        self.family(name, "histogram", help);
        for (key, histogram) in timings.all() {
            let counts = histogram.cumulative();
            for (bound, count) in BOUNDS_MICROS.iter().zip(counts) {
                let le = *bound as f64 / 1e6;
                self.line(format_args!("{name}_bucket{{{label}=\"{key}\",le=\"{le}\"}} {count}"));
            }
            let all = counts[counts.len() - 1];
            self.line(format_args!("{name}_bucket{{{label}=\"{key}\",le=\"+Inf\"}} {all}"));
            self.line(format_args!("{name}_sum{{{label}=\"{key}\"}} {}", histogram.seconds()));
            self.line(format_args!("{name}_count{{{label}=\"{key}\"}} {all}"));
        }
    }

    /// The finished page.
    pub fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // writing to a String cannot fail
        let _ = writeln!(self.0, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn as_prometheus_reads_it() {
        let mut page = Page::default();
        page.gauge("h", "Height.", 7);
        page.gauges("runs", "Runs.", "kind", [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        let timings = Timings::new();
        timings.add("ping", Duration::from_micros(1500));
        page.timings("q_seconds", "Time.", "method", &timings);
        let text = page.into_text();
        let start = "# HELP h Height.\n# TYPE h gauge\nh 7\n# HELP runs Runs.\n# TYPE runs gauge\n\
                     runs{kind=\"a\"} 1\nruns{kind=\"b\"} 2\n# HELP q_seconds Time.\n\
                     # TYPE q_seconds histogram\n\
                     q_seconds_bucket{method=\"ping\",le=\"0.0002\"} 0\n";
        assert!(text.starts_with(start), "{text}");
        let end = "q_seconds_bucket{method=\"ping\",le=\"60\"} 1\n\
                   q_seconds_bucket{method=\"ping\",le=\"+Inf\"} 1\n\
                   q_seconds_sum{method=\"ping\"} 0.0015\nq_seconds_count{method=\"ping\"} 1\n";
        assert!(text.ends_with(end), "{text}");
    }
}
