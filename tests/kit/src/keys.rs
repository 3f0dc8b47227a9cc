//! Deterministic keys, and a cache of the scripts made from them.

use std::collections::HashMap;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::key::{Keypair, TapTweak, TweakedPublicKey};
use bitcoin::secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey};
use bitcoin::{ScriptBuf, ecdsa, taproot};

use crate::script::{self, Owner};

/// Keys by number: key `n` of a seed is always the same key. Each is made when it is first used.
#[derive(Clone)]
pub struct KeyRing {
    secp: Secp256k1<All>,
    seed: u64,
    pairs: HashMap<u64, Keypair>,
    tweaked: HashMap<u64, Keypair>,
    scripts: HashMap<Owner, ScriptBuf>,
}

impl KeyRing {
    pub fn new(seed: u64) -> Self {
        let secp = Secp256k1::new();
        let (pairs, tweaked, scripts) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { secp, seed, pairs, tweaked, scripts }
    }

    /// The key pair with a number.
    pub fn pair(&mut self, key: u64) -> Keypair {
        let (secp, seed) = (&self.secp, self.seed);
        *self.pairs.entry(key).or_insert_with(|| {
            let mut text = b"hekte test key".to_vec();
            text.extend_from_slice(&seed.to_be_bytes());
            text.extend_from_slice(&key.to_be_bytes());
            let secret = sha256::Hash::hash(&text).to_byte_array();
            let secret = SecretKey::from_slice(&secret).expect("a hash is nearly always a key");
            Keypair::from_secret_key(secp, &secret)
        })
    }

    pub fn public(&mut self, key: u64) -> PublicKey {
        self.pair(key).public_key()
    }

    /// The output key of BIP86 for a key.
    pub fn taproot_output(&mut self, key: u64) -> TweakedPublicKey {
        let public = self.tweaked(key).x_only_public_key().0;
        TweakedPublicKey::dangerous_assume_tweaked(public)
    }

    fn tweaked(&mut self, key: u64) -> Keypair {
        let pair = self.pair(key);
        let secp = &self.secp;
        *self.tweaked.entry(key).or_insert_with(|| pair.tap_tweak(secp, None).to_keypair())
    }

    /// The scriptPubKey of an owner; each is built only once.
    pub(crate) fn script(&mut self, owner: Owner) -> ScriptBuf {
        if let Some(known) = self.scripts.get(&owner) {
            return known.clone();
        }
        let script = script::build(self, owner);
        self.scripts.insert(owner, script.clone());
        script
    }

    /// A DER signature with the SIGHASH_ALL byte.
    pub fn ecdsa(&mut self, key: u64, digest: [u8; 32]) -> Vec<u8> {
        let secret = self.pair(key).secret_key();
        let signature = self.secp.sign_ecdsa(&Message::from_digest(digest), &secret);
        ecdsa::Signature::sighash_all(signature).to_vec()
    }

    /// A BIP340 signature of the tweaked key, SIGHASH_DEFAULT, without auxiliary randomness.
    pub fn schnorr(&mut self, key: u64, digest: [u8; 32]) -> Vec<u8> {
        let pair = self.tweaked(key);
        let signature = self.secp.sign_schnorr_no_aux_rand(&Message::from_digest(digest), &pair);
        let sighash_type = bitcoin::TapSighashType::Default;
        taproot::Signature { signature, sighash_type }.to_vec()
    }
}
