//! The answer to `server.features`.

use crate::protocol::json::Json;
use crate::protocol::version::Version;
use crate::session::config::SessionConfig;

/// `server.features`; from 1.7 on without `hash_function`.
pub fn features(config: &SessionConfig, version: Version) -> Json {
    let hosts = config.hosts.iter().map(|host| {
        let tcp = host.tcp_port.map(|port| ("tcp_port", Json::int(port)));
        let ssl = host.ssl_port.map(|port| ("ssl_port", Json::int(port)));
        (host.name.as_str(), Json::object_of(tcp.into_iter().chain(ssl)))
    });
    let mut fields = vec![
        ("genesis_hash", Json::text(&config.genesis_hash.to_string())),
        ("hosts", Json::object_of(hosts)),
        ("protocol_max", Json::text(&Version::MAX.to_string())),
        ("protocol_min", Json::text(&Version::MIN.to_string())),
        ("pruning", Json::null()),
        ("server_version", Json::text(&config.software)),
    ];
    if version < Version::V1_7 {
        fields.push(("hash_function", Json::text("sha256")));
    }
    Json::object_of(fields)
}
