//! Writes a `blocks` directory as bitcoind would: blkNNNNN.dat, revNNNNN.dat and xor.dat.
//!
//! A blk record: magic, u32 length (little-endian), block. A rev record: magic, u32 length of the
//! body, body, 32-byte checksum. The undo data of a block in blkN goes to revN, in the order of
//! connection. Every byte is XORed with the key at (offset in its file) mod 8, except for
//! preallocated zeros.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bitcoin::BlockHash;
use bitcoin::consensus::serialize;

use crate::arrival::Arrivals;
use crate::chain::GenBlock;
use crate::undo::{self, Dialect, UndoWriter};

/// Magic bytes of regtest.
pub const REGTEST_MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

/// How the files are written.
#[derive(Clone, Debug)]
pub struct FileOptions {
    pub magic: [u8; 4],
    /// The key in `xor.dat`; `None` writes no such file, as before Core 28.
    pub xor: Option<[u8; 8]>,
    /// A block that would end beyond this many bytes goes into the next file (Core: 128 MiB).
    pub max_file: u64,
    /// Files grow by whole chunks of zeros (Core: 16 MiB for blk, 1 MiB for rev); 0 switches that
    /// off.
    pub blk_chunk: u64,
    pub rev_chunk: u64,
    pub dialect: Dialect,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            magic: REGTEST_MAGIC,
            xor: None,
            max_file: 128 << 20,
            blk_chunk: 0,
            rev_chunk: 0,
            dialect: Dialect::Today,
        }
    }
}

/// The position of a record's content: file number, and offset after magic and length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub file: u32,
    pub offset: u64,
}

/// A `blocks` directory that is being written.
pub struct BlockDir {
    dir: PathBuf,
    options: FileOptions,
    undo: UndoWriter,
    arrivals: Arrivals,
    /// The number of the block file that is being written.
    file: u32,
    /// The offset of the next record, by file name.
    ends: HashMap<String, u64>,
    open: HashMap<String, File>,
    places: HashMap<BlockHash, Place>,
    /// Blocks stored but not yet connected.
    waiting: HashMap<BlockHash, GenBlock>,
}

impl BlockDir {
    /// Starts an empty directory, which is created if it is missing.
    pub fn create(dir: &Path, options: FileOptions) -> Self {
        fs::create_dir_all(dir).expect("blocks directory can be made");
        if let Some(key) = options.xor {
            fs::write(dir.join("xor.dat"), key).expect("xor.dat can be written");
        }
        Self {
            dir: dir.to_path_buf(),
            undo: UndoWriter::new(options.dialect),
            options,
            arrivals: Arrivals::default(),
            file: 0,
            ends: HashMap::new(),
            open: HashMap::new(),
            places: HashMap::new(),
            waiting: HashMap::new(),
        }
    }

    /// Adds a block that arrives: stores it, and the undo data of all blocks that can now be
    /// connected.
    pub fn add(&mut self, block: &GenBlock) -> Place {
        let place = self.store(block);
        self.waiting.insert(block.hash(), block.clone());
        for hash in self.arrivals.add(block.hash(), block.block.header.prev_blockhash) {
            let block = self.waiting.remove(&hash).expect("each block is connected once");
            self.write_undo(&block);
        }
        place
    }

