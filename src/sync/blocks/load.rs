//! Loads one block from the files: the first copy that is whole, with the undo data that belongs to
//! it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::blockfile::dir::{BlockDir, FileNum, FilePos, Kind};
use crate::blockfile::record::{Head, head_at};
use crate::blockfile::rev::RevFile;
use crate::chain::key::{BlockKey, Copies};
use crate::chain::params::ChainParams;
use crate::error::Result;
use crate::host::lock::lock;
use crate::ids::{BlockHash, HeaderBytes};
use crate::index::belongs::{belongs, undo_matches};
use crate::index::extract::{LoadedBlock, extract};
use crate::limits::{
    BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, REV_FILES_LISTED_MAX, REV_RECORDS_LISTED_MAX,
};
use crate::node::rpc::Rpc;
use crate::parse::tx::{BlockView, header};

/// The outcome of looking for a block.
#[derive(Clone, Debug)]
pub enum Load {
    /// The block was found and checked.
    Block(Box<LoadedBlock>),
    /// No copy can be used; the text says why for each.
    Unusable(String),
}

impl Load {
    /// Bytes that it holds in memory.
    pub fn held_bytes(&self) -> usize {
        match self {
            Load::Block(block) => size_of::<LoadedBlock>() + block.rows.held_bytes(),
            Load::Unusable(why) => why.len(),
        }
    }
}

/// The outcome of reading one copy of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordCopy<T> {
    /// The copy is whole, and it is the block that was looked for.
    Whole(T),
    /// The copy cannot be used; the text says why.
    Unusable(String),
}

/// Reads blocks of one network from a folder; shared by threads.
#[derive(Debug)]
pub struct BlockLoader {
    dir: Arc<BlockDir>,
    params: ChainParams,
    /// bitcoind, which can say what a block spends where the files leave that open.
    node: Option<Rpc>,
    /// The lists of records of rev files, the list made longest ago first.
    revs: Mutex<VecDeque<(FileNum, Arc<RevFile>)>>,
}

/// Buffers that a thread uses again for each block.
#[derive(Debug, Default)]
pub struct LoadBuffers {
    block: Vec<u8>,
    undo: Vec<u8>,
    /// Index, in its rev file, of the record behind the last one found; it is tried first.
    next_undo: usize,
    /// Where the undo record of the block stands, if it was found in one place only.
    undo_at: Option<u32>,
}

impl BlockLoader {
    /// A loader of the blocks in `dir`.
    pub fn new(dir: Arc<BlockDir>, params: &ChainParams) -> BlockLoader {
        BlockLoader { dir, params: *params, node: None, revs: Mutex::default() }
    }

    /// This loader, which then asks bitcoind what a block spends where the files leave that open.
    pub fn asking(self, node: Option<Rpc>) -> BlockLoader {
        BlockLoader { node, ..self }
    }

    /// The folder.
    pub fn dir(&self) -> &Arc<BlockDir> {
        &self.dir
    }

    /// The network of the blocks.
    pub fn params(&self) -> &ChainParams {
        &self.params
    }

    /// The header of the block whose record stands at `pos`, if there is one.
    pub fn header_at(&self, pos: FilePos) -> Result<Option<HeaderBytes>> {
        Ok(head_at(&self.dir, self.params.magic, pos)?.map(|head| head.header))
    }

    /// Loads a block from the first of its copies that is whole and has undo data.
    pub fn load(&self, copies: &Copies, buffers: &mut LoadBuffers) -> Result<Load> {
        let mut faults = Vec::new();
        for pos in copies.all() {
            match self.load_copy(copies, pos, buffers)? {
                RecordCopy::Whole(loaded) => return Ok(Load::Block(Box::new(loaded))),
                RecordCopy::Unusable(fault) => {
                    let path = self.dir.file_path(Kind::Block, pos.file);
                    faults.push(format!("{} offset {}: {fault}", path.display(), pos.offset));
                }
            }
        }
        Ok(Load::Unusable(faults.join("; ")))
    }

