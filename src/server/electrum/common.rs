//! What all Electrum connections share.

use std::sync::Arc;

use crate::server::electrum::tips::TipChannel;
use crate::server::net::memory::ByteBudget;
use crate::server::net::settings::Settings;
use crate::server::net::workers::Workers;
use crate::session::hub::SessionHub;

/// What all Electrum connections share.
pub(crate) struct Common {
    /// For the sessions.
    pub(crate) hub: Arc<SessionHub>,
    /// The limits.
    pub(crate) settings: Settings,
    /// The threads that ask.
    pub(crate) workers: Arc<Workers>,
    /// Memory for replies on their way.
    pub(crate) replies: ByteBudget,
    /// Memory for requests being read and answered.
    pub(crate) requests: ByteBudget,
    /// Where tip changes come from.
    pub(crate) tips: TipChannel,
}
