//! The closed list of methods, each with its typed parameters.

use bitcoin::{OutPoint, Txid};

use crate::ids::{Height, ScriptHash};
use crate::protocol::message::ErrorObject;
use crate::protocol::version::Version;
use crate::query::relay::FeeMode;

/// How a client names scripts, which also decides the shape of the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `blockchain.scripthash.*`, before 1.7.
    Hash,
    /// `blockchain.scriptpubkey.*`, from 1.7.
    Pubkey,
}

/// What a client wants of a script.
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

/// A request, understood; each variant is the method of that name in the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// `blockchain.block.header`
    BlockHeader {
        /// Which block.
        height: Height,
        /// Prove it up to here.
        checkpoint: Option<Height>,
    },
    /// `blockchain.block.headers`
    BlockHeaders {
        /// The first block.
        start: Height,
        /// How many; not yet limited.
        count: u32,
        /// Prove the last of them up to here.
        checkpoint: Option<Height>,
    },
    /// `blockchain.headers.subscribe`
    HeadersSubscribe,
    /// `blockchain.scripthash.*` and `blockchain.scriptpubkey.*`
    Script {
        /// What is asked.
        question: ScriptQuestion,
        /// Of which script.
        script: ScriptHash,
        /// Which of the two families.
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
        /// Which.
        txid: Txid,
        /// Decoded instead of raw.
        verbose: bool,
    },
    /// `blockchain.transaction.get_merkle`; the height may be left out, as with Fulcrum.
    Merkle {
        /// Which transaction.
        txid: Txid,
        /// In which block.
        height: Option<Height>,
    },
    /// `blockchain.transaction.id_from_pos`
    IdFromPosition {
        /// Which block.
        height: Height,
        /// 0-based.
        pos: u32,
        /// With proof.
        merkle: bool,
    },
    /// `blockchain.transaction.get_confirmed_blockhash`, a useful extra of Fulcrum and old electrs.
    ConfirmedBlockHash {
        /// Which transaction.
        txid: Txid,
        /// With the header; where not given, the answer is the plain hash, as old electrs gave
        /// and BTC-RPC-Explorer expects.
        include_header: Option<bool>,
    },
    /// `blockchain.transaction.broadcast`
    Broadcast(String),
    /// `blockchain.transaction.broadcast_package`
    BroadcastPackage {
        /// Hexadecimal, child last.
        transactions: Vec<String>,
        /// bitcoind's whole answer.
        verbose: bool,
    },
    /// `blockchain.transaction.testmempoolaccept`
    TestMempoolAccept(Vec<String>),
    /// `blockchain.estimatefee`
    EstimateFee {
        /// Number of blocks within which the transaction shall be confirmed.
        blocks: u32,
        /// How careful; bitcoind's default where not given.
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
        /// What the client calls itself, shortened.
        client: String,
        /// The version settled on, or why there is none.
        version: Result<Version, ErrorObject>,
    },
    /// `server.ping`
    Ping {
        /// From 1.7 on: how many digits to send back.
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
    /// `hekte.status`, a method of our own: how far the index is
    StatusReport,
}

impl Method {
    /// Whether it is answered during the first sync, as electrs 0.11 does: node dashboards rely
    /// on these and on an error for all others.
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
