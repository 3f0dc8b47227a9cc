//! Whether we will be able to read the files that bitcoind creates later in a folder.
//!
//! bitcoind creates files that only its own user may read, unless the folder has a default access
//! list (POSIX ACL), which then decides. A `setfacl` without its `d:` part opens today's files
//! only.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Uid, getegid, getgroups};
use rustix::fs::getxattr;
use rustix::io::Errno;

/// The extended attribute that holds the default access list.
const DEFAULT_LIST: &str = "system.posix_acl_default";

// these values come from the kernel's posix_acl_xattr.h and posix_acl.h
const HEADER: [u8; 4] = [2, 0, 0, 0];
const USER: u16 = 0x02;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
const READ: u16 = 0x04;

/// Whether we will be able to read files that the folder's owner creates in it with mode 0600;
/// `None` if that cannot be determined.
pub fn new_files_readable(folder: &Path) -> Option<bool> {
    let us = Uid::effective();
    if us.is_root() || fs::metadata(folder).ok()?.uid() == us.as_raw() {
        return Some(true);
    }
    // room for far more entries than anybody writes; a longer list is an error
    let mut list = [0; 4096];
    match getxattr(folder, DEFAULT_LIST, &mut list[..]) {
        Ok(length) => {
            let mut groups = getgroups().unwrap_or_default();
            groups.push(getegid());
            let groups: Vec<u32> = groups.into_iter().map(|group| group.as_raw()).collect();
            grants_read(list.get(..length)?, us.as_raw(), &groups)
        }
        Err(Errno::NODATA) => Some(false),
        Err(_) => None,
    }
}

/// Whether the list lets this user read. The entry of the owning group is ignored, since the group
/// of the new files depends on bitcoind.
fn grants_read(list: &[u8], user: u32, groups: &[u32]) -> Option<bool> {
    let entries: Vec<(u16, bool, u32)> = list
        .strip_prefix(&HEADER)?
        .chunks_exact(8)
        .map(|entry| {
            let number = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
            let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
            (number(0), number(2) & READ != 0, id)
        })
        .collect();
    let masked = entries.iter().any(|(tag, read, _)| *tag == MASK && !read);
    let of_us = entries.iter().find(|(tag, _, id)| *tag == USER && *id == user);
    if let Some((_, read, _)) = of_us {
        return Some(*read && !masked);
    }
    let of_groups: Vec<bool> = entries
        .iter()
        .filter(|(tag, _, id)| *tag == GROUP && groups.contains(id))
        .map(|(_, read, _)| *read)
        .collect();
    if !of_groups.is_empty() {
        return Some(!masked && of_groups.contains(&true));
    }
    Some(entries.iter().any(|(tag, read, _)| *tag == OTHER && *read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut list = HEADER.to_vec();
        for (tag, permissions, id) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(permissions.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    }

    #[test]
    fn who_may_read() {
        // the list that `setfacl -m d:u:107:rX` sets on a 0700 folder
        let ours = list(&[(1, 7, !0), (2, 5, 107), (4, 0, !0), (16, 5, !0), (32, 0, !0)]);
        assert_eq!(grants_read(&ours, 107, &[]), Some(true));
        assert_eq!(grants_read(&ours, 108, &[107]), Some(false), "another user");
        let masked = list(&[(1, 7, !0), (2, 5, 107), (4, 0, !0), (16, 1, !0), (32, 0, !0)]);
        assert_eq!(grants_read(&masked, 107, &[]), Some(false));
        let of_a_group = list(&[(1, 7, !0), (4, 0, !0), (8, 5, 50), (16, 5, !0), (32, 0, !0)]);
        assert_eq!(grants_read(&of_a_group, 107, &[50]), Some(true));
        assert_eq!(grants_read(&of_a_group, 107, &[51]), Some(false));
        let of_all = list(&[(1, 7, !0), (4, 5, !0), (32, 5, !0)]);
        assert_eq!(grants_read(&of_all, 107, &[]), Some(true));
        assert_eq!(grants_read(&[9, 0, 0, 0], 107, &[]), None, "another version");
    }
}
