//! Settings for tests that kill hekte while it writes; a part of several of them.

use std::time::Duration;

use hekte::sync::served::settings::UpkeepSettings;

/// Few blocks in memory and small slices, so that there is always something to be torn.
pub const TIGHT: UpkeepSettings = UpkeepSettings {
    kept: 3,
    flush_at: 5,
    most: 100,
    recent_bytes: usize::MAX,
    slice_bytes: 1500,
    spare_bytes: None,
    retry_pause: Duration::ZERO,
};
