//! Finds the height at which two chains part, with few comparisons.

use crate::error::Result;

/// Distances from the end at which the chains are compared first; only then the rest is halved.
/// Most forks are near the end.
const NEAR: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// The number of blocks, of the first `blocks`, that two chains share. Chains that agree at a
/// height agree at every lower one, so few comparisons are needed however deep the fork is.
pub fn shared_blocks(blocks: u32, mut agrees: impl FnMut(u32) -> Result<bool>) -> Result<u32> {
    let Some(last) = blocks.checked_sub(1) else { return Ok(0) };
    if agrees(last)? {
        return Ok(blocks);
    }
    // the chains agree at all heights below `low`, and differ at `high`
    let (mut low, mut high) = (0, last);
    for height in NEAR.iter().filter_map(|back| last.checked_sub(*back)) {
        if agrees(height)? {
            low = height + 1;
            break;
        }
        high = height;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if agrees(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fork_is_found_in_few_questions() {
        for blocks in [0, 1, 2, 3, 65, 66, 1000, 1_000_000] {
            for shared in [0, 1, 2, 64, 65, 500, 999, 1000, 999_936, 1_000_000] {
                let (shared, mut asked) = (blocks.min(shared), 0);
                let found = shared_blocks(blocks, |height| {
                    assert!(height < blocks);
                    asked += 1;
                    Ok(height < shared)
                });
                assert!(matches!(found, Ok(found) if found == shared), "{shared} of {blocks}");
                assert!(asked <= 30, "{asked} questions");
            }
        }
    }
}
