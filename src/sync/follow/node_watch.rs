//! bitcoind as the follower sees it: whether it is the right one, and how its chain stands to ours.

use std::time::Duration;

use bitcoin::Network;

use crate::error::{Error, Result};
use crate::ids::{BlockCount, Height};
use crate::limits::FOLLOW_DOWN_BLOCKS_MAX;
use crate::node::chain::BlockchainInfo;
use crate::node::rpc::Rpc;
use crate::node::tip_wait::TipWait;
use crate::sync::context::SyncContext;
use crate::sync::served::index::ServedIndex;

use super::locate::{look_again, newest_are_in_place};
use super::node_chain::{Relation, rejected_login_as_away, relation};

/// The longest wait that bitcoind is asked for at once.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A tip that is this many blocks ahead of ours may be that of a snapshot.
const SNAPSHOT_AHEAD: u32 = 100;

/// Where bitcoind's chain stands to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Its chain is ours, or goes on from ours.
    OnOurChain,
    /// It is so far below our tip that it must be reindexing or starting up.
    FarBelow,
    /// Its chain is a part of ours, some blocks shorter.
    Behind,
    /// Its chain leaves ours after this many blocks.
    Forked(BlockCount),
}

/// What one look at bitcoind found.
#[derive(Clone, Debug)]
pub struct Look {
    /// What bitcoind says about its chain.
    pub info: BlockchainInfo,
    /// The height up to which it has checked the blocks, and so written them to its files.
    pub tip: Height,
    /// Where that chain stands to ours.
    pub state: NodeState,
}

impl Look {
    /// How many blocks bitcoind has.
    pub fn blocks(&self) -> BlockCount {
        BlockCount::up_to(self.tip.max(Height(self.info.blocks)))
    }

    /// Whether an index of `blocks` blocks holds what bitcoind would call the present: while it
    /// is still downloading, a wallet would see too little.
    pub fn is_present(&self, blocks: BlockCount, network: Network) -> bool {
        let up_to = |height| blocks >= BlockCount::up_to(Height(height));
        let complete = up_to(self.info.blocks.max(self.info.headers));
        // no other node has blocks of a regtest chain, so this node's doubts do not count
        let doubts = self.info.initial_block_download && network != Network::Regtest;
        complete || !doubts && up_to(self.info.blocks)
    }
}

/// Watches one bitcoind.
pub struct NodeWatch<'a> {
    context: &'a SyncContext,
    rpc: Rpc,
    wait: TipWait,
    /// Whether it was found to be the right one since it was last unreachable.
    verified: bool,
    /// The number of broken connections when it was verified.
    breaks: u64,
    /// Whether bitcoind works from an assumeutxo snapshot, as far as known.
    snapshot: Option<bool>,
}

impl<'a> NodeWatch<'a> {
    /// A watch that has asked nothing yet.
    pub fn new(context: &'a SyncContext, rpc: Rpc) -> NodeWatch<'a> {
        let wait = TipWait::new(&rpc, LONGEST_WAIT);
        NodeWatch { context, rpc, wait, verified: false, breaks: 0, snapshot: None }
    }

    /// The connection, for further questions.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Whether bitcoind was found to work from a snapshot.
    pub fn works_from_snapshot(&self) -> bool {
        self.snapshot == Some(true)
    }

    /// The next look asks again whether bitcoind works from a snapshot.
    pub fn ask_again_about_snapshot(&mut self) {
        self.snapshot = None;
    }

    /// bitcoind is unreachable: whatever answers next must be verified first.
    pub fn verify_again(&mut self) {
        (self.verified, self.snapshot) = (false, None);
    }

    /// Asks bitcoind where its chain stands. A bitcoind that was not verified yet, or that may
    /// have been restarted since, is verified first.
    pub fn look(&mut self, index: &mut ServedIndex) -> Result<Look> {
        if !self.verified {
            self.verify(index)?;
        }
        let info = rejected_login_as_away(self.rpc.blockchain_info())?;
        if self.breaks() != self.breaks {
            self.verify(index)?;
        }
        let tip = self.checked_tip(index, &info)?;
        let state = match relation(&self.rpc, index, tip)? {
            Relation::Ahead => NodeState::OnOurChain,
            // while bitcoind works its way up again, a stale block may be its tip for a moment
            Relation::Behind | Relation::Forked(_) if is_far_below(index, tip, &info) => {
                NodeState::FarBelow
            }
            Relation::Behind => NodeState::Behind,
            Relation::Forked(common) => NodeState::Forked(common),
        };
        Ok(Look { info, tip, state })
    }

    /// Waits until bitcoind has another tip than that of `look`, at most for `time`.
    pub fn wait_for_other_tip(&mut self, look: &Look, time: Duration) -> Result<()> {
        rejected_login_as_away(self.wait.wait_for_other(look.info.tip(), time)).map(drop)
    }

    /// Checks that this bitcoind is the configured one. One that was killed restarts from its last
    /// flush and may overwrite newer blocks in its files, so the newest positions are checked too.
    fn verify(&mut self, index: &mut ServedIndex) -> Result<()> {
        // a password that is no longer accepted may be corrected while we serve
        (self.context.check_node)(&self.rpc).map_err(|error| match error {
            Error::NoPermission(why) => Error::Away(why),
            other => other,
        })?;
        self.verified = true;
        self.breaks = self.breaks();
        self.snapshot = None;
        let loader = &self.context.loader;
        // if the folder cannot be reopened, `look_again` reports why
        if loader.dir().reopen().is_ok() && newest_are_in_place(index, loader)? {
            return Ok(());
        }
        look_again(index, loader)
    }

    /// The number of broken connections. A quick restart of bitcoind is visible only here.
    fn breaks(&self) -> u64 {
        self.rpc.breaks() + self.wait.breaks()
    }

    /// The height up to which bitcoind has checked all blocks. bitcoind is asked about a snapshot
    /// after each start, as long as it works from one, and when its tip runs far ahead, as happens
    /// when one is loaded.
    fn checked_tip(&mut self, index: &ServedIndex, info: &BlockchainInfo) -> Result<Height> {
        let tip = Height(info.blocks);
        let ahead = BlockCount::up_to(tip).above(index.blocks());
        if self.snapshot == Some(false) && ahead <= SNAPSHOT_AHEAD {
            return Ok(tip);
        }
        let background = rejected_login_as_away(self.rpc.background_height(info))?;
        self.snapshot = Some(background.is_some());
        Ok(background.unwrap_or(tip))
    }
}

/// Whether bitcoind is so far below our tip that it must be reindexing or starting up. A reindex
/// begins at genesis, and following bitcoind down there would throw the index away.
fn is_far_below(index: &ServedIndex, tip: Height, info: &BlockchainInfo) -> bool {
    let depth = index.blocks().above(BlockCount::up_to(tip));
    depth > FOLLOW_DOWN_BLOCKS_MAX || depth > 0 && info.initial_block_download
}
