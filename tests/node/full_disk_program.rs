//! A disk that becomes full under the program: it serves on and says so, and goes on by itself.

use hekte_testkit::small_disk::SmallDisk;

use crate::world::{World, refs};

/// Enough for the room that hekte leaves to others, and for what it writes.
const DISK_KIB: u64 = 100 << 10;

#[test]
fn a_full_disk_stops_no_answers() {
    let Some(mut world) = World::new("a_full_disk") else { return };
    let Some(disk) = SmallDisk::mount("a_full_disk", DISK_KIB) else { return };
    let data = disk.path().join("a").display().to_string();

    // nothing can be served yet, so it ends and says why
    disk.leave(0);
    let args = world.args("a", &["--sync-only", "--data-dir", &data]);
    let done = hekte_testkit::hekte::run(crate::world::BINARY, world.scratch.path(), &refs(&args));
    assert_eq!(done.status.code(), Some(74), "{}", done.stderr);
    assert!(done.stderr.contains("disk is full"), "{}", done.stderr);
    disk.empty();

    let mut hekte = world.hekte("a", &["--data-dir", &data]);
    world.right(&hekte);
    disk.leave(0);
    world.mine(250);
    hekte.wait_log("are left on the disk");
    world.mine(3);
    world.right(&hekte);
    let listen = hekte.address();
    let status = || world.run("a", &["status", "--data-dir", &data, "--listen", &listen]);
    let told = status();
    assert!(told.stdout.contains("trouble=") && told.stdout.contains("synced=true"), "{told:?}");

    disk.empty();
    hekte.wait_log("blocks to the database");
    hekte.wait_log("there is room on the disk again");
    let told = status();
    assert!(!told.stdout.contains("trouble"), "{told:?}");
    world.right(&hekte);
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    let done = world.run("a", &["verify", "--data-dir", &data]);
    assert!(done.status.success(), "{}{}", done.stdout, done.stderr);
}
