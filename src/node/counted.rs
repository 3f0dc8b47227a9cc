//! Counts bitcoind's answers for the metrics, by method.

use std::time::Duration;

use super::error::RpcError;
use crate::metrics;

/// The methods that are counted by name.
const METHODS: [&str; 16] = [
    "estimatesmartfee",
    "getblock",
    "getblockchaininfo",
    "getblockhash",
    "getblockheader",
    "getchainstates",
    "getmempoolentry",
    "getmempoolinfo",
    "getnetworkinfo",
    "getrawmempool",
    "getrawtransaction",
    "sendrawtransaction",
    "submitpackage",
    "testmempoolaccept",
    "waitforblockheight",
    "waitfornewblock",
];

/// Counts one exchange with bitcoind, whose first call is of `method`.
pub fn count<T>(method: &str, took: Duration, answer: &Result<T, RpcError>) {
    if answer.is_err() {
        metrics::RPC_FAILURES.add(1);
        return;
    }
    let known = METHODS.into_iter().find(|known| *known == method);
    metrics::RPC.add(known.unwrap_or("other"), took);
    metrics::RPC_ANSWERED.set_to_now();
}
