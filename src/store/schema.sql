-- Tables of index.sqlite and of bulk.sqlite; docs/store-format.md draws the bytes of each column.

-- the network the database was made for; one row
CREATE TABLE network (
    id      INTEGER PRIMARY KEY CHECK (id = 0),
    genesis BLOB NOT NULL,               -- hash of the first block, internal byte order
    magic   BLOB NOT NULL                -- bytes in front of each record in its block files
) STRICT;

-- how far the index is; one row, written in the transaction that brings it there
CREATE TABLE state (
    id         INTEGER PRIMARY KEY CHECK (id = 0),
    phase      INTEGER NOT NULL,         -- 0 building, 1 merging, 2 ready
    blocks     INTEGER NOT NULL,         -- indexed: heights below this
    txs        INTEGER NOT NULL,         -- transactions in them
    tip        BLOB NOT NULL,            -- hash of the last block, internal byte order; or empty
    generation INTEGER NOT NULL          -- grows with each change that readers must not mix
) STRICT;
INSERT INTO state VALUES (0, 0, 0, 0, x'', 0);

-- the runs; postings of run N are in table run_N(key INTEGER PRIMARY KEY, data BLOB)
CREATE TABLE runs (
    id       INTEGER PRIMARY KEY,
    kind     INTEGER NOT NULL,           -- 0 script hashes, 1 txids
    first    INTEGER NOT NULL,           -- txnums first <= n < end; postings at or above end
    "end"    INTEGER NOT NULL,           --   were disconnected and do not count
    complete INTEGER NOT NULL,           -- 0 while a merge fills it
    resume   INTEGER NOT NULL,           -- a merge goes on at this prefix
    postings INTEGER NOT NULL,
    bytes    INTEGER NOT NULL            -- of all chunks
) STRICT;

-- 48 blocks a row: header (80 bytes), first txnum (u32 LE); key = height / 48
CREATE TABLE blocks (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- transaction lengths; key = first txnum of the row
CREATE TABLE lens (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- 126 Merkle nodes a row; key = node number / 126
CREATE TABLE nodes (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- 506 block positions a row: file, offset (u32 LE each); key = height / 506; a cache, never a fact
CREATE TABLE positions (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
