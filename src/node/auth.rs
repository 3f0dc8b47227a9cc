//! The login at bitcoind: the Authorization header, from a cookie or a password.

use std::fs;
use std::io;

use super::error::RpcError;
use crate::config::node::{NodeConfig, RpcAuth, password_from};
use crate::host::access;

/// The value of the Authorization header. Files are read each time, because bitcoind writes another
/// cookie at each start, and node images change passwords.
pub fn header(auth: &RpcAuth) -> Result<String, RpcError> {
    let credentials = match auth {
        RpcAuth::User { user, password } => format!("{user}:{password}"),
        RpcAuth::UserFile { user, file } => {
            let password =
                password_from(file).map_err(|error| RpcError::Auth(error.to_string()))?;
            format!("{user}:{password}")
        }
        RpcAuth::Cookie(path) => {
            let shown = path.display();
            let text = fs::read_to_string(path).map_err(|error| match error.kind() {
                // it is gone while bitcoind stops, and comes a moment after its port
                io::ErrorKind::NotFound => RpcError::Away(format!(
                    "there is no cookie file {shown} -> set rpc_cookie or bitcoin_dir, or \
                     rpc_user if bitcoind has a password"
                )),
                io::ErrorKind::PermissionDenied => RpcError::Auth(format!(
                    "cannot read the cookie file {shown} ({}), and we are {} -> run as \
                     bitcoind's user, or set rpccookieperms=group in bitcoin.conf and join its \
                     group",
                    access::owner_and_mode(path),
                    access::our_user()
                )),
                _ => RpcError::Auth(format!("cannot read the cookie file {shown}: {error}")),
            })?;
            text.trim_end().to_string()
        }
    };
    Ok(format!("Basic {}", base64(credentials.as_bytes())))
}

/// The error for credentials that bitcoind turned down twice.
pub fn not_accepted(node: &NodeConfig) -> RpcError {
    let url = &node.url;
    RpcError::Auth(match &node.auth {
        RpcAuth::Cookie(path) => format!(
            "bitcoind at {url} does not accept the cookie in {} ({}) -> is it the cookie of \
             this bitcoind?",
            path.display(),
            access::owner_and_mode(path)
        ),
        RpcAuth::User { user, .. } | RpcAuth::UserFile { user, .. } => format!(
            "bitcoind at {url} does not accept user {user} -> compare rpc_user and the \
             password with rpcauth or rpcuser in bitcoin.conf"
        ),
    })
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= chunk.len() { digit as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_the_standard() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
