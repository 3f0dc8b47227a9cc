//! The parameters of a network: its name, magic and first block.

use bitcoin::Network;
use bitcoin::blockdata::constants::genesis_block;
use bitcoin::consensus::serialize;

use crate::blockfile::frames::Magic;
use crate::ids::{BlockHash, HeaderBytes, PrefixBits};
use crate::parse::tx::header;

/// The network that is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainParams {
    /// Its name.
    pub network: Network,
    /// The bytes in front of each record; custom signets have their own.
    pub magic: Magic,
    /// Hash of the first block.
    pub genesis: BlockHash,
    /// The header of the first block.
    pub genesis_header: HeaderBytes,
}

impl ChainParams {
    /// The parameters of a network known by name. All signets share one genesis.
    pub fn of(network: Network) -> ChainParams {
        let mut genesis_header = [0; 80];
        genesis_header.copy_from_slice(&serialize(&genesis_block(network).header));
        ChainParams {
            network,
            magic: network.magic().to_bytes(),
            genesis: header::hash(&genesis_header),
            genesis_header,
        }
    }

    /// Bits of a prefix that the runs of an index hold: five or six more than are needed to count
    /// the postings of the largest chain to be expected, so that only a few in a hundred look-ups
    /// meet a foreign posting. The main chain has 2^32.5 postings; a regtest chain of 50
    /// million transactions, which the benchmarks make, has 2^27.8.
    pub fn prefix_bits(&self) -> PrefixBits {
        PrefixBits::new(match self.network {
            Network::Bitcoin => 38,
            Network::Regtest => 34,
            _ => 36,
        })
    }

    /// The parameters with another magic, for a custom signet.
    pub fn with_magic(self, magic: Magic) -> ChainParams {
        ChainParams { magic, ..self }
    }
}
