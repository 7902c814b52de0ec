//! What the public API does not reach: creation with a umask.

use super::attr::set_xattr;
use super::namei::create;
use super::path::root;
use crate::fs::Fs;
use crate::inode::{Inode, NewFile};
use crate::options::VolumeOptions;
use crate::{FormatOptions, SetXattr, Volume};
use blockdev::MemDevice;
use f2fs_format::FileType;
use std::sync::Arc;

const DIR: NewFile<'_> = NewFile {
    file_type: FileType::Directory,
    permissions: 0o777,
    umask: 0,
    uid: 0,
    gid: 0,
    device: None,
    name: b"",
};

fn make(fs: &Arc<Fs>, parent: &Arc<Inode>, new: &NewFile<'_>) -> Arc<Inode> {
    let made = create(fs, parent, new, b"target").unwrap();
    Arc::clone(&made.inode)
}

/// A list that gives everybody everything, in the system's form: owner, user 1000, group, mask, others.
fn generous_list() -> Vec<u8> {
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, id) in [
        (1_u16, u32::MAX),
        (2, 1000),
        (4, u32::MAX),
        (16, u32::MAX),
        (32, u32::MAX),
    ] {
        list.extend(tag.to_le_bytes());
        list.extend(7_u16.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

#[test]
fn a_umask_counts_where_no_default_list_does() {
    let device = Arc::new(MemDevice::new(64 << 20));
    let format = FormatOptions::new(64 << 20);
    let volume = Volume::create_on(device, &format, &VolumeOptions::default()).unwrap();
    let fs = volume.fs();
    let top = root(fs).unwrap().inode.clone();
    let plain = make(
        fs,
        &top,
        &NewFile {
            name: b"plain",
            ..DIR
        },
    );
    let listed = make(
        fs,
        &top,
        &NewFile {
            name: b"listed",
            ..DIR
        },
    );
    let list = "system.posix_acl_default";
    set_xattr(fs, &listed, list, &generous_list(), SetXattr::Any).unwrap();
    // What Linux 6.12 gives for the same calls.
    let cases = [
        (FileType::Directory, 0o777, 0o40_750, 0o40_777),
        (FileType::Regular, 0o666, 0o100_640, 0o100_666),
        (FileType::Regular, 0o6777, 0o106_750, 0o106_777),
        (FileType::Fifo, 0o666, 0o10_640, 0o10_666),
        (FileType::Symlink, 0o777, 0o120_777, 0o120_777),
    ];
    for (n, (file_type, permissions, without_list, with_list)) in cases.into_iter().enumerate() {
        let new = NewFile {
            file_type,
            permissions,
            umask: 0o027,
            name: &[b'a' + n as u8],
            ..DIR
        };
        assert_eq!(make(fs, &plain, &new).info().mode, without_list);
        assert_eq!(make(fs, &listed, &new).info().mode, with_list);
    }
}

#[test]
fn a_volume_for_reading_forgets_inodes_too() {
    const FILES: usize = 17_000;
    let device = Arc::new(MemDevice::new(256 << 20));
    let format = FormatOptions::new(256 << 20);
    let device_of = || Arc::<MemDevice>::clone(&device);
    let volume = Volume::create_on(device_of(), &format, &VolumeOptions::default()).unwrap();
    let top = root(volume.fs()).unwrap().inode.clone();
    for n in 0..FILES {
        let name = n.to_string();
        let new = NewFile {
            file_type: FileType::Fifo,
            name: name.as_bytes(),
            ..DIR
        };
        make(volume.fs(), &top, &new);
    }
    drop(top);
    volume.close().unwrap();
    let options = VolumeOptions {
        read_only: true,
        ..VolumeOptions::default()
    };
    let volume = Volume::open_device(device_of(), &options).unwrap();
    for n in 0..FILES {
        assert_eq!(volume.metadata(format!("/{n}")).unwrap().links(), 1);
    }
    assert!(!volume.fs().inodes.is_large());
}
