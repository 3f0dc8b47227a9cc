//! Waiting for bitcoind's tip to change, in the best way that this bitcoind offers.

use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use log::info;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chain::{NodeTip, from_text};
use super::error::RpcError;
use super::rpc::Rpc;
use crate::ids::Height;

/// How often to ask for the tip where no long poll is allowed.
const POLL_EVERY: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Waited {
    height: u32,
    #[serde(deserialize_with = "from_text")]
    hash: BlockHash,
}

/// What a bitcoind lets us wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Another tip than a given one, be it lower: `waitfornewblock` from Core 30 on.
    Other,
    /// A block at a height: `waitforblockheight`.
    Higher,
    /// Nothing; the tip is asked for now and then.
    Asking,
}

/// Waits for new blocks over a connection of its own.
pub struct TipWait {
    rpc: Rpc,
    way: Way,
}

impl TipWait {
    /// `longest` is the longest wait that will be asked for.
    pub fn new(rpc: &Rpc, longest: Duration) -> TipWait {
        // a busy node answers later than asked
        let rpc = rpc.with_timeout(longest + Duration::from_secs(30));
        TipWait { rpc, way: Way::Other }
    }

    /// See [`Rpc::breaks`].
    pub fn breaks(&self) -> u64 {
        self.rpc.breaks()
    }

    /// The tip as soon as it is another than `known`, or as it is after `timeout`.
    ///
    /// It may be another one already: no gap is left between two waits. Where the node cannot wait
    /// for that, or refuses, a tip that is not higher is noticed after `timeout` only.
    pub fn wait_for_other(
        &mut self,
        known: NodeTip,
        timeout: Duration,
    ) -> Result<NodeTip, RpcError> {
        // 0 would be "for ever" to bitcoind
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1);
        if self.way == Way::Other {
            let params = vec![json!(millis), json!(known.hash.to_string())];
            let begun = Instant::now();
            if let Some(tip) = self.long_poll("waitfornewblock", params, Way::Higher)? {
                // should it take another tip for its own, it would answer at once every time
                if tip == known && begun.elapsed() < timeout / 2 {
                    std::thread::sleep(POLL_EVERY.min(timeout));
                }
                return Ok(tip);
            }
        }
        if self.way == Way::Higher {
            let params = vec![json!(known.height.next().0), json!(millis)];
            if let Some(tip) = self.long_poll("waitforblockheight", params, Way::Asking)? {
                return Ok(tip);
            }
            info!("bitcoind refuses waitforblockheight; asking for the tip instead");
        }
        let end = Instant::now() + timeout;
        loop {
            let tip = self.rpc.blockchain_info()?.tip();
            let left = end.saturating_duration_since(Instant::now());
            if tip != known || left.is_zero() {
                return Ok(tip);
            }
            std::thread::sleep(left.min(POLL_EVERY));
        }
    }

    /// `None` if the node does not do that; from then on it is the `next` way.
    fn long_poll(
        &mut self,
        method: &str,
        params: Vec<Value>,
        next: Way,
    ) -> Result<Option<NodeTip>, RpcError> {
        match self.rpc.call_as(method, params) {
            Ok(Waited { height, hash }) => Ok(Some(NodeTip { height: Height(height), hash })),
            Err(error) if error.is_refused_method() || error.is_misuse() => {
                self.way = next;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
