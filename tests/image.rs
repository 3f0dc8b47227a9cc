//! An image with hekte installed starts it, and keeps its configuration when hekte is updated.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use hekte_testkit::scratch::Scratch;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/image/install-into.sh");

fn install(root: &Path) {
    let done = Command::new(SCRIPT).args([root, Path::new(env!("CARGO_BIN_EXE_hekte"))]).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_root_gets_everything_once_and_again() {
    let root = Scratch::new("image");
    install(root.path());
    let version = Command::new(root.join("usr/bin/hekte")).arg("--version").output().unwrap();
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("hekte "));
    let unit = fs::read_to_string(root.join("usr/lib/systemd/system/hekte.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/hekte "), "{unit}");
    for folder in ["sysusers.d", "tmpfiles.d"] {
        let file = root.join("usr/lib").join(folder).join("hekte.conf");
        assert!(fs::read_to_string(&file).is_ok(), "{}", file.display());
    }
    let config = root.join("etc/hekte/hekte.toml");
    fs::write(&config, "# mine\n").unwrap();
    install(root.path());
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    let enabled = Command::new("systemctl")
        .arg(format!("--root={}", root.path().display()))
        .args(["is-enabled", "hekte.service"])
        .output();
    match enabled {
        Ok(told) => assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), "enabled"),
        Err(_) => eprintln!("\n*** SKIPPED: no systemctl to ask whether the unit is enabled ***"),
    }
}

#[test]
fn nonsense_is_refused() {
    let done = Command::new(SCRIPT).args(["/nowhere", "/nothing"]).output().unwrap();
    assert_eq!(done.status.code(), Some(64));
}
