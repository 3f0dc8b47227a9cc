-- Tables of index.sqlite and of bulk.sqlite; docs/store-format.md draws the bytes of each column.

-- the network the database was made for; one row
CREATE TABLE network (
    id      INTEGER PRIMARY KEY CHECK (id = 0),
    genesis BLOB NOT NULL,               -- hash of the first block, internal byte order
    magic   BLOB NOT NULL,               -- bytes in front of each record in its block files
    crc     INTEGER NOT NULL             -- CRC32C over format version, genesis and magic
) STRICT;

-- how far the index is; one row, written in the transaction that brings it there
CREATE TABLE state (
    id         INTEGER PRIMARY KEY CHECK (id = 0),
    phase      INTEGER NOT NULL,         -- 0 building, 1 merging, 2 ready
    blocks     INTEGER NOT NULL,         -- indexed: heights below this
    txs        INTEGER NOT NULL,         -- transactions in them
    tip        BLOB NOT NULL,            -- hash of the last block, internal byte order; or zeros
    generation INTEGER NOT NULL,         -- grows with each change that readers must not mix
    crc        INTEGER NOT NULL          -- CRC32C over the row
) STRICT;

-- the runs; postings of run N are in table run_N(key INTEGER PRIMARY KEY, data BLOB); the number of
-- a run is never used again
CREATE TABLE runs (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     INTEGER NOT NULL,           -- 0 script hashes, 1 txids
    first    INTEGER NOT NULL,           -- txnums first <= n < end
    "end"    INTEGER NOT NULL,
    complete INTEGER NOT NULL,           -- 0 while a merge fills it
    cut      INTEGER NOT NULL,           -- 1: it holds postings at or above end, whose blocks were
                                         --   disconnected; they do not count
    resume   INTEGER NOT NULL,           -- a merge goes on at this prefix
    last     INTEGER NOT NULL,           -- key of its last chunk; -1 while there is none
    bytes    INTEGER NOT NULL,           -- of all chunks
    postings INTEGER NOT NULL,           -- written, those that do not count too
    sum      INTEGER NOT NULL,           -- of a hash of each of them, modulo 2^64
    wanted_postings INTEGER NOT NULL,    -- the two when it is complete, from what it is made of
    wanted_sum      INTEGER NOT NULL,
    crc      INTEGER NOT NULL            -- CRC32C over the row
) STRICT;

-- 44 blocks a row: header (80 bytes), first txnum, length, weight (u32 LE each); key = height / 44
CREATE TABLE blocks (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- 581 spans of 16 transactions a row: end in the block (u24 LE), CRC32C of the bytes (u32 LE);
-- key = span / 581
CREATE TABLE spans (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- 127 Merkle nodes a row, one for each span; key = span / 127
CREATE TABLE nodes (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- 339 block positions a row: file, offset, offset of the undo record (u32 LE each);
-- key = height / 339; a cache, never a fact
CREATE TABLE positions (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
