//! Fills in the input scripts and witnesses that make a transaction valid.

use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::{
    Amount, EcdsaSighashType, PublicKey, ScriptBuf, TapSighashType, Transaction, TxOut, Witness,
};

use crate::keys::KeyRing;
use crate::rng::Rng;
use crate::script::{self, Kind};
use crate::wallet::Coin;

/// Signs every input; `coins[i]` is what input `i` spends.
pub fn sign(tx: &mut Transaction, coins: &[Coin], ring: &mut KeyRing, rng: &mut Rng) {
    let mut done = Vec::with_capacity(coins.len());
    let spent: Vec<TxOut> = if coins.iter().any(|c| c.owner.kind == Kind::P2tr) {
        coins.iter().map(|c| c.output(ring)).collect()
    } else {
        Vec::new() // only taproot signs over all spent outputs
    };
    {
        let mut signer = Signer { cache: SighashCache::new(&*tx), spent: &spent, ring };
        for (index, coin) in coins.iter().enumerate() {
            done.push(signer.input(index, coin, rng));
        }
    }
    for (input, (script, witness)) in tx.input.iter_mut().zip(done) {
        input.script_sig = script;
        input.witness = witness;
    }
}

/// Signs the inputs of one transaction.
struct Signer<'a> {
    cache: SighashCache<&'a Transaction>,
    /// All outputs that the transaction spends, if a taproot input signs over them.
    spent: &'a [TxOut],
    ring: &'a mut KeyRing,
}

impl Signer<'_> {
    fn input(&mut self, index: usize, coin: &Coin, rng: &mut Rng) -> (ScriptBuf, Witness) {
        let (kind, key) = (coin.owner.kind, coin.owner.key);
        let bare = |script: Builder| (script.into_script(), Witness::new());
        match kind {
            Kind::Empty => bare(Builder::new().push_int(1)),
            Kind::OpenBare => bare(Builder::new()),
            Kind::OpenSh => {
                let redeem = script::redeem(self.ring, coin.owner).into_bytes();
                let fill = script::push(rng.bytes(72));
                bare(Builder::new().push_slice(fill).push_slice(script::push(redeem)))
            }
            Kind::OpenWsh => {
                let redeem = script::redeem(self.ring, coin.owner);
                (ScriptBuf::new(), Witness::from_slice(&[&rng.bytes(72)[..], redeem.as_bytes()]))
            }
            Kind::P2tr => {
                let all = Prevouts::All(self.spent);
                let hash = self
                    .cache
                    .taproot_key_spend_signature_hash(index, &all, TapSighashType::Default)
                    .expect("as many outputs as inputs");
                let signature = self.ring.schnorr(key, hash.to_byte_array());
                (ScriptBuf::new(), Witness::from_slice(&[signature]))
            }
            Kind::P2wpkh | Kind::P2shP2wpkh | Kind::P2wshMultisig => self.segwit(index, coin),
            _ => (self.legacy(index, coin), Witness::new()),
        }
    }

    fn segwit(&mut self, index: usize, coin: &Coin) -> (ScriptBuf, Witness) {
        let (all, value) = (EcdsaSighashType::All, Amount::from_sat(coin.value));
        let redeem = script::redeem(self.ring, coin.owner);
        let key = coin.owner.key;
        if coin.owner.kind == Kind::P2wshMultisig {
            let hash =
                self.cache.p2wsh_signature_hash(index, &redeem, value, all).expect("index fits");
            let first = self.ring.ecdsa(key, hash.to_byte_array());
            let second = self.ring.ecdsa(key + 2, hash.to_byte_array());
            let items: [&[u8]; 4] = [&[], &first, &second, redeem.as_bytes()];
            return (ScriptBuf::new(), Witness::from_slice(&items));
        }
        let hash =
            self.cache.p2wpkh_signature_hash(index, &redeem, value, all).expect("a p2wpkh script");
        let signature = self.ring.ecdsa(key, hash.to_byte_array());
        let public = self.ring.public(key).serialize();
        let witness = Witness::from_slice(&[&signature[..], &public[..]]);
        if coin.owner.kind == Kind::P2wpkh {
            return (ScriptBuf::new(), witness);
        }
        (Builder::new().push_slice(script::push(redeem.into_bytes())).into_script(), witness)
    }

    fn legacy(&mut self, index: usize, coin: &Coin) -> ScriptBuf {
        let (kind, key) = (coin.owner.kind, coin.owner.key);
        let code = script::redeem(self.ring, coin.owner); // the scriptPubKey itself unless p2sh
        let all = EcdsaSighashType::All.to_u32();
        let hash = self.cache.legacy_signature_hash(index, &code, all).expect("index fits");
        let hash = hash.to_byte_array();
        let signature = script::push(self.ring.ecdsa(key, hash));
        let script = Builder::new();
        match kind {
            Kind::P2pk | Kind::P2pkUncompressed => script.push_slice(signature).into_script(),
            Kind::P2pkh => {
                let public = PublicKey::new(self.ring.public(key));
                script.push_slice(signature).push_key(&public).into_script()
            }
            Kind::Multisig => script.push_int(0).push_slice(signature).into_script(),
            Kind::P2shMultisig => {
                let second = script::push(self.ring.ecdsa(key + 2, hash));
                let code = script::push(code.into_bytes());
                let script = script.push_int(0).push_slice(signature);
                script.push_slice(second).push_slice(code).into_script()
            }
            _ => unreachable!("not a legacy kind"),
        }
    }
}
