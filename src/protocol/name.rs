//! The protocol's name of each method, for logs and counters.

use super::method::{Method, Naming, ScriptQuestion};

impl Method {
    /// The method's name in the protocol.
    pub fn name(&self) -> &'static str {
        match self {
            Method::BlockHeader { .. } => "blockchain.block.header",
            Method::BlockHeaders { .. } => "blockchain.block.headers",
            Method::HeadersSubscribe => "blockchain.headers.subscribe",
            Method::Script { question, naming, .. } => script(*question, *naming),
            Method::OutpointStatus(_) => "blockchain.outpoint.get_status",
            Method::OutpointSubscribe(_) => "blockchain.outpoint.subscribe",
            Method::OutpointUnsubscribe(_) => "blockchain.outpoint.unsubscribe",
            Method::Transaction { .. } => "blockchain.transaction.get",
            Method::Merkle { .. } => "blockchain.transaction.get_merkle",
            Method::IdFromPosition { .. } => "blockchain.transaction.id_from_pos",
            Method::ConfirmedBlockHash { .. } => "blockchain.transaction.get_confirmed_blockhash",
            Method::Broadcast(_) => "blockchain.transaction.broadcast",
            Method::BroadcastPackage { .. } => "blockchain.transaction.broadcast_package",
            Method::TestMempoolAccept(_) => "blockchain.transaction.testmempoolaccept",
            Method::EstimateFee { .. } => "blockchain.estimatefee",
            Method::RelayFee => "blockchain.relayfee",
            Method::MempoolInfo => "mempool.get_info",
            Method::FeeHistogram => "mempool.get_fee_histogram",
            Method::MempoolRecent => "mempool.recent",
            Method::Version { .. } => "server.version",
            Method::Ping { .. } => "server.ping",
            Method::Features => "server.features",
            Method::Banner => "server.banner",
            Method::DonationAddress => "server.donation_address",
            Method::PeersSubscribe => "server.peers.subscribe",
            Method::AddPeer => "server.add_peer",
            Method::StatusReport => "hekte.status",
        }
    }
}

fn script(question: ScriptQuestion, naming: Naming) -> &'static str {
    match (naming, question) {
        (Naming::Hash, ScriptQuestion::Balance) => "blockchain.scripthash.get_balance",
        (Naming::Hash, ScriptQuestion::History) => "blockchain.scripthash.get_history",
        (Naming::Hash, ScriptQuestion::Mempool) => "blockchain.scripthash.get_mempool",
        (Naming::Hash, ScriptQuestion::Unspent) => "blockchain.scripthash.listunspent",
        (Naming::Hash, ScriptQuestion::Subscribe) => "blockchain.scripthash.subscribe",
        (Naming::Hash, ScriptQuestion::Unsubscribe) => "blockchain.scripthash.unsubscribe",
        (Naming::Pubkey, ScriptQuestion::Balance) => "blockchain.scriptpubkey.get_balance",
        (Naming::Pubkey, ScriptQuestion::History) => "blockchain.scriptpubkey.get_history",
        (Naming::Pubkey, ScriptQuestion::Mempool) => "blockchain.scriptpubkey.get_mempool",
        (Naming::Pubkey, ScriptQuestion::Unspent) => "blockchain.scriptpubkey.listunspent",
        (Naming::Pubkey, ScriptQuestion::Subscribe) => "blockchain.scriptpubkey.subscribe",
        (Naming::Pubkey, ScriptQuestion::Unsubscribe) => "blockchain.scriptpubkey.unsubscribe",
    }
}
