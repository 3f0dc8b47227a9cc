//! What differs between our mempool and bitcoind's list.

use crate::ids::Txid;

use super::pool::Mempool;

/// What is to be done to be in step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Not there any more.
    pub gone: Vec<Txid>,
    /// To be fetched.
    pub new: Vec<Txid>,
}

impl Difference {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.new.is_empty()
    }
}

/// Compares with bitcoind's txids, which must be sorted. What was left out for want of memory is
/// new again only if there is `room`.
pub fn difference(pool: &Mempool, theirs: &[Txid], room: bool) -> Difference {
    let is_theirs = |txid: &Txid| theirs.binary_search(txid).is_ok();
    let ours = pool.iter().map(|tx| &tx.txid).chain(pool.left_out());
    let gone = ours.filter(|txid| !is_theirs(txid)).copied().collect();
    let missing = |txid: &&Txid| !pool.contains(txid) && (room || !pool.left_out().contains(*txid));
    Difference { gone, new: theirs.iter().filter(missing).copied().collect() }
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;

    use super::*;
    use crate::mempool::pool::MemTx;

    #[test]
    fn what_was_left_out_is_new_only_where_there_is_room() {
        let id = |n: u8| Txid::from_byte_array([n; 32]);
        let mut pool = Mempool::default();
        for n in 1..=4 {
            let (inputs, outputs) = (Box::default(), Box::default());
            pool.insert(MemTx { txid: id(n), fee: 1, vsize: 1, arrival: 0, inputs, outputs });
        }
        pool.leave_out(&id(2));
        pool.leave_out(&id(3));
        let theirs = [1, 2, 5].map(id);
        let tight = difference(&pool, &theirs, false);
        assert!(tight.gone.contains(&id(3)) && tight.gone.contains(&id(4)));
        assert_eq!((tight.gone.len(), &tight.new[..]), (2, &[id(5)][..]));
        assert_eq!(difference(&pool, &theirs, true).new, [2, 5].map(id));
    }
}