    /// Reads the block at `pos` into `buffer`, and checks that it is the one that `key` names.
    pub fn read_block(
        &self,
        key: BlockKey,
        pos: FilePos,
        buffer: &mut Vec<u8>,
    ) -> Result<RecordCopy<()>> {
        let Some(Head { len, header }) = head_at(&self.dir, self.params.magic, pos)? else {
            return Ok(RecordCopy::Unusable("there is no block record any more".into()));
        };
        if !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&len) {
            return Ok(RecordCopy::Unusable(format!(
                "the record has an impossible length of {len} bytes"
            )));
        }
        buffer.resize(len as usize, 0);
        if !self.dir.read_exact(Kind::Block, pos, buffer)? {
            return Ok(RecordCopy::Unusable(format!(
                "the record of {len} bytes is cut by the end of the file"
            )));
        }
        match BlockKey::of_header(&header) == key && buffer.starts_with(&header) {
            true => Ok(RecordCopy::Whole(())),
            false => Ok(RecordCopy::Unusable("another block stands there now".into())),
        }
    }

    fn load_copy(
        &self,
        &Copies { key, contested, .. }: &Copies,
        pos: FilePos,
        buffers: &mut LoadBuffers,
    ) -> Result<RecordCopy<LoadedBlock>> {
        if let RecordCopy::Unusable(fault) = self.read_block(key, pos, &mut buffers.block)? {
            return Ok(RecordCopy::Unusable(fault));
        }
        let view = match BlockView::new(&buffers.block) {
            Ok(view) => view,
            Err(error) => {
                return Ok(RecordCopy::Unusable(format!("the block cannot be parsed: {error}")));
            }
        };
        let (previous, txs) = (header::previous(view.header), view.txs as u32);
        buffers.undo_at = None;
        let undo = if key == BlockKey::of(&self.params.genesis) {
            None
        } else if contested && txs > 1 {
            let found = self.undo_among_siblings(pos.file, &previous, txs - 1, &buffers.block)?;
            match self.one_of(found, &header::hash(view.header)) {
                Ok(Some(body)) => buffers.undo = body,
                Ok(None) => return Ok(RecordCopy::Unusable(self.no_undo(pos.file))),
                Err(why) => return Ok(RecordCopy::Unusable(why)),
            }
            Some(&buffers.undo[..])
        } else if self.find_undo(pos.file, &previous, txs - 1, buffers)? {
            Some(&buffers.undo[..])
        } else {
            return Ok(RecordCopy::Unusable(self.no_undo(pos.file)));
        };
        let bytes = buffers.block.len() as u32;
        self.dir.forget(Kind::Block, pos, bytes);
        let undo_at = buffers.undo_at;
        Ok(match extract(&buffers.block, undo) {
            Ok(rows) => RecordCopy::Whole(LoadedBlock { pos, rows, bytes, undo: undo_at }),
            Err(misfit) => RecordCopy::Unusable(misfit.to_string()),
        })
    }

    fn no_undo(&self, file: FileNum) -> String {
        format!("no undo data for it in {}", self.dir.file_path(Kind::Undo, file).display())
    }

    /// The candidates for the undo data of a block with siblings. The checksum of a record covers
    /// the hash of the block before, so the records of all siblings pass it. Mostly the inputs
    /// leave only one.
    fn undo_among_siblings(
        &self,
        file: FileNum,
        previous: &BlockHash,
        txs: u32,
        block: &[u8],
    ) -> Result<Vec<Vec<u8>>> {
        // listed anew: a record that was written later may be the right one
        let rev = RevFile::list(&self.dir, file, self.params.magic)?;
        let mut bodies = rev.find_all(&self.dir, previous, txs)?;
        bodies.retain(|body| belongs(block, body));
        bodies.dedup();
        Ok(bodies)
    }

    /// Picks the undo data of the block; if there are several candidates, bitcoind is asked which
    /// it is.
    fn one_of(
        &self,
        mut bodies: Vec<Vec<u8>>,
        hash: &BlockHash,
    ) -> std::result::Result<Option<Vec<u8>>, String> {
        if bodies.len() < 2 {
            return Ok(bodies.pop());
        }
        let open = |why: String| format!("undo data of another block would fit as well, and {why}");
        let Some(node) = &self.node else {
            return Err(open("without bitcoind it stays open which is right".into()));
        };
        match node.spent_outputs(hash) {
            Ok(Some(spent)) => Ok(bodies.into_iter().find(|body| undo_matches(body, &spent))),
            Ok(None) => Err(open("bitcoind does not say which is right".into())),
            Err(error) => Err(open(format!("bitcoind cannot be asked which is right: {error}"))),
        }
    }

    fn find_undo(
        &self,
        file: FileNum,
        previous: &BlockHash,
        txs: u32,
        buffers: &mut LoadBuffers,
    ) -> Result<bool> {
        let (body, next) = (&mut buffers.undo, &mut buffers.next_undo);
        let (rev, fresh) = self.rev_file(file, Listed::MayBeOld)?;
        if rev.find(&self.dir, previous, txs, body, next)? {
            buffers.undo_at = rev.offset_before(*next).filter(|_| txs > 0);
            return Ok(true);
        }
        if fresh {
            return Ok(false);
        }
        // bitcoind may have written it since the file was listed
        let (rev, _) = self.rev_file(file, Listed::Anew)?;
        let found = rev.find(&self.dir, previous, txs, body, next)?;
        buffers.undo_at = rev.offset_before(*next).filter(|_| found && txs > 0);
        Ok(found)
    }

    /// The records of a rev file, and whether they were listed just now.
    fn rev_file(&self, file: FileNum, listed: Listed) -> Result<(Arc<RevFile>, bool)> {
        // the lock is held while a file is listed, or other threads would list it, too
        let mut revs = lock(&self.revs);
        let known = revs.iter().position(|(number, _)| *number == file);
        match known {
            Some(known) if listed == Listed::MayBeOld => return Ok((revs[known].1.clone(), false)),
            Some(known) => drop(revs.remove(known)),
            None => {}
        }
        let rev = Arc::new(RevFile::list(&self.dir, file, self.params.magic)?);
        // the list of the file before is kept, however long it is, and soon needed again: blocks
        // are not quite in order
        while revs.len() >= REV_FILES_LISTED_MAX
            || revs.len() > 1 && rev.count() + records(&revs) > REV_RECORDS_LISTED_MAX
        {
            revs.pop_front();
        }
        revs.push_back((file, rev.clone()));
        Ok((rev, true))
    }
}

/// Whether a list of records that was made before will do, or the file must be listed anew.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    MayBeOld,
    Anew,
}

fn records(revs: &VecDeque<(FileNum, Arc<RevFile>)>) -> usize {
    revs.iter().map(|(_, rev)| rev.count()).sum()
}
