//! One match from typed method to answer.

use std::time::Instant;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, OutPoint, Txid};

use crate::ids::{Height, ScriptHash};
use crate::limits::{MAX_HEADERS_PER_REPLY, MAX_RECENT_TRANSACTIONS, MAX_REPLY_BYTES};
use crate::metrics;
use crate::parse::tx::header;
use crate::protocol::json::Json;
use crate::protocol::message::{self, ErrorObject, INTERNAL, INVALID_REQUEST};
use crate::protocol::method::{Method, Naming, ScriptQuestion};
use crate::protocol::reply;
use crate::protocol::version::Version;
use crate::query::answers::{Coin, HeaderProof, HistoryEntry, OutpointStatus};
use crate::session::faults::{client_full, crowded, server_full, wire_error};
use crate::session::subscription::{OutpointWatch, ScriptWatch};
use crate::session::talk::{Job, Session};

/// A result or the error object of the reply.
pub type Outcome = Result<Json, ErrorObject>;

/// Whether there is memory for an answer of so many bytes, which is then held for it.
pub type Room<'a> = &'a mut (dyn FnMut(usize) -> bool + Send);

impl Session {
    /// Asks a question and gives its reply line. May block for as long as the disk or bitcoind
    /// does, unless the job is light.
    pub fn run(&self, job: &Job) -> String {
        self.run_within(job, &mut |_| true)
    }

    /// The same; `room` is asked before a long answer is made whether there is memory for so many
    /// bytes.
    pub fn run_within(&self, job: &Job, room: Room<'_>) -> String {
        let begun = Instant::now();
        let outcome = match self.outcome(&job.method, job.version, room) {
            Ok(json) if json.as_str().len() > MAX_REPLY_BYTES => {
                let text = format!("response too large: more than {} MiB", MAX_REPLY_BYTES >> 20);
                Err(ErrorObject::new(INVALID_REQUEST, text))
            }
            outcome => outcome,
        };
        metrics::QUERY_ERRORS.add(usize::from(outcome.is_err()));
        let reply = message::reply(&job.id, outcome);
        metrics::QUERIES.add(job.method.name(), begun.elapsed());
        reply
    }

    fn outcome(&self, method: &Method, version: Version, room: Room<'_>) -> Outcome {
        let config = &self.shared.config;
        match method {
            Method::BlockHeader { height, checkpoint } => self.block_header(*height, *checkpoint),
            Method::BlockHeaders { start, count, checkpoint } => {
                self.block_headers(version, *start, *count, *checkpoint)
            }
            Method::HeadersSubscribe => Ok(self.subscribe_tip()),
            Method::Script { question, script, naming } => {
                self.script(*question, script, *naming, room)
            }
            Method::OutpointStatus(outpoint) => Ok(outpoint_json(&self.outpoint(outpoint)?)),
            Method::OutpointSubscribe(outpoint) => self.subscribe_outpoint(outpoint),
            Method::OutpointUnsubscribe(outpoint) => Ok(self.unsubscribe_outpoint(outpoint)),
            Method::Transaction { txid, verbose } => self.transaction(txid, *verbose),
            Method::Merkle { txid, height } => self.merkle(txid, *height),
            Method::IdFromPosition { height, pos, merkle } => {
                let proof = self.shared.answers.at_position(*height, *pos).map_err(wire_error)?;
                Ok(match merkle {
                    true => reply::id_with_merkle(&proof.txid, &proof.branch),
                    false => reply::txid(&proof.txid),
                })
            }
            Method::ConfirmedBlockHash { txid, include_header } => {
                self.confirmed_block(txid, *include_header)
            }
            Method::Broadcast(transaction) => self.broadcast(transaction),
            Method::BroadcastPackage { transactions, verbose } => {
                self.broadcast_package(transactions, *verbose)
            }
            Method::TestMempoolAccept(transactions) => self.test_mempool_accept(transactions),
            Method::EstimateFee { blocks, mode } => self.estimate_fee(*blocks, *mode),
            Method::RelayFee => self.relay_fee(),
            Method::MempoolInfo => self.mempool_info(),
            Method::FeeHistogram => Ok(reply::fee_histogram(&self.shared.answers.fee_histogram())),
            Method::MempoolRecent => {
                Ok(reply::recent(&self.shared.answers.recent(MAX_RECENT_TRANSACTIONS)))
            }
            // answered while reading, because later lines depend on it
            Method::Version { .. } => Err(ErrorObject::new(INTERNAL, "version came too late")),
            Method::Ping { pong_chars } => Ok(reply::pong(*pong_chars)),
            Method::Features => Ok(config.features(version)),
            Method::Banner => Ok(Json::text(&self.shared.texts().banner)),
            Method::DonationAddress => Ok(Json::text(&self.shared.texts().donation_address)),
            Method::PeersSubscribe => Ok(Json::array([])),
            Method::AddPeer => Ok(Json::bool(false)),
            Method::Report => Ok(Json::value(&self.shared.answers.report())),
        }
    }