    /// Adds blocks that arrive one after the other.
    pub fn add_all<'a>(&mut self, blocks: impl IntoIterator<Item = &'a GenBlock>) {
        for block in blocks {
            self.add(block);
        }
    }

    /// Only stores a block, as a second copy or without undo data. If the block is connected later,
    /// its undo data goes to the rev file that belongs to the copy stored last.
    pub fn store(&mut self, block: &GenBlock) -> Place {
        let bytes = serialize(&block.block);
        let name = self.blk_name();
        let end = *self.ends.get(&name).unwrap_or(&0);
        if end > 0 && end + 8 + bytes.len() as u64 > self.options.max_file {
            self.next_file();
        }
        let record = self.record(&bytes);
        let offset = self.append(&self.blk_name(), &record) + 8;
        let place = Place { file: self.file, offset };
        self.places.insert(block.hash(), place);
        place
    }

    /// Writes the undo record of a stored block now, even if the block would not be connected yet;
    /// the genesis block has none.
    pub fn write_undo(&mut self, block: &GenBlock) -> Option<Place> {
        if block.height == 0 {
            return None;
        }
        let file = self.places.get(&block.hash()).expect("the block is stored").file;
        let body = self.undo.body(block);
        let mut record = self.record(&body);
        record.extend_from_slice(&undo::checksum(block, &body));
        let offset = self.append(&format!("rev{file:05}.dat"), &record) + 8;
        Some(Place { file, offset })
    }

    /// Closes the present block file, without its zero tail, and begins the next one.
    pub fn next_file(&mut self) {
        let name = self.blk_name();
        if let (Some(file), Some(end)) = (self.open.remove(&name), self.ends.get(&name)) {
            file.set_len(*end).expect("file can be cut");
        }
        self.file += 1;
    }

    /// Writes bytes that are no record after the last record of the block file.
    pub fn stray_blk(&mut self, bytes: &[u8]) {
        let name = self.blk_name();
        self.append(&name, bytes);
    }

    /// Writes bytes that are no record after the last record of the present rev file.
    pub fn stray_rev(&mut self, bytes: &[u8]) {
        self.append(&format!("rev{:05}.dat", self.file), bytes);
    }

    /// Writes only the first `keep` bytes of a block's record, as a crash would leave it.
    pub fn torn(&mut self, block: &GenBlock, keep: usize) {
        let record = self.record(&serialize(&block.block));
        self.stray_blk(&record[..keep.min(record.len())]);
    }

    /// Moves the write position of the present blk (and rev) file back, so that new records
    /// overwrite old ones; the bytes after them stay, as after a crash or a reindex.
    pub fn overwrite_from(&mut self, blk: Option<u64>, rev: Option<u64>) {
        let names = [(self.blk_name(), blk), (format!("rev{:05}.dat", self.file), rev)];
        for (name, offset) in names {
            if let Some(offset) = offset {
                self.ends.insert(name, offset);
            }
        }
    }

    /// Moves the write position of every rev file to 0, as `-reindex` does. Later calls of
    /// [`BlockDir::write_undo`] overwrite old records; the rest of those stays.
    pub fn restart_undo(&mut self) {
        for (name, end) in &mut self.ends {
            if name.starts_with("rev") {
                *end = 0;
            }
        }
    }

    /// The position at which a block was stored last.
    pub fn place(&self, hash: BlockHash) -> Option<Place> {
        self.places.get(&hash).copied()
    }

    /// The offsets at which records end in the present blk and rev file.
    pub fn ends(&self) -> (u64, u64) {
        let end = |name: &str| *self.ends.get(name).unwrap_or(&0);
        (end(&self.blk_name()), end(&format!("rev{:05}.dat", self.file)))
    }

    /// The number of the block file that is being written.
    pub fn file(&self) -> u32 {
        self.file
    }

    fn blk_name(&self) -> String {
        format!("blk{:05}.dat", self.file)
    }

    fn record(&self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.len() + 40);
        out.extend_from_slice(&self.options.magic);
        out.extend_from_slice(&(content.len() as u32).to_le_bytes());
        out.extend_from_slice(content);
        out
    }

    /// Writes after the last record of the file; returns the offset.
    fn append(&mut self, name: &str, bytes: &[u8]) -> u64 {
        let offset = *self.ends.get(name).unwrap_or(&0);
        let chunk =
            if name.starts_with("rev") { self.options.rev_chunk } else { self.options.blk_chunk };
        let path = self.dir.join(name);
        let file = self.open.entry(name.to_string()).or_insert_with(|| {
            let mut how = OpenOptions::new();
            how.create(true).truncate(false).read(true).write(true);
            how.open(&path).expect("block file opens")
        });
        let end = offset + bytes.len() as u64;
        if chunk > 0 && file.metadata().expect("file has a length").len() < end {
            file.set_len(end.div_ceil(chunk) * chunk).expect("file can grow");
        }
        let mut coded = bytes.to_vec();
        xor(&mut coded, self.options.xor, offset);
        file.write_all_at(&coded, offset).expect("block file can be written");
        self.ends.insert(name.to_string(), end);
        offset
    }
}

/// Applies a key by offset in the file; applying it again undoes it.
pub fn xor(bytes: &mut [u8], key: Option<[u8; 8]>, offset: u64) {
    let Some(key) = key else { return };
    for (position, byte) in (offset..).zip(bytes) {
        *byte ^= key[(position % 8) as usize];
    }
}
