//! What hekte does while bitcoind downloads the chain for the first time.

/// Whether to index while bitcoind is in its first download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuringIbd {
    /// Index on solid-state disks, wait on rotating ones.
    Auto,
    /// Index in any case.
    Always,
    /// Wait until the download is done.
    Never,
}

impl DuringIbd {
    /// Parses the word that an operator wrote.
    pub fn parse(text: &str) -> Result<DuringIbd, String> {
        let known = DuringIbd::ALL.into_iter().find(|when| when.name() == text);
        known.ok_or_else(|| format!("`{text}` -> auto, always or never"))
    }

    const ALL: [DuringIbd; 3] = [DuringIbd::Auto, DuringIbd::Always, DuringIbd::Never];

    /// The word for it that an operator writes.
    pub fn name(self) -> &'static str {
        match self {
            DuringIbd::Auto => "auto",
            DuringIbd::Always => "always",
            DuringIbd::Never => "never",
        }
    }
}