    fn block_header(&self, height: Height, checkpoint: Option<Height>) -> Outcome {
        let answers = &self.shared.answers;
        let Some(checkpoint) = checkpoint else {
            let header = answers.header(height).map_err(wire_error)?;
            return Ok(reply::header(&header, None));
        };
        let proven = answers.proven_headers(height, 1, checkpoint).map_err(wire_error)?;
        match &proven {
            (headers, Some(proof)) if headers.len() == 1 => {
                Ok(reply::header(&headers[0], Some(proof_parts(proof))))
            }
            _ => {
                let text = format!("height {height} is above the tip");
                Err(ErrorObject::new(message::BAD_REQUEST, text))
            }
        }
    }

    /// The proof is for the last header that is there, as ElectrumX reads the protocol.
    fn block_headers(
        &self,
        version: Version,
        start: Height,
        count: u32,
        checkpoint: Option<Height>,
    ) -> Outcome {
        let answers = &self.shared.answers;
        let count = count.min(MAX_HEADERS_PER_REPLY);
        let proven = match checkpoint {
            Some(checkpoint) => answers.proven_headers(start, count, checkpoint),
            None => answers.headers(start, count).map(|headers| (headers, None)),
        };
        let (headers, proof) = proven.map_err(wire_error)?;
        Ok(reply::headers(version, &headers, proof.as_ref().map(proof_parts)))
    }

    fn subscribe_tip(&self) -> Json {
        let tip = self.shared.answers.tip();
        self.state().watching.tip_told = Some(tip);
        reply::tip(tip.height, &tip.header)
    }

    fn script(
        &self,
        question: ScriptQuestion,
        script: &ScriptHash,
        naming: Naming,
        room: Room<'_>,
    ) -> Outcome {
        let answers = &self.shared.answers;
        let mut told = Err(crowded());
        match question {
            ScriptQuestion::Balance => {
                let balance = answers.balance(script).map_err(wire_error)?;
                Ok(reply::balance(balance.confirmed, balance.unconfirmed))
            }
            ScriptQuestion::History => {
                let mut tell = |count, entries: &mut dyn Iterator<Item = HistoryEntry>| {
                    if room(reply::history_bytes(count)) {
                        told = history(naming, count, entries);
                    }
                };
                answers.tell_history(script, &mut tell).map_err(wire_error)?;
                told
            }
            ScriptQuestion::Mempool => {
                let entries = answers.mempool_history(script).map_err(wire_error)?;
                history(naming, entries.len(), &mut entries.into_iter())
            }
            ScriptQuestion::Unspent => {
                let mut tell = |count, coins: &mut dyn Iterator<Item = Coin>| {
                    if room(reply::unspent_bytes(count)) {
                        let wired = |c: Coin| (c.outpoint, c.height.map_or(0, |h| h.0), c.value);
                        told = reply::unspent(naming, count, coins.map(wired));
                    }
                };
                answers.tell_unspent(script, &mut tell).map_err(wire_error)?;
                told
            }
            ScriptQuestion::Subscribe => self.subscribe_script(script, naming),
            ScriptQuestion::Unsubscribe => {
                let was = self.state().watching.scripts.remove(script).is_some();
                self.shared.unwatch(usize::from(was));
                Ok(Json::bool(was))
            }
        }
    }

