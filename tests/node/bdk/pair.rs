//! A BDK wallet, and a wallet of bitcoind that watches its scripts; both must see the same.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bdk_electrum::BdkElectrumClient;
use bdk_electrum::electrum_client::{Client, ConfigBuilder, Error};
use bdk_wallet::{KeychainKind, SignOptions, Wallet};
use bitcoin::bip32::Xpriv;
use bitcoin::{Network, OutPoint, Psbt, ScriptBuf, Transaction, Txid};
use hekte_testkit::hekte::Hekte;
use hekte_testkit::rpc::{Rpc, satoshi};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

pub const EXTERNAL: KeychainKind = KeychainKind::External;
/// Number of scripts in one request.
const BATCH: usize = 7;

/// A coin as both sides describe it: its outpoint, its value, whether it is confirmed.
pub type Seen = BTreeSet<(OutPoint, u64, bool)>;

/// The wallet, its connection to hekte, and a wallet of bitcoind that watches its scripts.
pub struct Pair {
    pub wallet: Wallet,
    pub electrum: BdkElectrumClient<Client>,
    pub watch: Rpc,
}

fn key() -> Xpriv {
    Xpriv::new_master(Network::Regtest, &[0xbd; 32]).expect("a key")
}

fn descriptors() -> [String; 2] {
    let key = key();
    [0, 1].map(|keychain| format!("wpkh({key}/84h/1h/0h/{keychain}/*)"))
}

fn new_wallet() -> Wallet {
    let [external, internal] = descriptors();
    let wallet = Wallet::create(external, internal).network(Network::Regtest);
    wallet.create_wallet_no_persist().expect("descriptors")
}

fn connect(hekte: &Hekte) -> BdkElectrumClient<Client> {
    let config = ConfigBuilder::new().timeout(Some(Duration::from_secs(20))).build();
    let client = Client::from_config(&format!("tcp://{}", hekte.address()), config);
    BdkElectrumClient::new(client.expect("it connects"))
}

/// A wallet of bitcoind without keys that watches the first 100 scripts of both keychains.
fn watching(world: &World, wallet: &Wallet) -> Rpc {
    world.node.rpc.call("createwallet", json!(["watch", true, true]));
    let watch = world.node.rpc.wallet("watch");
    let import = |keychain: KeychainKind| {
        let descriptor = wallet.public_descriptor(keychain).to_string();
        let internal = keychain == KeychainKind::Internal;
        json!({"desc": descriptor, "range": [0, 99], "timestamp": 0, "internal": internal})
    };
    let both = [EXTERNAL, KeychainKind::Internal].map(import);
    let done = watch.call("importdescriptors", json!([both]));
    assert!(done.as_array().expect("a list").iter().all(|one| one["success"] == true), "{done}");
    watch
}

impl Pair {
    pub fn new(world: &World, hekte: &Hekte) -> Pair {
        let wallet = new_wallet();
        let watch = watching(world, &wallet);
        Pair { wallet, electrum: connect(hekte), watch }
    }

    /// A wallet from the same seed words that has not synced yet.
    pub fn restored(&self, hekte: &Hekte) -> Pair {
        Pair { wallet: new_wallet(), electrum: connect(hekte), watch: self.watch.clone() }
    }

    /// Scans from nothing, as after restoring the wallet from its seed words.
    pub fn full_scan(&mut self) {
        let request = self.wallet.start_full_scan();
        let found = self.electrum.full_scan(request, 20, BATCH, true).expect("a scan");
        self.wallet.apply_update(found).expect("it connects to what is known");
    }

    fn sync(&mut self) -> Result<(), Error> {
        let request = self.wallet.start_sync_with_revealed_spks();
        let found = self.electrum.sync(request, BATCH, true)?;
        self.wallet.apply_update(found).expect("it connects to what is known");
        Ok(())
    }

    pub fn coins(&self) -> Seen {
        let coins = self.wallet.list_unspent();
        coins
            .map(|c| (c.outpoint, c.txout.value.to_sat(), c.chain_position.is_confirmed()))
            .collect()
    }

