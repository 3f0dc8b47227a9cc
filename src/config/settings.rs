//! Every setting once: its flag, its key in the file, its variable, its help.

use super::defaults::help;

/// One list makes the flags, the names and the link between them, so that they cannot differ.
macro_rules! settings {
    ($( #[doc = $help:literal] #[arg($($arg:tt)*)] $name:ident, )*) => {
        /// The settings as flags: each holds the values that were given, in order and unparsed.
        #[derive(clap::Args, Clone, Debug, Default)]
        pub struct Flags {
            $(
                #[arg(long, global = true, help = help($help, stringify!($name)), $($arg)*)]
                pub $name: Vec<String>,
            )*
        }

        /// The names of all settings as the file spells them.
        pub const NAMES: &[&str] = &[ $( stringify!($name), )* ];

        impl Flags {
            /// Each setting with the values that its flag was given; empty if it was not given.
            pub fn given(&self) -> Vec<(&'static str, &[String])> {
                vec![ $( (stringify!($name), self.$name.as_slice()), )* ]
            }
        }
    };
}

settings! {
    /// Which chain: bitcoin, testnet3, testnet4, signet or regtest
    #[arg(value_name = "NAME", help_heading = "Where things are")]
    network,
    /// bitcoind's data folder, its network folder or its blocks folder [default: ~/.bitcoin]
    #[arg(value_name = "DIR", help_heading = "Where things are")]
    bitcoin_dir,
    /// Where the blk and rev files are, if not below --bitcoin-dir
    #[arg(value_name = "DIR", help_heading = "Where things are")]
    blocks_dir,
    /// Where hekte keeps its own files [default: /var/lib/hekte if writable, else ~/.hekte]
    #[arg(value_name = "DIR", help_heading = "Where things are")]
    data_dir,
    /// Do not start unless this file is there: it proves that the index's disk is mounted
    #[arg(value_name = "FILE", help_heading = "Where things are")]
    require_marker,
    /// Custom signet: its challenge script in hex, as bitcoind's -signetchallenge
    #[arg(value_name = "HEX", help_heading = "Where things are")]
    signet_challenge,
    /// Custom signet without its challenge: the 4 bytes in front of each block, in hex
    #[arg(value_name = "HEX", help_heading = "Where things are")]
    signet_magic,

    /// bitcoind's RPC address [default: http://127.0.0.1 and the network's port]
    #[arg(value_name = "URL", help_heading = "bitcoind")]
    rpc_url,
    /// bitcoind's cookie file [default: .cookie in its network folder]
    #[arg(value_name = "FILE", help_heading = "bitcoind")]
    rpc_cookie,
    /// RPC user, instead of the cookie
    #[arg(value_name = "USER", help_heading = "bitcoind")]
    rpc_user,
    /// File with the RPC password (or give it in the variable HEKTE_RPC_PASSWORD)
    #[arg(value_name = "FILE", help_heading = "bitcoind")]
    rpc_password_file,
    /// No bitcoind: work from the files alone
    #[arg(value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", help_heading = "bitcoind")]
    offline,

    /// Serve the Electrum protocol here; may repeat [default: 127.0.0.1, the network's port]
    #[arg(value_name = "ADDR:PORT", help_heading = "Serving")]
    listen,
    /// Prometheus metrics, /health and /ready here, or `off`
    #[arg(value_name = "ADDR:PORT", help_heading = "Serving")]
    metrics,
    /// Most entries that a history may have
    #[arg(value_name = "N", help_heading = "Serving")]
    max_history,
    /// Longest time to read the history of one script, as 20s or 2m
    #[arg(value_name = "TIME", help_heading = "Serving")]
    query_time,
    /// Most clients at once
    #[arg(value_name = "N", help_heading = "Serving")]
    max_clients,
    /// Most subscriptions per client
    #[arg(value_name = "N", help_heading = "Serving")]
    max_subscriptions,
    /// Text that wallets show when they connect
    #[arg(value_name = "TEXT", help_heading = "Serving")]
    banner,
    /// Address that wallets show for donations [default: none]
    #[arg(value_name = "ADDRESS", help_heading = "Serving")]
    donation_address,
    /// The name given to clients; some wallets batch only for names they know
    #[arg(value_name = "TEXT", help_heading = "Serving")]
    server_name,

    /// Budget for the whole process, as 256MiB [default: a quarter of the RAM, 256MiB to 1GiB]
    #[arg(value_name = "SIZE", help_heading = "Indexing")]
    memory,
    /// Build the index, print one line, exit
    #[arg(value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", help_heading = "Indexing")]
    sync_only,
    /// Throw the index away and build it again
    #[arg(value_name = "yes|no", num_args = 0..=1, require_equals = true,
          default_missing_value = "yes", help_heading = "Indexing")]
    rebuild,
    /// Index while bitcoind makes its first download: auto, always or never
    #[arg(value_name = "WHEN", help_heading = "Indexing")]
    index_during_ibd,

    /// How much to log: error, warn, info, debug or trace
    #[arg(value_name = "LEVEL", help_heading = "Log")]
    log_level,
    /// Time in front of each line: auto (not under journald), yes or no
    #[arg(value_name = "WHEN", help_heading = "Log")]
    log_timestamps,
}

/// The known name that `typed` was probably meant to be; `None` if none is near.
pub fn nearest(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    let typed = typed.to_lowercase().replace('-', "_");
    let far = |name: &&'static str| distance(&typed, name);
    let best = known.iter().copied().min_by_key(far)?;
    let close = distance(&typed, best) <= 1 + typed.len() / 4;
    let part = || known.iter().copied().find(|name| typed.len() > 3 && name.contains(&typed));
    if close { Some(best) } else { part() }
}

/// The edit distance: how many letters to insert, remove or replace to turn one word into the
/// other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let check = |typed, meant| assert_eq!(nearest(typed, NAMES), meant, "{typed}");
        check("bitcoin-dir", Some("bitcoin_dir"));
        check("bitcoindir", Some("bitcoin_dir"));
        check("memry", Some("memory"));
        check("Network", Some("network"));
        check("cookie", Some("rpc_cookie"));
        check("zzzzzz", None);
        check("", None);
    }
}
