//! Answers questions: one match from typed method to reply.

use std::time::Instant;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Txid};

use crate::ids::{Height, ScriptHash};
use crate::limits::{MAX_HEADERS_PER_REPLY, MAX_RECENT_TRANSACTIONS, MAX_REPLY_BYTES};
use crate::metrics;
use crate::parse::tx::header;
use crate::protocol::json::Json;
use crate::protocol::message::{self, ErrorObject, INTERNAL, INVALID_REQUEST, ReplyBody};
use crate::protocol::method::{Method, Naming, ScriptQuestion};
use crate::protocol::version::Version;
use crate::protocol::{reply, verbose};
use crate::query::answers::{Coin, HistoryEntry};
use crate::session::faults::{no_reply_memory, wire_error};
use crate::session::features::features;
use crate::session::hub::SessionHub;
use crate::session::job::{GrowReply, Job};
use crate::session::node_questions as node;
use crate::session::watch_list::WatchList;

/// What is needed to answer the questions of one client.
pub(super) struct Dispatch<'a> {
    pub(super) hub: &'a SessionHub,
    pub(super) watching: &'a WatchList,
}

impl Dispatch<'_> {
    /// Answers a question and returns the reply line.
    pub(super) fn line(&self, job: &Job, grow: GrowReply<'_>) -> String {
        let begun = Instant::now();
        let body = match self.body(&job.method, job.version, grow) {
            Ok(json) if json.as_str().len() > MAX_REPLY_BYTES => {
                let text = format!("response too large: more than {} MiB", MAX_REPLY_BYTES >> 20);
                Err(ErrorObject::new(INVALID_REQUEST, text))
            }
            body => body,
        };
        metrics::QUERY_ERRORS.add(usize::from(body.is_err()));
        let reply = message::reply(&job.id, body);
        metrics::QUERIES.add(job.method.name(), begun.elapsed());
        reply
    }

    fn body(&self, method: &Method, version: Version, grow: GrowReply<'_>) -> ReplyBody {
        let (hub, watching) = (self.hub, self.watching);
        match method {
            Method::BlockHeader { height, checkpoint } => self.block_header(*height, *checkpoint),
            Method::BlockHeaders { start, count, checkpoint } => {
                self.block_headers(version, *start, *count, *checkpoint)
            }
            Method::HeadersSubscribe => Ok(watching.subscribe_tip()),
            Method::Script { question, script, naming } => {
                self.script(*question, script, *naming, grow)
            }
            Method::OutpointStatus(outpoint) => {
                hub.answers.outpoint(outpoint).map(|s| reply::outpoint(&s)).map_err(wire_error)
            }
            Method::OutpointSubscribe(outpoint) => watching.subscribe_outpoint(outpoint),
            Method::OutpointUnsubscribe(outpoint) => Ok(watching.unsubscribe_outpoint(outpoint)),
            Method::Transaction { txid, verbose } => self.transaction(txid, *verbose),
            Method::Merkle { txid, height } => self.merkle(txid, *height),
            Method::IdFromPosition { height, pos, merkle } => {
                let proof = hub.answers.at_position(*height, *pos).map_err(wire_error)?;
                Ok(match merkle {
                    true => reply::id_with_merkle(&proof),
                    false => reply::txid(&proof.txid),
                })
            }
            Method::ConfirmedBlockHash { txid, include_header } => {
                self.confirmed_block(txid, *include_header)
            }
            Method::Broadcast(transaction) => node::broadcast(&hub.relay, transaction),
            Method::BroadcastPackage { transactions, verbose } => {
                node::broadcast_package(&hub.relay, transactions, *verbose)
            }
            Method::TestMempoolAccept(list) => node::test_mempool_accept(&hub.relay, list),
            Method::EstimateFee { blocks, mode } => node::estimate_fee(&hub.relay, *blocks, *mode),
            Method::RelayFee => node::relay_fee(&hub.relay),
            Method::MempoolInfo => node::mempool_info(&hub.relay),
            Method::FeeHistogram => Ok(reply::fee_histogram(&hub.answers.fee_histogram())),
            Method::MempoolRecent => {
                Ok(reply::recent(&hub.answers.recent(MAX_RECENT_TRANSACTIONS)))
            }
            // `Session::accept` answers it while reading, because later lines depend on it
            Method::Version { .. } => Err(ErrorObject::new(INTERNAL, "version came too late")),
            Method::Ping { pong_chars } => Ok(reply::pong(*pong_chars)),
            Method::Features => Ok(features(&hub.config, version)),
            Method::Banner => Ok(Json::text(&hub.texts().banner)),
            Method::DonationAddress => Ok(Json::text(&hub.texts().donation_address)),
            Method::PeersSubscribe => Ok(Json::array([])),
            Method::AddPeer => Ok(Json::bool(false)),
            Method::StatusReport => Ok(reply::status_report(&hub.answers.status_report())),
        }
    }

    fn block_header(&self, height: Height, checkpoint: Option<Height>) -> ReplyBody {
        let answers = &self.hub.answers;
        let Some(checkpoint) = checkpoint else {
            let header = answers.header(height).map_err(wire_error)?;
            return Ok(reply::header(&header, None));
        };
        let proven = answers.proven_headers(height, 1, checkpoint).map_err(wire_error)?;
        match &proven {
            (headers, Some(proof)) if headers.len() == 1 => {
                Ok(reply::header(&headers[0], Some(proof)))
            }
            _ => {
                let text = format!("height {height} is above the tip");
                Err(ErrorObject::new(message::BAD_REQUEST, text))
            }
        }
    }

    /// The answer to `block.headers`. The proof is for the last header returned, as ElectrumX reads
    /// the protocol.
    fn block_headers(
        &self,
        version: Version,
        start: Height,
        count: u32,
        checkpoint: Option<Height>,
    ) -> ReplyBody {
        let answers = &self.hub.answers;
        let count = count.min(MAX_HEADERS_PER_REPLY);
        let proven = match checkpoint {
            Some(checkpoint) => answers.proven_headers(start, count, checkpoint),
            None => answers.headers(start, count).map(|headers| (headers, None)),
        };
        let (headers, proof) = proven.map_err(wire_error)?;
        Ok(reply::headers(version, &headers, proof.as_ref()))
    }

    fn script(
        &self,
        question: ScriptQuestion,
        script: &ScriptHash,
        naming: Naming,
        grow: GrowReply<'_>,
    ) -> ReplyBody {
        let answers = &self.hub.answers;
        // `list` stays this error if `grow` finds no memory for the list
        let mut list = Err(no_reply_memory());
        match question {
            ScriptQuestion::Balance => {
                let balance = answers.balance(script).map_err(wire_error)?;
                Ok(reply::balance(balance))
            }
            ScriptQuestion::History => {
                let mut sink = |count, entries: &mut dyn Iterator<Item = HistoryEntry>| {
                    if grow(reply::history_bytes(count)) {
                        list = reply::history(naming, count, entries);
                    }
                };
                answers.history_into(script, &mut sink).map_err(wire_error)?;
                list
            }
            ScriptQuestion::Mempool => {
                let entries = answers.mempool_history(script).map_err(wire_error)?;
                reply::history(naming, entries.len(), entries.into_iter())
            }
            ScriptQuestion::Unspent => {
                let mut sink = |count, coins: &mut dyn Iterator<Item = Coin>| {
                    if grow(reply::unspent_bytes(count)) {
                        list = reply::unspent(naming, count, coins);
                    }
                };
                answers.unspent_into(script, &mut sink).map_err(wire_error)?;
                list
            }
            ScriptQuestion::Subscribe => self.watching.subscribe_script(script, naming),
            ScriptQuestion::Unsubscribe => Ok(self.watching.unsubscribe_script(script)),
        }
    }

    fn transaction(&self, txid: &Txid, in_full: bool) -> ReplyBody {
        let answers = &self.hub.answers;
        match in_full {
            true => answers.transaction_verbose(txid).map(verbose::verbose),
            false => answers.transaction(txid).map(|bytes| Json::hex(&bytes)),
        }
        .map_err(wire_error)
    }

    fn merkle(&self, txid: &Txid, height: Option<Height>) -> ReplyBody {
        let answers = &self.hub.answers;
        let height = match height {
            Some(height) => height,
            None => answers.block_of(txid).map_err(wire_error)?.1,
        };
        let proof = answers.merkle_proof(txid, height).map_err(wire_error)?;
        Ok(reply::merkle(&proof))
    }

    fn confirmed_block(&self, txid: &Txid, include_header: Option<bool>) -> ReplyBody {
        let answers = &self.hub.answers;
        let (header, height) = answers.block_of(txid).map_err(wire_error)?;
        let hash = header::hash(&header);
        let Some(with_header) = include_header else { return Ok(block_hash(&hash)) };
        let mut fields = vec![("block_hash", block_hash(&hash))];
        if with_header {
            fields.push(("block_header", Json::hex(&header)));
        }
        fields.push(("block_height", Json::int(height.0)));
        Ok(Json::object_of(fields))
    }
}

fn block_hash(hash: &BlockHash) -> Json {
    Json::hash(hash.as_byte_array())
}
