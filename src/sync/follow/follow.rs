//! Follows bitcoind's tip: new blocks, reorganisations, a node that lost its last hour, a reindex.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitcoin::Network;
use log::{info, warn};

use crate::error::{Error, Result};
use crate::ids::{BlockCount, Height};
use crate::limits::{CATCH_UP_BLOCKS, REORG_BLOCKS_MAX};
use crate::live::progress::Stage;
use crate::node::rpc::Rpc;
use crate::parse::tx::header;
use crate::sync::blocks::rollback::too_deep;
use crate::sync::context::SyncContext;
use crate::sync::served::index::ServedIndex;
use crate::sync::served::upkeep::Upkeep;

use super::locate::Rescans;
use super::new_blocks::NewBlocks;
use super::node_chain::rejected_login_as_away;
use super::node_watch::{Look, NodeState, NodeWatch};

/// How long one long poll may take: the stop token is looked at between two of them.
const WAIT: Duration = Duration::from_secs(5);
/// A tip younger than this is served although bitcoind cannot be asked for a newer one.
const FRESH_SECONDS: u64 = 3 * 3600;

/// Why following ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowEnd {
    /// A stop was requested.
    Stopped,
    /// bitcoind is so far ahead that a build is quicker.
    FarBehind,
}

/// What a step leaves to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Another look at bitcoind.
    Look,
    /// A build: it is quicker than following.
    Build,
}

/// How far the blocks up to bitcoind's tip could be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connected {
    /// All blocks, or those up to the one at which bitcoind changed to another branch meanwhile.
    All,
    /// The blocks up to one that is not readable yet, or for which there is no room.
    Part,
}

/// Keeps an index at the tip of one bitcoind.
pub struct Follow<'a> {
    context: &'a SyncContext,
    node: NodeWatch<'a>,
    new_blocks: NewBlocks,
    upkeep: Upkeep<'a>,
    rescans: Rescans,
    /// Whether it was said that bitcoind is far below our tip.
    said_far_below: bool,
    /// Why bitcoind is unreachable, as last said.
    unreachable: Option<String>,
}

