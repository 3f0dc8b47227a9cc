//! The fee histogram: how many virtual bytes wait at which fee rate (protocol methods,
//! `mempool.get_fee_histogram`).

use super::pool::Mempool;

/// The first bin holds at least so many virtual bytes; each further one a tenth more.
const FIRST_BIN_VBYTES: u64 = 30_000;

/// Fee rate in tenths of a satoshi per virtual byte, rounded down, and the virtual bytes that pay
/// at least that, but less than the bin before; rates falling.
pub fn fee_histogram(pool: &Mempool) -> Vec<(u64, u64)> {
    let mut rates: Vec<(u64, u64)> = pool
        .iter()
        .map(|tx| (tx.fee.saturating_mul(10) / u64::from(tx.vsize), u64::from(tx.vsize)))
        .collect();
    rates.sort_unstable_by(|a, b| b.cmp(a));
    let mut bins: Vec<(u64, u64)> = Vec::new();
    let (mut size, mut wanted) = (0u64, FIRST_BIN_VBYTES);
    for (i, (rate, vsize)) in rates.iter().enumerate() {
        size += vsize;
        let next = rates.get(i + 1).map(|(rate, _)| *rate);
        // a bin ends only where the rate changes; the last one holds what is left, however little
        if next != Some(*rate) && (size >= wanted || next.is_none()) {
            bins.push((*rate, size));
            size = 0;
            wanted += wanted / 10;
        }
    }
    bins
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;

    use super::*;
    use crate::ids::Txid;
    use crate::mempool::pool::MemTx;

    #[test]
    fn falls_and_adds_up_and_shows_a_nearly_empty_mempool() {
        let mut pool = Mempool::default();
        assert_eq!(fee_histogram(&pool), []);
        let mut add = |n: u32, fee: u64, vsize: u32| {
            let mut txid = [0; 32];
            txid[..4].copy_from_slice(&n.to_le_bytes());
            let txid = Txid::from_byte_array(txid);
            let (inputs, outputs) = (Box::default(), Box::default());
            pool.insert(MemTx { txid, fee, vsize, arrival: 0, inputs, outputs });
        };
        add(0, 15, 100);
        (1..2000).for_each(|n| add(n, 100 + u64::from(n) * 17, 200));
        let bins = fee_histogram(&pool);
        assert!(bins.windows(2).all(|pair| pair[0].0 > pair[1].0), "{bins:?}");
        assert_eq!(bins.iter().map(|bin| bin.1).sum::<u64>(), 100 + 1999 * 200);
        assert_eq!(bins.last().map(|bin| bin.0), Some(1), "0.15 sat/vB is 1 tenth");
    }
}
