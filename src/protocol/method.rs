//! The closed list of methods, each with its typed parameters.

use bitcoin::{OutPoint, Txid};

use crate::ids::{Height, ScriptHash};
use crate::protocol::message::ErrorObject;
use crate::protocol::version::Version;
use crate::query::relay::FeeMode;

/// The family of methods by which a client names scripts; the shape of the answers depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `blockchain.scripthash.*`, before 1.7.
    Hash,
    /// `blockchain.scriptpubkey.*`, from 1.7.
    Pubkey,
}

/// What a client asks about a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptQuestion {
    /// `get_balance`
    Balance,
    /// `get_history`
    History,
    /// `get_mempool`
    Mempool,
    /// `listunspent`
    Unspent,
    /// `subscribe`
    Subscribe,
    /// `unsubscribe`
    Unsubscribe,
}

/// A request after parsing; each variant is the method named in its comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// `blockchain.block.header`
    BlockHeader {
        /// The block's height.
        height: Height,
        /// The height of the checkpoint up to which the header is to be proven.
        checkpoint: Option<Height>,
    },
    /// `blockchain.block.headers`
    BlockHeaders {
        /// The height of the first block.
        start: Height,
        /// The number of headers; not yet limited.
        count: u32,
        /// The height of the checkpoint up to which the last header is to be proven.
        checkpoint: Option<Height>,
    },
    /// `blockchain.headers.subscribe`
    HeadersSubscribe,
    /// `blockchain.scripthash.*` and `blockchain.scriptpubkey.*`
    Script {
        /// The question.
        question: ScriptQuestion,
        /// The script that it is about.
        script: ScriptHash,
        /// The family of methods it came by.
        naming: Naming,
    },
    /// `blockchain.outpoint.get_status`
    OutpointStatus(OutPoint),
    /// `blockchain.outpoint.subscribe`
    OutpointSubscribe(OutPoint),
    /// `blockchain.outpoint.unsubscribe`
    OutpointUnsubscribe(OutPoint),
    /// `blockchain.transaction.get`
    Transaction {
        /// The transaction's id.
        txid: Txid,
        /// Whether the answer is decoded instead of raw.
        verbose: bool,
    },
    /// `blockchain.transaction.get_merkle`; the height may be left out, as with Fulcrum.
    Merkle {
        /// The transaction's id.
        txid: Txid,
        /// The height of its block.
        height: Option<Height>,
    },
    /// `blockchain.transaction.id_from_pos`
    IdFromPosition {
        /// The block's height.
        height: Height,
        /// The transaction's position in the block, 0-based.
        pos: u32,
        /// Whether the answer has a proof.
        merkle: bool,
    },
    /// `blockchain.transaction.get_confirmed_blockhash`, an addition of Fulcrum and old electrs.
    ConfirmedBlockHash {
        /// The transaction's id.
        txid: Txid,
        /// Whether the answer has the header. Where not given, the answer is the plain hash, as old
        /// electrs gave and BTC-RPC-Explorer expects.
        include_header: Option<bool>,
    },
    /// `blockchain.transaction.broadcast`
    Broadcast(String),
    /// `blockchain.transaction.broadcast_package`
    BroadcastPackage {
        /// The transactions in hexadecimal, the child last.
        transactions: Vec<String>,
        /// Whether the answer is bitcoind's whole answer.
        verbose: bool,
    },
    /// `blockchain.transaction.testmempoolaccept`
    TestMempoolAccept(Vec<String>),
    /// `blockchain.estimatefee`
    EstimateFee {
        /// The number of blocks within which the transaction should confirm.
        blocks: u32,
        /// The mode of the estimate; bitcoind's default where not given.
        mode: Option<FeeMode>,
    },
    /// `blockchain.relayfee`
    RelayFee,
    /// `mempool.get_info`
    MempoolInfo,
    /// `mempool.get_fee_histogram`
    FeeHistogram,
    /// `mempool.recent`
    MempoolRecent,
    /// `server.version`
    Version {
        /// The client's name for itself, shortened.
        client: String,
        /// The negotiated version, or the error if there is none.
        version: Result<Version, ErrorObject>,
    },
    /// `server.ping`
    Ping {
        /// From 1.7 on, the number of digits to send back.
        pong_chars: Option<u32>,
    },
    /// `server.features`
    Features,
    /// `server.banner`
    Banner,
    /// `server.donation_address`
    DonationAddress,
    /// `server.peers.subscribe`
    PeersSubscribe,
    /// `server.add_peer`
    AddPeer,
    /// `hekte.status`, a method of our own: the progress of the index.
    StatusReport,
}

impl Method {
    /// Whether the method is answered during the first sync. The choice is that of electrs 0.11:
    /// node dashboards rely on answers to these methods and on an error for all others.
    pub fn while_building(name: &str) -> bool {
        matches!(
            name,
            "server.version"
                | "hekte.status"
                | "blockchain.headers.subscribe"
                | "blockchain.block.header"
                | "blockchain.block.headers"
        )
    }
}
