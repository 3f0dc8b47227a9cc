//! What hekte does while bitcoind downloads the chain for the first time.

/// Whether to index while bitcoind is in its first download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuringIbd {
    /// On solid state yes, on rotating disks no.
    Auto,
    /// Always.
    Always,
    /// Wait until the download is done.
    Never,
}

impl DuringIbd {
    /// From what an operator wrote.
    pub fn parse(text: &str) -> Result<DuringIbd, String> {
        let known = DuringIbd::ALL.into_iter().find(|when| when.name() == text);
        known.ok_or_else(|| format!("`{text}` -> auto, always or never"))
    }

    const ALL: [DuringIbd; 3] = [DuringIbd::Auto, DuringIbd::Always, DuringIbd::Never];

    /// As an operator writes it.
    pub fn name(self) -> &'static str {
        match self {
            DuringIbd::Auto => "auto",
            DuringIbd::Always => "always",
            DuringIbd::Never => "never",
        }
    }
}