impl<'a> Follow<'a> {
    /// Follows `node`, beginning with the next call of [`Follow::run`].
    pub fn new(context: &'a SyncContext, node: Rpc) -> Follow<'a> {
        Follow {
            context,
            node: NodeWatch::new(context, node),
            new_blocks: NewBlocks::default(),
            upkeep: Upkeep::new(&context.progress),
            rescans: Rescans::default(),
            said_far_below: false,
            unreachable: None,
        }
    }

    /// Follows until told to stop, or so far behind that a build is quicker.
    pub fn run(mut self, index: &mut ServedIndex) -> Result<FollowEnd> {
        let context = self.context;
        while !context.stop.is_requested() {
            self.rescans.serve(index, &context.served, &context.loader)?;
            match self.step(index) {
                Ok(Next::Build) => return Ok(FollowEnd::FarBehind),
                Ok(Next::Look) => self.node_is_reachable(),
                // a folder of block files that is missing comes back with bitcoind
                Err(Error::Away(why) | Error::Unavailable(why) | Error::NoInput(why)) => {
                    self.node_is_unreachable(index, &why)?;
                }
                Err(Error::NoSpace(why)) => {
                    self.upkeep.full(index, why);
                    context.pause(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(FollowEnd::Stopped)
    }

    /// Takes one look at bitcoind, and does what follows from it.
    fn step(&mut self, index: &mut ServedIndex) -> Result<Next> {
        let look = self.node.look(index)?;
        match look.state {
            NodeState::OnOurChain => self.said_far_below = false,
            NodeState::FarBelow => self.keep_index(index, look.tip),
            NodeState::Behind => self.go_back(index, look.tip)?,
            NodeState::Forked(common) => self.leave_fork(index, common)?,
        }
        self.context.progress.target.store(look.blocks().0, Ordering::Relaxed);
        if is_far_behind(index, look.tip) {
            return Ok(Next::Build);
        }
        let connected = self.catch_up(index, &look)?;
        self.context.progress.target.store(look.blocks().0, Ordering::Relaxed);
        // a new block waits for one step of upkeep at most
        if !self.upkeep.step(index)? {
            self.wait(index, &look, connected)?;
        }
        Ok(Next::Look)
    }

    /// bitcoind is far below our tip, so it is reindexing or starting up: no block is taken out.
    fn keep_index(&mut self, index: &ServedIndex, tip: Height) {
        if !self.said_far_below {
            info!(
                "bitcoind is at height {tip}, below our tip at {}: it is reindexing or starting \
                 up; the index is kept",
                index.blocks().tip().unwrap_or_default()
            );
            self.said_far_below = true;
        }
        self.context.pause(Duration::from_secs(1));
    }

    /// bitcoind's chain is a part of ours: takes out the blocks above its tip.
    fn go_back(&mut self, index: &mut ServedIndex, tip: Height) -> Result<()> {
        warn!("bitcoind went back to height {tip}; following");
        self.disconnect_to(index, BlockCount::up_to(tip))
    }

    /// bitcoind's chain leaves ours after `common` blocks: takes out those above.
    fn leave_fork(&mut self, index: &mut ServedIndex, common: BlockCount) -> Result<()> {
        let depth = index.blocks().above(common);
        if depth > REORG_BLOCKS_MAX {
            return Err(too_deep(depth));
        }
        warn!("reorganisation: {depth} blocks are disconnected, from height {common} on");
        self.disconnect_to(index, common)
    }

    fn disconnect_to(&mut self, index: &mut ServedIndex, keep: BlockCount) -> Result<()> {
        if let Some(published) = index.disconnect_to(keep)? {
            (self.context.on_tip)(published);
        }
        Ok(())
    }

    /// Connects the blocks up to bitcoind's tip, and serves the index as it then is.
    fn catch_up(&mut self, index: &mut ServedIndex, look: &Look) -> Result<Connected> {
        let before = index.blocks();
        let connected = self.connect_up_to(index, look.tip)?;
        let (context, network) = (self.context, self.context.loader.params().network);
        let counts = before != index.blocks();
        if context.served.serving() {
            let served_header = context.served.snapshot().tip_header;
            if counts || index.snapshot().tip_header != served_header {
                self.serve(index);
            }
        } else if look.is_present(index.blocks(), network) {
            self.serve(index);
        } else if counts {
            context.answer_headers_only(index);
        }
        Ok(connected)
    }

    /// Connects the blocks up to `tip`.
    fn connect_up_to(&mut self, index: &mut ServedIndex, tip: Height) -> Result<Connected> {
        while index.blocks() < BlockCount::up_to(tip) && !self.context.stop.is_requested() {
            if index.is_full() {
                return Ok(Connected::Part);
            }
            let height = index.blocks().next();
            let Some(hash) = rejected_login_as_away(self.node.rpc().block_hash(height))? else {
                return Ok(Connected::Part);
            };
            let Some(block) = self.new_blocks.find(self.context, index, height, &hash)? else {
                return Ok(Connected::Part);
            };
            if let Some(parent) = height.previous()
                && header::previous(&block.rows.header) != index.hash(parent)?
            {
                // bitcoind moved to another branch between two questions
                return Ok(Connected::All);
            }
            index.connect(block, hash);
            if index.flush_is_due() {
                // once the index is served, blocks are published before they are written; see
                // `has_news`
                if self.context.served.serving() {
                    (self.context.on_tip)(index.publish());
                }
                self.upkeep.step(index)?;
            }
        }
        self.new_blocks.forget();
        Ok(Connected::All)
    }

    /// Waits for what may come next: the rest of a block, blocks below a snapshot, another tip.
    fn wait(&mut self, index: &ServedIndex, look: &Look, connected: Connected) -> Result<()> {
        if connected == Connected::Part {
            self.node.ask_again_about_snapshot();
            self.context.pause(Duration::from_millis(500));
        } else if self.node.works_from_snapshot() {
            self.wait_for_blocks_below_snapshot(look);
        } else if index.snapshot().tip().is_some_and(|ours| ours >= look.tip) {
            self.node.wait_for_other_tip(look, WAIT)?;
        }
        Ok(())
    }

    /// bitcoind works from a UTXO snapshot, and all blocks that it has checked below the snapshot
    /// are in the index. bitcoind reports a new tip, but not that it has checked one more block
    /// below.
    fn wait_for_blocks_below_snapshot(&self, look: &Look) {
        let context = self.context;
        if !context.served.serving() && context.progress.stage() != Stage::Waiting {
            info!(
                "bitcoind works from a UTXO snapshot and has checked {} of {} blocks; answers \
                 begin when it has checked them all",
                look.tip, look.info.blocks
            );
            context.progress.enter(Stage::Waiting);
        }
        context.pause(Duration::from_secs(1));
    }

    /// bitcoind cannot be asked. What is confirmed is still true, so an index that is served
    /// already goes on being served. One that was not served yet must be fresh: bitcoind may be
    /// weeks ahead of it.
    fn node_is_unreachable(&mut self, index: &mut ServedIndex, why: &str) -> Result<()> {
        let fresh = is_fresh(index, self.context.loader.params().network);
        if self.unreachable.as_deref() != Some(why) {
            let meanwhile = match self.context.served.serving() || fresh {
                true => "serving what is indexed",
                false => "what is indexed is too old to be served without it",
            };
            warn!("bitcoind cannot be asked ({why}); {meanwhile}, and asking again");
            self.unreachable = Some(why.into());
        }
        self.node.verify_again();
        if fresh && !self.context.served.serving() {
            self.serve(index);
        }
        if !self.upkeep.step(index)? {
            self.context.pause(Duration::from_secs(1));
        }
        Ok(())
    }

    fn node_is_reachable(&mut self) {
        if self.unreachable.take().is_some() {
            info!("bitcoind answers again");
        }
    }

    /// Answers all questions from the index as it is now, and tells the subscribers.
    fn serve(&self, index: &mut ServedIndex) {
        (self.context.on_tip)(index.publish());
        self.context.progress.enter(Stage::Following);
        self.context.report_complete(index);
        info!("serving, height={}", index.blocks().tip().unwrap_or_default());
    }
}

/// Whether a build is quicker than following. While the disk is full, no build can begin.
fn is_far_behind(index: &ServedIndex, tip: Height) -> bool {
    BlockCount::up_to(tip).above(index.blocks()) > CATCH_UP_BLOCKS && !index.is_full()
}

/// Whether the newest block is of the last hours, by this machine's clock.
fn is_fresh(index: &ServedIndex, network: Network) -> bool {
    let mined = u64::from(header::time(&index.snapshot().tip_header));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    now < mined + FRESH_SECONDS || network == Network::Regtest
}
