//! What bitcoind says about its mempool: the txids, and single transactions with their fees.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bitcoin::hex::FromHex;
use bitcoin::{Amount, Denomination, Txid};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::error::RpcError;
use super::rpc::Rpc;

/// The largest list of txids that is read: 67 bytes each, for a million transactions.
const LIST_BYTES_MAX: u64 = 128 << 20;

/// A transaction of the mempool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolTx {
    /// Serialised, with witnesses.
    pub raw: Vec<u8>,
    /// Satoshi, its own only.
    pub fee: u64,
    /// Virtual bytes.
    pub vsize: u32,
}

impl Rpc {
    /// `getrawmempool`: all txids.
    pub fn mempool_txids(&self) -> Result<Vec<Txid>, RpcError> {
        let list: TxidList =
            self.with_max_reply(LIST_BYTES_MAX).call_as("getrawmempool", vec![])?;
        Ok(list.0)
    }

    /// `getmempoolentry` and `getrawtransaction` of each txid; `None` for one that is gone.
    pub fn mempool_transactions(&self, txids: &[Txid]) -> Result<Vec<Option<PoolTx>>, RpcError> {
        let mut calls = Vec::with_capacity(txids.len() * 2);
        for txid in txids {
            let id = json!(txid.to_string());
            calls.push(("getmempoolentry", vec![id.clone()]));
            calls.push(("getrawtransaction", vec![id]));
        }
        let replies = self.batch(&calls)?;
        let one = |pair: &[Result<Value, RpcError>]| match pair {
            [Ok(entry), Ok(raw)] => Ok(read(entry, raw)),
            [Err(RpcError::Method { .. }), _] | [_, Err(RpcError::Method { .. })] => Ok(None),
            [Err(error), _] | [_, Err(error)] => Err(error.clone()),
            _ => Ok(None),
        };
        replies.chunks(2).map(one).collect()
    }
}

/// From the two answers; `None` if they are not what Core documents.
fn read(entry: &Value, raw: &Value) -> Option<PoolTx> {
    let fee = entry.get("fees")?.get("base")?;
    let fee = Amount::from_str_in(&fee.to_string(), Denomination::Bitcoin).ok()?;
    let vsize = u32::try_from(entry.get("vsize")?.as_u64()?).ok()?;
    Some(PoolTx { raw: Vec::from_hex(raw.as_str()?).ok()?, fee: fee.to_sat(), vsize })
}

/// A list of txids read without a tree of JSON values.
pub struct TxidList(pub Vec<Txid>);

impl<'de> Deserialize<'de> for TxidList {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_seq(ListVisitor)
    }
}

/// Reads the list item by item.
struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = TxidList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of txids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<TxidList, A::Error> {
        let mut txids = Vec::new();
        while let Some(text) = items.next_element::<Cow<'de, str>>()? {
            txids.push(Txid::from_str(&text).map_err(serde::de::Error::custom)?);
        }
        Ok(TxidList(txids))
    }
}
