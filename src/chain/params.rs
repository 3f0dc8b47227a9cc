//! What tells one network from another: magic, genesis, folder, ports.

use bitcoin::Network;
use bitcoin::blockdata::constants::genesis_block;
use bitcoin::consensus::serialize;

use crate::blockfile::frames::Magic;
use crate::hash::sha256d;
use crate::ids::HeaderBytes;
use crate::parse::bytes::compact_size_len;
use crate::parse::tx::header;

/// The network that is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainParams {
    /// Its name.
    pub network: Network,
    /// Bytes in front of each record; custom signets have their own.
    pub magic: Magic,
    /// Hash of the first block, internal byte order.
    pub genesis: [u8; 32],
    /// The header of the first block.
    pub genesis_header: HeaderBytes,
}

impl ChainParams {
    /// Of a network known by name. All signets share one genesis.
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

    /// A signet with its own challenge script: the magic is the beginning of the SHA256d of the
    /// challenge as serialised (BIP 325).
    pub fn signet(challenge: &[u8]) -> ChainParams {
        let mut size = vec![challenge.len() as u8];
        if compact_size_len(challenge.len() as u64) > 1 {
            size = vec![0xfd, challenge.len() as u8, (challenge.len() >> 8) as u8];
        }
        let [a, b, c, d, ..] = sha256d(&[&size, challenge]);
        ChainParams { magic: [a, b, c, d], ..ChainParams::of(Network::Signet) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_default_signet_by_its_challenge() {
        // BIP 325: a 1-of-2 multisig, and the magic that follows from it
        let keys = [
            "03ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430",
            "0359ef021964fe22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c4",
        ];
        let challenge = format!("5121{}21{}52ae", keys[0], keys[1]);
        let challenge: Vec<u8> = bitcoin::hex::FromHex::from_hex(&challenge).unwrap();
        assert_eq!(ChainParams::of(Network::Signet).magic, [0x0a, 0x03, 0xcf, 0x40]);
        assert_eq!(ChainParams::signet(&challenge), ChainParams::of(Network::Signet));
    }
}
