//! Where the bits of a database are that steer a search: everything in its pages but row contents.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;

use hekte::limits::PAGE_BYTES;
use hekte_testkit::rng::Rng;
use rusqlite::Connection;

/// SQLite's own header stands in front of the first page's.
const FILE_HEADER: usize = 100;
/// Types of B-tree pages: those with child pointers, and those with rows.
const INNER: u8 = 5;
const LEAF: u8 = 13;
/// Tables of few and short rows, of which every byte steers something.
const SMALL: [&str; 5] = ["sqlite_schema", "sqlite_sequence", "network", "state", "runs"];

/// What a part of a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    FileHeader,
    PageHeader,
    CellPointers,
    /// Child pointers and keys of inner pages.
    Children,
    /// Length and rowid of rows on leaf pages, and the types of their columns.
    RowHeads,
    /// Rows of the small tables.
    SmallRows,
}

/// The parts of a file that steer searches, and the pages of the tables that were asked for.
#[derive(Debug, Default)]
pub struct Steering {
    parts: BTreeMap<Part, Vec<Range<usize>>>,
    pages: Vec<Range<usize>>,
    /// Levels of the tallest table.
    pub levels: usize,
}

impl Steering {
    /// Looks through the tables of a database that `wanted` names.
    pub fn of(path: &Path, wanted: impl Fn(&str) -> bool) -> Steering {
        let conn = Connection::open(path).unwrap();
        let sql = "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0";
        let mut query = conn.prepare(sql).unwrap();
        let tables = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let mut tables: Vec<(String, usize)> = tables.map(Result::unwrap).collect();
        tables.push(("sqlite_schema".into(), 1));
        let bytes = fs::read(path).unwrap();
        let mut steering = Steering::default();
        for (name, root) in tables.iter().filter(|(name, _)| wanted(name)) {
            steering.add_page(&bytes, name, *root, 1);
        }
        if wanted("sqlite_schema") {
            steering.add(Part::FileHeader, 0..FILE_HEADER);
        }
        steering
    }

    fn add(&mut self, part: Part, range: Range<usize>) {
        self.parts.entry(part).or_default().push(range);
    }

    fn add_page(&mut self, bytes: &[u8], table: &str, page: usize, level: usize) {
        self.levels = self.levels.max(level);
        let base = (page - 1) * PAGE_BYTES;
        self.pages.push(base..base + PAGE_BYTES);
        let header = if page == 1 { FILE_HEADER } else { base };
        let kind = bytes[header];
        let cells = number(&bytes[header + 3..header + 5]);
        let pointers = header + if kind == INNER { 12 } else { 8 };
        self.add(Part::PageHeader, header..pointers);
        self.add(Part::CellPointers, pointers..pointers + 2 * cells);
        for cell in 0..cells {
            let at = pointers + 2 * cell;
            let cell = base + number(&bytes[at..at + 2]);
            match kind {
                INNER => {
                    let child = number(&bytes[cell..cell + 4]);
                    let (_, len) = varint(&bytes[cell + 4..]);
                    self.add(Part::Children, cell..cell + 4 + len);
                    self.add_page(bytes, table, child, level + 1);
                }
                LEAF => {
                    let (payload, first) = varint(&bytes[cell..]);
                    let (_, second) = varint(&bytes[cell + first..]);
                    let row = cell + first + second;
                    let (head, _) = varint(&bytes[row..]);
                    self.add(Part::RowHeads, cell..row + head);
                    if SMALL.contains(&table) {
                        self.add(Part::SmallRows, cell..row + payload);
                    }
                }
                other => panic!("page {page} of {table} is of type {other}"),
            }
        }
        if kind == INNER {
            let last = number(&bytes[header + 8..header + 12]);
            self.add_page(bytes, table, last, level + 1);
        }
    }

    /// A bit that steers a search, its part picked first: there are far more rows than inner pages.
    pub fn pick(&self, rng: &mut Rng) -> Bit {
        let part = rng.below(self.parts.len() as u64) as usize;
        let (part, ranges) = self.parts.iter().nth(part).unwrap();
        Bit { of: format!("{part:?}"), ..pick(ranges, rng) }
    }

    /// Any bit in these tables.
    pub fn pick_any(&self, rng: &mut Rng) -> Bit {
        pick(&self.pages, rng)
    }
}

/// One bit of a file.
#[derive(Clone, Debug)]
pub struct Bit {
    pub byte: u64,
    pub mask: u8,
    /// What it is a part of.
    of: String,
}

impl fmt::Display for Bit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bit { byte, mask, of } = self;
        let (page, within) = (byte / PAGE_BYTES as u64 + 1, byte % PAGE_BYTES as u64);
        write!(f, "{of}, page {page} byte {within} (mask {mask:#04x})")
    }
}

fn pick(ranges: &[Range<usize>], rng: &mut Rng) -> Bit {
    let range = &ranges[rng.below(ranges.len() as u64) as usize];
    let byte = range.start as u64 + rng.below(range.len() as u64);
    Bit { byte, mask: 1 << rng.below(8), of: "any bit".into() }
}

impl Bit {
    /// That one.
    pub fn at(byte: u64, mask: u8) -> Bit {
        Bit { byte, mask, of: "a chosen bit".into() }
    }

    /// Any bit of a file.
    pub fn of_file(path: &Path, rng: &mut Rng) -> Bit {
        let len = fs::metadata(path).unwrap().len() as usize;
        pick(std::slice::from_ref(&(0..len)), rng)
    }

    /// Turns it over.
    pub fn flip(&self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        bytes[self.byte as usize] ^= self.mask;
        fs::write(path, bytes).unwrap();
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// A variable-length number as SQLite writes it, and its length.
fn varint(bytes: &[u8]) -> (usize, usize) {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(8) {
        value = value << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return (value, at + 1);
        }
    }
    (value << 8 | usize::from(bytes[8]), 9)
}