    /// The confirmations of each transaction that is not replaced; 0 if it is unconfirmed.
    pub fn transactions(&self) -> HashMap<Txid, i64> {
        let tip = self.wallet.latest_checkpoint().height();
        let seen = self.wallet.transactions().map(|tx| {
            let height = tx.chain_position.confirmation_height_upper_bound();
            (tx.tx_node.txid, height.map_or(0, |height| i64::from(tip - height) + 1))
        });
        seen.collect()
    }

    /// Whether tip, coins, transactions and balance are those of bitcoind.
    pub fn agrees(&self, world: &World) -> bool {
        let checkpoint = self.wallet.latest_checkpoint();
        let tip = (checkpoint.height(), checkpoint.hash());
        let balance = self.wallet.balance();
        let theirs = self.watch.call("getbalances", json!([]))["mine"].clone();
        let sums = ["trusted", "untrusted_pending", "immature"].map(|sum| satoshi(&theirs[sum]));
        tip == (world.node.height(), world.node.tip())
            && self.coins() == coins_of(&self.watch)
            && self.transactions() == transactions_of(&self.watch)
            && balance.total().to_sat() == sums.iter().sum::<u64>()
            && balance.immature.to_sat() == sums[2]
    }

    /// Syncs until both agree. News of bitcoind may reach hekte a second later, and a block that
    /// BDK was told of may be replaced before BDK asks for it.
    pub fn follow(&mut self, world: &World, what: &str) {
        let end = Instant::now() + PATIENCE / 2;
        loop {
            let synced = self.sync();
            if synced.is_ok() && self.agrees(world) {
                return;
            }
            let ours = (self.coins(), self.transactions(), self.wallet.balance());
            let theirs = (coins_of(&self.watch), transactions_of(&self.watch));
            let late = Instant::now() >= end;
            assert!(!late, "{what}: {synced:?}: BDK {ours:?}\nbitcoind {theirs:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn send(&mut self, mut psbt: Psbt) -> Transaction {
        psbt.sign(&key(), self.wallet.secp_ctx()).expect("keys");
        let done = self.wallet.finalize_psbt(&mut psbt, SignOptions::default());
        assert!(done.expect("signatures"));
        let tx = psbt.extract_tx().expect("a sane fee");
        let txid = self.electrum.transaction_broadcast(&tx).expect("bitcoind takes it");
        assert_eq!(txid, tx.compute_txid());
        tx
    }

    /// An address that was not given out before.
    pub fn script(&mut self) -> ScriptBuf {
        self.wallet.reveal_next_address(EXTERNAL).script_pubkey()
    }

    pub fn confirmations(&self, tx: &Transaction) -> Option<i64> {
        self.transactions().get(&tx.compute_txid()).copied()
    }
}

pub fn coins_of(watch: &Rpc) -> Seen {
    let unripe = json!({"include_immature_coinbase": true});
    let coins = watch.call("listunspent", json!([0, 9_999_999, [], true, unripe]));
    let coin = |coin: &Value| {
        let txid = coin["txid"].as_str().expect("a txid").parse().expect("a txid");
        let vout = coin["vout"].as_u64().expect("an index") as u32;
        let confirmed = coin["confirmations"].as_i64() > Some(0);
        (OutPoint { txid, vout }, satoshi(&coin["amount"]), confirmed)
    };
    coins.as_array().expect("a list").iter().map(coin).collect()
}

fn transactions_of(watch: &Rpc) -> HashMap<Txid, i64> {
    let pool = watch.call("getrawmempool", json!([]));
    let waits = |txid: &Value| pool.as_array().expect("a list").contains(txid);
    let list = watch.call("listtransactions", json!(["*", 1000, 0, true]));
    let entry = |tx: &Value| {
        let confirmations = tx["confirmations"].as_i64().expect("a number");
        let txid = tx["txid"].as_str().expect("a txid").parse().expect("a txid");
        // bitcoind also lists transactions that were replaced
        (confirmations > 0 || waits(&tx["txid"])).then_some((txid, confirmations))
    };
    list.as_array().expect("a list").iter().filter_map(entry).collect()
}
