//! Findings about how hekte is set up as a service: unit, user, groups, cookie, the disk's marker.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{Group, getgroups};

use super::findings::Findings;
use crate::config::Config;
use crate::config::node::RpcAuth;
use crate::error::Error;
use crate::host::access;

/// The folders in which systemd looks for units; an earlier one overrides a later one.
const UNIT_FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Checks unit, user, groups, cookie and marker.
pub fn look(config: &Config, findings: &mut Findings) {
    match Path::new("/run/systemd/system").is_dir() {
        true => unit(&UNIT_FOLDERS.map(PathBuf::from), &access::our_user(), findings),
        false => findings.ok("unit", "systemd does not run here, so there is none"),
    }
    user(findings);
    cookie(config, findings);
    match config.verify_marker() {
        Err(error) => findings.error("marker", &error),
        Ok(()) => {
            if let Some(marker) = &config.require_marker {
                findings.ok("marker", format!("{} is there", marker.display()));
            }
        }
    }
}

fn unit(folders: &[PathBuf], us: &str, findings: &mut Findings) {
    let found = folders.iter().map(|folder| folder.join("hekte.service"));
    let Some(path) = found.into_iter().find(|path| path.is_file()) else {
        return findings.warning(
            "unit",
            "there is no hekte.service -> install the package, or: sudo make install",
        );
    };
    let shown = path.display();
    let enabled = folders.iter().any(|folder| {
        fs::symlink_metadata(folder.join("multi-user.target.wants/hekte.service")).is_ok()
    });
    let owner = unit_user(&path, folders);
    if owner != us {
        findings.warning(
            "unit",
            format!(
                "{shown} runs hekte as {owner}, but it is {us} who looks now, and may see more or \
                 less -> sudo -u {owner} hekte check, with the unit's --config"
            ),
        );
    } else if !enabled {
        let text = format!("{shown} is not enabled -> sudo systemctl enable --now hekte");
        findings.warning("unit", text);
    } else {
        findings.ok("unit", format!("{shown}, enabled"));
    }
}

/// The user that the unit and its drop-ins set last with User=.
fn unit_user(unit: &Path, folders: &[PathBuf]) -> String {
    let mut files = vec![unit.to_path_buf()];
    for folder in folders.iter().rev() {
        let Ok(entries) = fs::read_dir(folder.join("hekte.service.d")) else { continue };
        let mut drop_ins: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        drop_ins.retain(|path| path.extension().is_some_and(|kind| kind == "conf"));
        drop_ins.sort();
        files.extend(drop_ins);
    }
    let mut user = "root".to_owned();
    for file in files {
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut set = text.lines().rev().filter_map(|line| line.trim().strip_prefix("User="));
        if let Some(last) = set.next() {
            user = last.trim().to_owned();
        }
    }
    user
}

fn user(findings: &mut Findings) {
    let name = |gid| match Group::from_gid(gid) {
        Ok(Some(group)) => group.name,
        _ => gid.to_string(),
    };
    let groups: Vec<String> = getgroups().unwrap_or_default().into_iter().map(name).collect();
    let groups = match groups.is_empty() {
        true => "no further groups".to_owned(),
        false => format!("groups {}", groups.join(", ")),
    };
    let text = format!("{}, {groups}", access::our_user());
    match access::we_are_root() {
        true => findings.warning(
            "user",
            format!(
                "{text}: root may read and write everything, so this check proves little -> \
                 sudo -u hekte hekte check, with the unit's --config"
            ),
        ),
        false => findings.ok("user", text),
    }
}

fn cookie(config: &Config, findings: &mut Findings) {
    let Some(RpcAuth::Cookie(path)) = config.node.as_ref().map(|node| &node.auth) else { return };
    let shown = path.display();
    match fs::read(path) {
        Ok(_) => findings.ok("cookie", format!("{shown} can be read")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = format!(
                "{shown} is not there; bitcoind makes it when it starts -> start bitcoind, or set \
                 rpc_cookie, or rpc_user where it has rpcauth="
            );
            findings.error("cookie", &Error::Unavailable(text));
        }
        Err(error) => {
            let (facts, us) = (access::owner_and_mode(path), access::our_user());
            let text = format!(
                "{shown} ({facts}) cannot be read by {us}: {error} -> rpccookieperms=group in \
                 bitcoin.conf, restart bitcoind, and: sudo usermod -aG GROUP {us}, with bitcoind's \
                 group"
            );
            findings.error("cookie", &Error::NoPermission(text));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn found(folders: &[PathBuf]) -> String {
        let mut findings = Findings::default();
        unit(folders, "hekte", &mut findings);
        findings.to_string()
    }

    #[test]
    fn units_drop_ins_and_whether_they_are_enabled() {
        let root = std::env::temp_dir().join(format!("hekte-units-{}", std::process::id()));
        let folders = [root.join("etc"), root.join("usr")];
        assert!(found(&folders).starts_with("warning  unit: there is no hekte.service"));
        fs::create_dir_all(root.join("usr")).unwrap();
        fs::write(root.join("usr/hekte.service"), "[Service]\nUser=hekte\n").unwrap();
        assert!(found(&folders).contains("is not enabled -> sudo systemctl enable"));
        fs::create_dir_all(root.join("etc/multi-user.target.wants")).unwrap();
        let wants = root.join("etc/multi-user.target.wants/hekte.service");
        std::os::unix::fs::symlink("/nonexistent", wants).unwrap();
        assert!(found(&folders).starts_with("ok"), "{}", found(&folders));
        fs::create_dir_all(root.join("etc/hekte.service.d")).unwrap();
        fs::write(root.join("etc/hekte.service.d/a.conf"), "[Service]\n User=bitcoin\n").unwrap();
        assert!(found(&folders).contains("runs hekte as bitcoin, but it is hekte who looks"));
        fs::remove_dir_all(&root).unwrap();
    }
}
