//! Where two chains part, found with few questions.

use crate::error::Result;

/// How far back is looked, step by step, before the rest is halved: forks are mostly near the end.
const NEAR: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// How many of the first `blocks` blocks two chains share. Chains that agree at a height agree at
/// every one below it, so this takes few questions however deep the fork.
pub fn shared_blocks(blocks: u32, mut agrees: impl FnMut(u32) -> Result<bool>) -> Result<u32> {
    let Some(last) = blocks.checked_sub(1) else { return Ok(0) };
    if agrees(last)? {
        return Ok(blocks);
    }
    // heights below `low` agree, height `high` does not
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
