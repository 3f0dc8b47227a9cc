//! The questions of `queries`, asked of another Electrum server that has indexed the chain.

use crate::chain::Size;
use crate::probes::Probes;
use crate::queries::{ask, ask_by_many, pair, questions};
use crate::stats::{head, row};

/// Asks the server at `address` and prints a table like that of hekte.
pub fn run(name: &str, address: &str, size: Size) {
    let probes = Probes::of(size);
    println!("\n{name}, {} chain: {}", size.name, probes.counts());
    head(&["p50 / p99 ms", "probes", "first", "second", "32 clients", "32 clients: answers/s"]);
    for questions in questions(&probes) {
        let first = ask(address, &questions);
        let second = ask(address, &questions);
        let (many, rate) = ask_by_many(address, &questions);
        row(&[
            questions.name.clone(),
            first.len().to_string(),
            pair(&first),
            pair(&second),
            pair(&many),
            format!("{rate:.0}"),
        ]);
    }
}
