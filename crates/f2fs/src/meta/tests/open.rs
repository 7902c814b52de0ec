//! What is opened and what is refused.

use super::*;
use crate::error::Error;

/// Feature sets of mkfs.f2fs that can be written.
pub(crate) const WRITABLE: [&[&str]; 5] = [
    &[],
    &[
        "-O",
        "extra_attr,inode_checksum,sb_checksum,compression,inode_crtime,flexible_inline_xattr",
    ],
    &["-O", "lost_found,encrypt,verity"],
    &["-i"],
    &["-s", "4", "-z", "2"],
];

fn open_as(device: Arc<MemDevice>, mode: OpenMode) -> Result<Metadata> {
    Metadata::open(Arc::new(Device::new(device)), mode)
}

#[test]
fn volumes_of_mkfs_open_with_their_counters() {
    for args in WRITABLE {
        let meta = open(&load(tools::mkfs(args, 512 * MIB).path()));
        let (space, segments) = (meta.space.snapshot(), meta.segments.counts());
        let inodes = if args.contains(&"lost_found,encrypt,verity") {
            2
        } else {
            1
        };
        assert_eq!(
            (space.valid_nodes, space.valid_inodes),
            (inodes, inodes),
            "{args:?}"
        );
        assert_eq!(segments.valid_blocks, space.valid_blocks, "{args:?}");
        assert_eq!(
            segments.free,
            meta.checkpoint_info().free_segments,
            "{args:?}"
        );
        assert_eq!(meta.nat.free_nid_count(), space.free_nodes());
        let root = meta.nat.node_addr(Nid::ROOT).unwrap();
        assert!(meta.segments.is_valid(root));
        assert_eq!(meta.segments.owner_of(root).unwrap().nid, Nid::ROOT.get());
    }
}

#[test]
fn read_only_volumes_are_only_read() {
    let sealed = fresh(&["-O", "ro"]);
    assert!(matches!(try_open(&sealed), Err(Error::ReadOnly(_))));
    let meta = open_as(sealed, OpenMode::ReadOnly).unwrap();
    assert!(matches!(
        meta.write_checkpoint(crate::checkpoint::CheckpointReason::Sync),
        Err(Error::ReadOnly(_))
    ));
}

#[test]
fn unknown_features_are_refused_by_name() {
    let device = fresh(&[]);
    let feature = 1024 + 2180;
    for (bits, name) in [
        (0x8000_0000u32, "0x80000000"),
        (0x1_0000, "packed_ssa"),
        (0x2, "blkzoned"),
    ] {
        for copy in [0, 4096] {
            device
                .write_at(copy + feature, &bits.to_le_bytes())
                .unwrap();
        }
        for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
            let error = open_as(Arc::clone(&device), mode).unwrap_err();
            assert!(
                matches!(&error, Error::Unsupported(what) if what.contains(name)),
                "{error}"
            );
        }
    }
    for copy in [0, 4096] {
        device
            .write_at(copy + feature, &0x8000u32.to_le_bytes())
            .unwrap();
    }
    assert!(matches!(try_open(&device), Err(Error::Unsupported(_))));
    open_as(device, OpenMode::ReadOnly).unwrap();
}

#[test]
fn one_good_superblock_is_enough() {
    let device = fresh(&["-O", "sb_checksum"]);
    device.write_at(1024, &[0; 4]).unwrap();
    open(&device);
    device.write_at(4096 + 1024 + 24, &[0; 4]).unwrap();
    assert!(matches!(try_open(&device), Err(Error::Corrupt(_))));
}

#[test]
fn a_device_that_ends_early_is_an_error() {
    let device = fresh(&[]);
    let short = Arc::new(MemDevice::new(50 * MIB));
    let mut bytes = vec![0; 50 * MIB as usize];
    device.read_at(0, &mut bytes).unwrap();
    short.write_at(0, &bytes).unwrap();
    assert!(matches!(try_open(&short), Err(Error::Corrupt(_))));
    assert!(matches!(
        try_open(&Arc::new(MemDevice::new(0))),
        Err(Error::Device(_))
    ));
}
