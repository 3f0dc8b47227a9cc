//! What all Electrum connections share.

use std::sync::Arc;

use crate::server::electrum::tips::TipChannel;
use crate::server::net::memory::ByteBudget;
use crate::server::net::settings::Settings;
use crate::server::net::workers::Workers;
use crate::session::hub::SessionHub;

/// What all Electrum connections share.
pub(crate) struct Common {
    /// What the sessions share.
    pub(crate) hub: Arc<SessionHub>,
    /// The limits of the serving side.
    pub(crate) settings: Settings,
    /// The threads that answer questions.
    pub(crate) workers: Arc<Workers>,
    /// Memory for replies until they are written.
    pub(crate) replies: ByteBudget,
    /// Memory for requests being read and answered.
    pub(crate) requests: ByteBudget,
    /// The channel of tip changes.
    pub(crate) tips: TipChannel,
}
