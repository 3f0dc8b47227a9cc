//! What differs between our mempool and bitcoind's list.

use super::pool::Mempool;

/// What is to be done to be in step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Not there any more.
    pub gone: Vec<[u8; 32]>,
    /// To be fetched.
    pub new: Vec<[u8; 32]>,
}

impl Difference {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.new.is_empty()
    }
}

/// Compares with bitcoind's txids, which must be sorted. What was left out for want of memory is
/// new again only if there is `room`.
pub fn difference(pool: &Mempool, theirs: &[[u8; 32]], room: bool) -> Difference {
    let is_theirs = |txid: &[u8; 32]| theirs.binary_search(txid).is_ok();
    let ours = pool.iter().map(|tx| &tx.txid).chain(pool.left_out());
    let gone = ours.filter(|txid| !is_theirs(txid)).copied().collect();
    let missing =
        |txid: &&[u8; 32]| !pool.contains(txid) && (room || !pool.left_out().contains(*txid));
    Difference { gone, new: theirs.iter().filter(missing).copied().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mempool::pool::MemTx;

    #[test]
    fn what_was_left_out_is_new_only_where_there_is_room() {
        let mut pool = Mempool::default();
        for n in 1..=4 {
            let (inputs, outputs) = (Box::default(), Box::default());
            pool.insert(MemTx { txid: [n; 32], fee: 1, vsize: 1, arrival: 0, inputs, outputs });
        }
        pool.leave_out(&[2; 32]);
        pool.leave_out(&[3; 32]);
        let theirs = [[1; 32], [2; 32], [5; 32]];
        let tight = difference(&pool, &theirs, false);
        assert!(tight.gone.contains(&[3; 32]) && tight.gone.contains(&[4; 32]));
        assert_eq!((tight.gone.len(), &tight.new[..]), (2, &[[5; 32]][..]));
        assert_eq!(difference(&pool, &theirs, true).new, [[2; 32], [5; 32]]);
    }
}
