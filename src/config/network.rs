//! The chains we know: their names, folders, ports and magic bytes.

use std::fmt;

use bitcoin::consensus::encode::{VarInt, serialize};

use crate::hash::sha256d;

/// A chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The main chain.
    Bitcoin,
    /// The third test chain.
    Testnet3,
    /// The fourth test chain.
    Testnet4,
    /// The signed test chain, or one with a challenge of its own.
    Signet,
    /// A private chain for tests.
    Regtest,
}

impl Network {
    /// All chains.
    pub const ALL: [Network; 5] =
        [Network::Bitcoin, Network::Testnet3, Network::Testnet4, Network::Signet, Network::Regtest];

    /// Parses the names that nodes, wallets and other servers use.
    pub fn parse(text: &str) -> Result<Network, String> {
        match text.trim().to_lowercase().as_str() {
            "bitcoin" | "mainnet" | "main" => Ok(Network::Bitcoin),
            "testnet" | "testnet3" | "test" => Ok(Network::Testnet3),
            "testnet4" => Ok(Network::Testnet4),
            "signet" => Ok(Network::Signet),
            "regtest" => Ok(Network::Regtest),
            _ => Err(format!(
                "`{text}` is no network -> bitcoin, testnet3, testnet4, signet or regtest"
            )),
        }
    }

    /// hekte's name for the chain.
    pub fn name(self) -> &'static str {
        match self {
            Network::Bitcoin => "bitcoin",
            Network::Testnet3 => "testnet3",
            Network::Testnet4 => "testnet4",
            Network::Signet => "signet",
            Network::Regtest => "regtest",
        }
    }

    /// bitcoind's name for the chain, as in `getblockchaininfo`.
    pub fn node_name(self) -> &'static str {
        match self {
            Network::Bitcoin => "main",
            Network::Testnet3 => "test",
            other => other.name(),
        }
    }

    /// The folder below bitcoind's data folder; `None` for the main chain.
    pub fn folder(self) -> Option<&'static str> {
        if self == Network::Bitcoin { None } else { Some(self.name()) }
    }

    /// bitcoind's RPC port.
    pub fn rpc_port(self) -> u16 {
        match self {
            Network::Bitcoin => 8332,
            Network::Testnet3 => 18332,
            Network::Testnet4 => 48332,
            Network::Signet => 38332,
            Network::Regtest => 18443,
        }
    }

    /// The port that wallets and node dashboards expect of an Electrum server.
    pub fn electrum_port(self) -> u16 {
        match self {
            Network::Bitcoin => 50001,
            Network::Testnet3 => 60001,
            Network::Testnet4 => 40001,
            Network::Signet => 60601,
            Network::Regtest => 60401,
        }
    }

    /// The chain as the bitcoin crate names it.
    pub fn params(self) -> bitcoin::Network {
        match self {
            Network::Bitcoin => bitcoin::Network::Bitcoin,
            Network::Testnet3 => bitcoin::Network::Testnet,
            Network::Testnet4 => bitcoin::Network::Testnet4,
            Network::Signet => bitcoin::Network::Signet,
            Network::Regtest => bitcoin::Network::Regtest,
        }
    }

    /// The bytes in front of each block in the block files; custom signets have their own.
    pub fn magic(self) -> [u8; 4] {
        self.params().magic().to_bytes()
    }

    /// The hash of the first block, which all signets share.
    pub fn genesis_hash(self) -> bitcoin::BlockHash {
        bitcoin::constants::genesis_block(self.params()).block_hash()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The magic of a signet: the first 4 bytes of the double SHA-256 of its challenge with the
/// challenge's length in front (BIP 325).
pub fn signet_magic(challenge: &[u8]) -> [u8; 4] {
    let mut text = serialize(&VarInt::from(challenge.len()));
    text.extend_from_slice(challenge);
    let [a, b, c, d, ..] = sha256d(&[&text]);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::config::units;

    #[test]
    fn names_go_there_and_back() {
        for network in Network::ALL {
            assert_eq!(Network::parse(network.name()), Ok(network));
            assert_eq!(Network::parse(network.node_name()), Ok(network));
        }
        assert!(Network::parse("liquid").is_err());
    }

    #[test]
    fn magic_of_the_public_signet_follows_from_its_challenge() {
        let challenge = "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be430\
                         210359ef5021964fe22d6f8e05b2463c9540ce96883fe3b278760f048f5189f2e6c452ae";
        let challenge = units::hex(challenge).unwrap();
        assert_eq!(signet_magic(&challenge), Network::Signet.magic());
        assert_eq!(Network::Signet.magic(), [0x0a, 0x03, 0xcf, 0x40]);
    }
}
