//! How to reach bitcoind: address, and cookie or user and password.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::layers::Layers;
use super::network::Network;
use super::units;
use crate::error::{Error, Result};
use crate::host::access;

/// The address of bitcoind's RPC, and our credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its address.
    pub url: RpcUrl,
    /// Our credentials.
    pub auth: RpcAuth,
}

/// The address of bitcoind's RPC: plain HTTP, as bitcoind speaks nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcUrl {
    /// Name or address, an IPv6 address without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The path to request, usually "/".
    pub path: String,
}

/// The credentials that bitcoind checks.
#[derive(Clone, PartialEq, Eq)]
pub enum RpcAuth {
    /// The cookie file, which bitcoind writes anew at each start.
    Cookie(PathBuf),
    /// A user and password, as in `rpcuser` or `rpcauth` of bitcoind's configuration.
    User {
        /// The user's name.
        user: String,
        /// The password; never shown.
        password: String,
    },
    /// A user with the password in a file, which is read anew for each connection.
    UserFile {
        /// The user's name.
        user: String,
        /// The file that holds the password.
        file: PathBuf,
    },
}

impl fmt::Debug for RpcAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RpcAuth::Cookie(path) => write!(f, "Cookie({})", path.display()),
            RpcAuth::User { user, .. } | RpcAuth::UserFile { user, .. } => {
                write!(f, "User({user})")
            }
        }
    }
}

impl fmt::Display for RpcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path == "/" { "" } else { &self.path };
        if self.host.contains(':') {
            write!(f, "http://[{}]:{}{path}", self.host, self.port)
        } else {
            write!(f, "http://{}:{}{path}", self.host, self.port)
        }
    }
}

impl RpcUrl {
    /// Parses "http://host:port/path"; scheme, port and path may be left out.
    pub fn parse(text: &str, default_port: u16) -> std::result::Result<RpcUrl, String> {
        let wrong = |why: &str| format!("`{text}` {why} -> write it like http://127.0.0.1:8332");
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some((_, _)) => return Err(wrong("is not http, and bitcoind speaks only that")),
            None => text,
        };
        let (place, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if place.contains('@') {
            let why = "holds credentials, which others can read in the process list; \
                       use rpc_user and rpc_password_file";
            // the message leaves out the text, which may hold a password, since messages end up in
            // logs
            return Err(why.into());
        }
        let bracketed = place.strip_prefix('[').and_then(|place| place.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, port.strip_prefix(':').or(Some(""))),
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0),
            None => Some(default_port),
        };
        let port = port.ok_or_else(|| wrong("has no valid port"))?;
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if host.is_empty() || host.contains(odd) || path.contains(odd) {
            return Err(wrong("has no valid host"));
        }
        Ok(RpcUrl { host: host.into(), port, path: path.into() })
    }
}

/// Puts address and credentials together; `None` when offline.
///
/// Errors: settings that contradict each other within a layer, a password file that others can
/// read.
pub fn resolve(
    layers: &Layers,
    offline: bool,
    network: Network,
    network_dir: &Path,
) -> Result<Option<NodeConfig>> {
    let port = network.rpc_port();
    let url = layers.get("rpc_url", |text| RpcUrl::parse(text, port))?;
    let cookie = layers.get("rpc_cookie", units::path)?;
    let user = layers.get("rpc_user", |text| Ok(text.to_string()))?;
    let password_file = layers.get("rpc_password_file", units::path)?;
    if offline {
        reject_if_offline(layers)?;
        return Ok(None);
    }
    let url = match url {
        Some(url) => url,
        None => RpcUrl { host: "127.0.0.1".into(), port, path: "/".into() },
    };
    let by_cookie = layers.source("rpc_cookie");
    let by_user = layers.source("rpc_user");
    let auth = match (cookie, user) {
        (Some(_), Some(_)) if by_cookie.rank() == by_user.rank() => {
            return Err(by_user.error("rpc_user and rpc_cookie are both set -> keep one of them"));
        }
        (cookie, Some(user)) if cookie.is_none() || by_user.rank() > by_cookie.rank() => {
            // read the file now, although it is read again later, so that a wrong one is reported
            // at once
            let password = password(layers, password_file.as_deref())?;
            match password_file {
                Some(file) => RpcAuth::UserFile { user, file },
                None => RpcAuth::User { user, password },
            }
        }
        (Some(cookie), _) => RpcAuth::Cookie(cookie),
        (None, _) => {
            if password_file.is_some() || layers.password.is_some() {
                let text = "an RPC password is given, but no rpc_user -> set it too";
                return Err(Error::Config(text.into()));
            }
            RpcAuth::Cookie(network_dir.join(".cookie"))
        }
    };
    Ok(Some(NodeConfig { url, auth }))
}

/// `offline` overrides RPC settings of a lower layer; with one of its own layer it contradicts.
fn reject_if_offline(layers: &Layers) -> Result<()> {
    for name in ["rpc_url", "rpc_cookie", "rpc_user", "rpc_password_file"] {
        let source = layers.source(name);
        if source.rank() > 0 && source.rank() >= layers.source("offline").rank() {
            let text = format!("{name} is set, but offline says there is no bitcoind");
            return Err(source.error(format!("{text} -> drop one of the two")));
        }
    }
    Ok(())
}

fn password(layers: &Layers, file: Option<&Path>) -> Result<String> {
    match (file, &layers.password) {
        (Some(_), Some(_)) => Err(Error::Config(
            "rpc_password_file and HEKTE_RPC_PASSWORD are both set -> keep one of them".into(),
        )),
        (Some(file), None) => password_from(file),
        (None, Some(password)) => Ok(password.clone()),
        (None, None) => Err(layers.source("rpc_user").error(
            "rpc_user is set without a password -> set rpc_password_file, or the variable \
             HEKTE_RPC_PASSWORD",
        )),
    }
}

/// The first line of the file, which only its owner and group may read.
pub fn password_from(file: &Path) -> Result<String> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Error::NoPermission(format!(
            "cannot read rpc_password_file {shown} ({}), and we are {}",
            access::owner_and_mode(file),
            access::our_user()
        )),
        _ => Error::NoInput(format!("cannot read rpc_password_file {shown}: {error}")),
    })?;
    if fs::metadata(file).is_ok_and(|facts| facts.mode() & 0o004 != 0) {
        return Err(Error::Config(format!(
            "everybody can read rpc_password_file {shown} ({}) -> chmod 0600 it",
            access::owner_and_mode(file)
        )));
    }
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.into()),
        _ => Err(Error::Config(format!("rpc_password_file {shown} is empty"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn urls_as_people_write_them() {
        let check = |text, shown: &str| {
            assert_eq!(RpcUrl::parse(text, 8332).unwrap().to_string(), shown, "{text}");
        };
        check("http://127.0.0.1:18443", "http://127.0.0.1:18443");
        check("127.0.0.1:18443/", "http://127.0.0.1:18443");
        check("http://bitcoind", "http://bitcoind:8332");
        check("http://[::1]:5", "http://[::1]:5");
        check("http://[::1]", "http://[::1]:8332");
        check("http://node/wallet/x", "http://node:8332/wallet/x");
        for bad in ["https://x", "", "http://", "http://x:", "x:0", "x:99999", "a b", "x/\r\ny"] {
            assert!(RpcUrl::parse(bad, 8332).is_err(), "{bad}");
        }
        let text = RpcUrl::parse("http://user:secret@host", 1).unwrap_err();
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn passwords_are_not_shown() {
        let auth = RpcAuth::User { user: "u".into(), password: "secret".into() };
        assert_eq!(format!("{auth:?}"), "User(u)");
    }
}