    fn subscribe_script(&self, script: &ScriptHash, naming: Naming) -> Outcome {
        let answers = &self.shared.answers;
        // asked first: a full list must not cost a look into the index
        self.room_for_script(script)?;
        let told = answers.status(script).map_err(wire_error)?;
        let mut state = self.state();
        if !state.watching.scripts.contains_key(script) && !self.shared.watch_one() {
            return Err(server_full());
        }
        let watch = ScriptWatch { naming, told, stale: false };
        state.watching.scripts.insert(*script, watch);
        Ok(reply::status(told))
    }

    fn room_for_script(&self, script: &ScriptHash) -> Result<(), ErrorObject> {
        let (state, max) = (self.state(), self.shared.config.max_scripts);
        let scripts = &state.watching.scripts;
        match scripts.len() >= max && !scripts.contains_key(script) {
            true => Err(client_full(max, "scripts")),
            false => Ok(()),
        }
    }

    fn outpoint(&self, outpoint: &OutPoint) -> Result<OutpointStatus, ErrorObject> {
        self.shared.answers.outpoint(outpoint).map_err(wire_error)
    }

    fn subscribe_outpoint(&self, outpoint: &OutPoint) -> Outcome {
        let told = self.outpoint(outpoint)?;
        let json = outpoint_json(&told);
        let (mut state, max) = (self.state(), self.shared.config.max_outpoints);
        let outpoints = &mut state.watching.outpoints;
        if !outpoints.contains_key(outpoint) {
            if outpoints.len() >= max {
                return Err(client_full(max, "outpoints"));
            }
            if !self.shared.watch_one() {
                return Err(server_full());
            }
        }
        outpoints.insert(*outpoint, OutpointWatch { told, stale: false });
        Ok(json)
    }

    fn unsubscribe_outpoint(&self, outpoint: &OutPoint) -> Json {
        let was = self.state().watching.outpoints.remove(outpoint).is_some();
        self.shared.unwatch(usize::from(was));
        Json::bool(was)
    }

    fn transaction(&self, txid: &Txid, verbose: bool) -> Outcome {
        let answers = &self.shared.answers;
        match verbose {
            true => answers.transaction_verbose(txid).map(|value| Json::value(&value)),
            false => answers.transaction(txid).map(|bytes| Json::hex(&bytes)),
        }
        .map_err(wire_error)
    }

    fn merkle(&self, txid: &Txid, height: Option<Height>) -> Outcome {
        let answers = &self.shared.answers;
        let height = match height {
            Some(height) => height,
            None => answers.block_of(txid).map_err(wire_error)?.1,
        };
        let proof = answers.merkle_proof(txid, height).map_err(wire_error)?;
        Ok(reply::merkle(proof.height, proof.pos, &proof.branch))
    }

    fn confirmed_block(&self, txid: &Txid, include_header: Option<bool>) -> Outcome {
        let answers = &self.shared.answers;
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

fn proof_parts(proof: &HeaderProof) -> reply::Proof<'_> {
    (&proof.branch, &proof.root)
}

fn history(
    naming: Naming,
    count: usize,
    entries: &mut dyn Iterator<Item = HistoryEntry>,
) -> Outcome {
    reply::history(naming, count, entries.map(|e| (e.txid, e.confirmation.wire_height(), e.fee)))
}

/// The status of an outpoint as replies and notifications carry it.
pub(super) fn outpoint_json(status: &OutpointStatus) -> Json {
    let spender = status.spender.map(|(txid, place)| (txid, place.wire_height()));
    reply::outpoint(status.funder.map(|place| place.wire_height()), spender)
}
