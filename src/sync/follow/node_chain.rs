//! bitcoind's chain: which blocks it has, and how it stands to ours.

use crate::chain::fork::shared_blocks;
use crate::error::{Error, Result};
use crate::ids::{BlockCount, BlockHash, Height};
use crate::node::error::RpcError;
use crate::node::rpc::Rpc;
use crate::sync::build::plan::ChainSource;
use crate::sync::served::index::ServedIndex;

/// bitcoind says which chain is active.
impl ChainSource for Rpc {
    fn tip_height(&self) -> Result<Height> {
        let info = self.blockchain_info()?;
        // while bitcoind works from an assumeutxo snapshot, only the blocks that it has validated
        // from genesis on are all in its files
        match self.background_height(&info)? {
            Some(height) => Ok(height),
            None => Ok(Height(info.blocks)),
        }
    }

    fn hashes(&self, from: Height, count: u32) -> Result<Vec<BlockHash>> {
        let to = Height(from.0.saturating_add(count.saturating_sub(1)));
        Ok(self.block_hashes(from, to)?)
    }
}

/// Where bitcoind's chain stands to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It is ours, or goes on from ours.
    Ahead,
    /// It is a part of ours: bitcoind is behind.
    Behind,
    /// It leaves ours after this many blocks.
    Forked(BlockCount),
}

/// Compares the two chains. It takes few questions, however deep a fork is.
pub fn relation(node: &Rpc, index: &ServedIndex, tip: Height) -> Result<Relation> {
    let both = index.blocks().min(BlockCount::up_to(tip));
    let agrees = |height: u32| -> Result<bool> {
        let theirs = rejected_login_as_away(node.block_hash(Height(height)))?;
        let ours = index.hash(Height(height))?;
        match theirs {
            Some(theirs) => Ok(theirs == ours),
            // bitcoind went back while it was asked: the next look deals with that
            None => Err(Error::Away("its chain has just become shorter".into())),
        }
    };
    let shared = BlockCount(shared_blocks(both.0, agrees)?);
    Ok(match shared {
        shared if shared < both => Relation::Forked(shared),
        _ if both < index.blocks() => Relation::Behind,
        _ => Relation::Ahead,
    })
}

/// bitcoind's answer, in which a rejected login counts as being unreachable. The login may be that
/// of bitcoind's last start, and may be corrected while we serve, so it is no reason to stop.
pub fn rejected_login_as_away<T>(answer: std::result::Result<T, RpcError>) -> Result<T> {
    answer.map_err(|error| match error {
        RpcError::Auth(why) => Error::Away(why),
        other => other.into(),
    })
}
