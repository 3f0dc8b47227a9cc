//! What bitcoind says about its chain: state, hashes by height, single blocks.

use std::fmt::Display;
use std::str::FromStr;

use bitcoin::hex::FromHex;
use bitcoin::{Amount, BlockHash, Denomination};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::error::RpcError;
use super::rpc::Rpc;
use crate::ids::{HeaderBytes, Height};

/// Calls per request when asking for hashes; the answer is some 200 KB.
const HASHES_PER_BATCH: u32 = 2000;

/// bitcoind's error for a height it does not have, or a hash it does not know.
const NOT_FOUND_CODES: [i64; 2] = [-8, -5];

/// `getblockchaininfo`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BlockchainInfo {
    /// bitcoind's name of the network: main, test, testnet4, signet, regtest.
    pub chain: String,
    /// Height of its best valid chain.
    pub blocks: u32,
    /// Height of its best header chain; may be below `blocks` for a moment after start.
    pub headers: u32,
    /// Hash of the block at `blocks`.
    #[serde(rename = "bestblockhash", deserialize_with = "from_text")]
    pub best_block_hash: BlockHash,
    /// Unix time in the header of the block at `blocks`; from Core 23 on.
    pub time: Option<u64>,
    /// True during the first download, and after long pauses until caught up.
    #[serde(rename = "initialblockdownload")]
    pub initial_block_download: bool,
    /// From 0 to 1; an estimate.
    #[serde(rename = "verificationprogress")]
    pub verification_progress: f64,
    /// True if it deletes old blocks.
    pub pruned: bool,
    /// Bytes of its blk and rev files.
    pub size_on_disk: u64,
    /// The challenge of a signet in hex; from Core 28 on.
    pub signet_challenge: Option<String>,
    /// Validation of the blocks below an assumeutxo snapshot, while it runs; from Core 31 on.
    #[serde(rename = "backgroundvalidation")]
    background_validation: Option<Background>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Background {
    blocks: u32,
}

/// The last block of bitcoind's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeTip {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
}

/// What `getnetworkinfo` says about the program.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct NetworkInfo {
    /// 290300 is 29.3.
    pub version: u64,
    /// Such as "/Satoshi:29.3.0/Knots:20260508/".
    pub subversion: String,
}

/// What a block's inputs spend, in order: satoshi and script.
pub type SpentOutputs = Vec<(u64, Vec<u8>)>;

impl BlockchainInfo {
    /// The last block.
    pub fn tip(&self) -> NodeTip {
        NodeTip { height: Height(self.blocks), hash: self.best_block_hash }
    }
}

impl Rpc {
    /// The state of the chain.
    pub fn blockchain_info(&self) -> Result<BlockchainInfo, RpcError> {
        self.call_as("getblockchaininfo", vec![])
    }

    /// The program and its version.
    pub fn network_info(&self) -> Result<NetworkInfo, RpcError> {
        self.call_as("getnetworkinfo", vec![])
    }

    /// Up to which height blocks have been checked, and so have undo data, while bitcoind works
    /// from an assumeutxo snapshot; `None` without one.
    pub fn background_height(&self, info: &BlockchainInfo) -> Result<Option<Height>, RpcError> {
        if let Some(background) = &info.background_validation {
            return Ok(Some(Height(background.blocks)));
        }
        // Core 26 to 30 say it only here, and not all whitelists have the method
        let states = match self.call("getchainstates", vec![]) {
            Err(error) if error.is_refused_method() => return Ok(None),
            states => states?,
        };
        let states = states["chainstates"].as_array().cloned().unwrap_or_default();
        let background = states.iter().find(|state| state.get("snapshot_blockhash").is_none());
        let blocks = background.and_then(|state| u32::try_from(state["blocks"].as_u64()?).ok());
        Ok(blocks.filter(|_| states.len() > 1).map(Height))
    }

    /// The hash of the block at a height; `None` above the tip.
    pub fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, RpcError> {
        found(self.call("getblockhash", vec![json!(height.0)]))?
            .map(|hash| self.parse("getblockhash", hash))
            .transpose()
    }

    /// The hashes from `from` to `to`, both included; shorter where the chain ends earlier.
    ///
    /// A reorganisation between two requests can mix two chains: whoever uses them must see that
    /// each block's header names the hash before it.
    pub fn block_hashes(&self, from: Height, to: Height) -> Result<Vec<BlockHash>, RpcError> {
        let mut hashes = Vec::new();
        let mut next = from.0;
        while next <= to.0 {
            let last = to.0.min(next.saturating_add(HASHES_PER_BATCH - 1));
            let calls: Vec<(&str, Vec<Value>)> =
                (next..=last).map(|height| ("getblockhash", vec![json!(height)])).collect();
            for answer in self.batch(&calls)? {
                match found(answer)? {
                    Some(hash) => hashes.push(self.parse("getblockhash", hash)?),
                    None => return Ok(hashes),
                }
            }
            match last.checked_add(1) {
                Some(following) => next = following,
                None => break,
            }
        }
        Ok(hashes)
    }

    /// What a block's inputs spend, in order: satoshi and script. `None` if the node does not say.
    pub fn spent_outputs(&self, hash: &BlockHash) -> Result<Option<SpentOutputs>, RpcError> {
        let answer = self.call("getblock", vec![json!(hash.to_string()), json!(3)]);
        let Some(block) = found(answer)? else { return Ok(None) };
        let txs = block["tx"].as_array().into_iter().flatten().skip(1);
        let inputs = txs.flat_map(|tx| tx["vin"].as_array().into_iter().flatten());
        let output = |input: &Value| {
            let prevout = input.get("prevout")?;
            let value = prevout.get("value")?.to_string();
            let value = Amount::from_str_in(&value, Denomination::Bitcoin).ok()?;
            let script = Vec::from_hex(prevout.get("scriptPubKey")?.get("hex")?.as_str()?).ok()?;
            Some((value.to_sat(), script))
        };
        Ok(inputs.map(output).collect())
    }

    /// The header of a block; `None` if the node does not know it.
    pub fn block_header(&self, hash: &BlockHash) -> Result<Option<HeaderBytes>, RpcError> {
        let params = vec![json!(hash.to_string()), json!(false)];
        let Some(hex) = found(self.call_as::<String>("getblockheader", params))? else {
            return Ok(None);
        };
        let bytes = self.bytes("getblockheader", &hex)?;
        let header = bytes.try_into().map_err(|_| self.misfit("getblockheader"))?;
        Ok(Some(header))
    }

    fn parse<T: FromStr>(&self, method: &str, value: Value) -> Result<T, RpcError> {
        let parsed = value.as_str().and_then(|text| text.parse().ok());
        parsed.ok_or_else(|| self.misfit(method))
    }

    fn bytes(&self, method: &str, hex: &str) -> Result<Vec<u8>, RpcError> {
        Vec::from_hex(hex).map_err(|_| self.misfit(method))
    }

    fn misfit(&self, method: &str) -> RpcError {
        RpcError::Protocol(format!("bitcoind answers {method} with something else than it should"))
    }
}

/// An answer, where "there is none" is an answer too.
fn found<T>(answer: Result<T, RpcError>) -> Result<Option<T>, RpcError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(RpcError::Method { code, .. }) if NOT_FOUND_CODES.contains(&code) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a text in JSON stands for.
pub(super) fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}
