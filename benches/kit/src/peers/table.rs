//! The tables of a comparison, with ratios to hekte.

use std::time::Duration;

use serde_json::Value;

use crate::peers::answers::compare;
use crate::peers::kept;
use crate::peers::server::Kind;
use crate::stats::{head, ms, percentile, row};

/// Number of transactions of the chain, genesis included, as in hekte's log.
const TRANSACTIONS: f64 = 1_131_355.0;

/// Prints the results of the earlier steps.
pub fn print() {
    syncs();
    questions();
    agreement();
}

fn syncs() {
    head(&[
        "",
        "wall s",
        "wall / hekte",
        "CPU s",
        "bitcoind's CPU s",
        "peak MiB",
        "written MB",
        "index MB",
        "B/tx",
        "written/index",
        "also needs",
    ]);
    let Some(ours) = kept(Kind::Hekte, "sync") else { return };
    for kind in Kind::ALL {
        let Some(seen) = kept(kind, "sync") else { continue };
        let of = |name: &str| seen[name].as_f64().unwrap_or(f64::NAN);
        let ratio = of("wall") / ours["wall"].as_f64().unwrap_or(f64::NAN);
        let needs = match kind {
            Kind::ElectrumX => format!("`txindex`, {:.0} MB", of("txindex") / 1e6),
            _ => String::new(),
        };
        row(&[
            kind.title().into(),
            format!("{:.2}", of("wall")),
            format!("{ratio:.1}"),
            format!("{:.2}", of("cpu")),
            format!("{:.2}", of("bitcoind_cpu")),
            format!("{:.0}", of("peak_rss") / 1_048_576.0),
            format!("{:.1}", of("written") / 1e6),
            format!("{:.1}", of("index") / 1e6),
            format!("{:.1}", of("index") / TRANSACTIONS),
            format!("{:.2}", of("written") / of("index")),
            needs,
        ]);
    }
}

fn durations(list: &Value) -> Vec<Duration> {
    let list = list.as_array().cloned().unwrap_or_default();
    list.iter().filter_map(Value::as_u64).map(Duration::from_micros).collect()
}

fn questions() {
    let mut cells = vec!["p50 ms, first / second".to_string(), "probes".into()];
    let all: Vec<(Kind, Value)> =
        Kind::ALL.into_iter().filter_map(|kind| Some((kind, kept(kind, "times")?))).collect();
    for (kind, _) in &all {
        cells.push(kind.title().into());
        if *kind != Kind::Hekte {
            cells.push("/ hekte".into());
        }
    }
    head(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    let Some((_, ours)) = all.first() else { return };
    for (at, our) in ours.as_array().into_iter().flatten().enumerate() {
        let name = our["name"].as_str().unwrap_or_default().to_string();
        let mut cells = vec![name, durations(&our["first"]).len().to_string()];
        let p50 = |times: &Value, which| percentile(&durations(&times[at][which]), 50);
        for (kind, times) in &all {
            let (first, second) = (p50(times, "first"), p50(times, "second"));
            cells.push(format!("{} / {}", ms(first), ms(second)));
            if *kind != Kind::Hekte {
                let ratio = |theirs: f64, which| ms(theirs / p50(ours, which));
                cells.push(format!("{} / {}", ratio(first, "first"), ratio(second, "second")));
            }
        }
        row(&cells);
    }
}

fn agreement() {
    let Some(ours) = kept(Kind::Hekte, "answers") else { return };
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Hekte) {
        let Some(theirs) = kept(kind, "answers") else { continue };
        let (mut same, mut reordered, mut lines) = (0, 0, Vec::new());
        for (name, list) in ours.as_object().into_iter().flatten() {
            let seen = compare(list, &theirs[name]);
            same += seen.same;
            reordered += seen.reordered;
            if seen.reordered > 0 {
                lines.push(format!("- {name}: {} in another order", seen.reordered));
            }
            if seen.different > 0 {
                let example = seen.example.unwrap_or_default();
                lines.push(format!("- {name}: {} differ, such as {example}", seen.different));
            }
        }
        println!("\n{}: {same} answers the same, {reordered} reordered", kind.title());
        lines.iter().for_each(|line| println!("{line}"));
    }
}
