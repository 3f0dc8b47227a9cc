//! Proofs that a header is among those up to a checkpoint. The inner nodes of the tree over all
//! headers are made once and kept.

use std::sync::Mutex;

use bitcoin::hashes::Hash;

use crate::host::lock::lock;
use crate::ids::{BlockHash, Height};
use crate::live::table::HeaderTag;
use crate::parse::tx::header;

use super::answers::{Answer, HeaderProof, QueryError};
use super::header_tree::{GROUP_HEADERS, HeaderTree};
use super::view::View;

/// The kept nodes, and for each group of headers the tag of its last header, by which a
/// reorganisation is noticed.
#[derive(Debug, Default)]
struct Kept {
    tree: HeaderTree,
    last: Vec<HeaderTag>,
}

/// Makes the proofs. All questions share one, so that each node is made once.
#[derive(Debug, Default)]
pub struct HeaderProofs {
    kept: Mutex<Kept>,
}

impl HeaderProofs {
    /// Proof for `height` among the headers up to `cp`.
    pub fn prove(&self, view: &View<'_>, height: Height, cp: Height) -> Answer<HeaderProof> {
        let cp = view.checked_height(cp)?;
        if height > cp {
            return Err(QueryError::BadRequest(format!("height {height} is above cp_height {cp}")));
        }
        let mut kept = lock(&self.kept);
        kept.fit(view, cp)?;
        let hashes = |from: u32, to: u32| hashes(view, from, to);
        let (branch, root) = kept.tree.proof(height, cp, hashes)?;
        Ok(HeaderProof { branch, root })
    }
}

impl Kept {
    /// Drops groups that are not on the view's chain, and adds those up to `cp`.
    fn fit(&mut self, view: &View<'_>, cp: Height) -> Answer<()> {
        let table = &view.snap.table;
        let end_of = |group: usize| Height((group as u32 + 1) * GROUP_HEADERS - 1);
        while let Some(tag) = self.last.last() {
            if table.get(end_of(self.last.len() - 1)).is_some_and(|block| block.tag == *tag) {
                break;
            }
            self.last.pop();
        }
        self.tree.truncate(self.last.len() as u32 * GROUP_HEADERS);
        while end_of(self.last.len()) <= cp {
            let end = end_of(self.last.len());
            let group = hashes(view, end.0 + 1 - GROUP_HEADERS, end.0 + 1)?;
            let tag =
                group.last().map(|hash| HeaderTag::of_hash(&BlockHash::from_byte_array(*hash)));
            self.last.extend(tag);
            self.tree.push_group(group);
        }
        Ok(())
    }
}

fn hashes(view: &View<'_>, from: u32, to: u32) -> Answer<Vec<[u8; 32]>> {
    let headers = view.headers(Height(from), to - from)?;
    if headers.len() != (to - from) as usize {
        return Err(QueryError::Internal("headers above the tip".into()));
    }
    Ok(headers.iter().map(|bytes| header::hash(bytes).to_byte_array()).collect())
}
