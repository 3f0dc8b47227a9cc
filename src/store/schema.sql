-- Tables of index.sqlite and of bulk.sqlite; docs/store-format.md draws the bytes of each column.

-- the network the database was made for; one row
CREATE TABLE network (
    id      INTEGER PRIMARY KEY CHECK (id = 0),
    genesis BLOB NOT NULL,               -- hash of the first block, internal byte order
    magic   BLOB NOT NULL,               -- bytes in front of each record in its block files
    crc     INTEGER NOT NULL             -- CRC32C over format version, genesis and magic
) STRICT;

-- how far the index is; one row, written in the transaction that stores the blocks it counts
CREATE TABLE state (
    id         INTEGER PRIMARY KEY CHECK (id = 0),
    phase      INTEGER NOT NULL,         -- 0 building, 1 merging, 2 ready
    blocks     INTEGER NOT NULL,         -- number of blocks indexed: those of heights below this
    txs        INTEGER NOT NULL,         -- number of transactions in these blocks
    tip        BLOB NOT NULL,            -- hash of the last block, internal byte order, or zeros
    generation INTEGER NOT NULL,         -- grows with each change that must not be half seen
    crc        INTEGER NOT NULL          -- CRC32C over the row
) STRICT;

-- the runs; the postings of run N are in table run_N(key INTEGER PRIMARY KEY, data BLOB);
-- the number of a run is never used again
CREATE TABLE runs (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     INTEGER NOT NULL,           -- 0 script hashes, 1 txids
    first    INTEGER NOT NULL,           -- it covers the txnums n with first <= n < end
    "end"    INTEGER NOT NULL,
    complete INTEGER NOT NULL,           -- 0 while a merge fills it
    cut      INTEGER NOT NULL,           -- 1: it holds postings at or above end, whose blocks were
                                         --   disconnected; they do not count
    resume   INTEGER NOT NULL,           -- a merge goes on at this prefix
    last     INTEGER NOT NULL,           -- key of its last chunk; -1 while there is none
    bytes    INTEGER NOT NULL,           -- bytes of all its chunks
    postings INTEGER NOT NULL,           -- postings written, with those that do not count
    sum      INTEGER NOT NULL,           -- sum of a hash of each posting written, modulo 2^64
    wanted_postings INTEGER NOT NULL,    -- what these two must come to for the run to be
    wanted_sum      INTEGER NOT NULL,    --   complete, counted before it was made
    crc      INTEGER NOT NULL            -- CRC32C over the row
) STRICT;

-- 44 blocks a row: header (80 bytes), first txnum, length, weight (u32 LE each); key = height / 44
CREATE TABLE blocks (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- 581 spans a row: where each ends in its block (u24 LE), CRC32C of its bytes (u32 LE);
-- key = number of the span / 581
CREATE TABLE spans (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- 127 Merkle nodes a row, one for each span; key = number of the span / 127
CREATE TABLE nodes (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- 339 block positions a row: number of the file, offset, offset of the undo record (u32 LE each);
-- key = height / 339; a cache: bitcoind may move blocks, so what is read there is checked
CREATE TABLE positions (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
