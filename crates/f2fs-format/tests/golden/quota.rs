//! Quota files as mkfs.f2fs and the kernel left them.

use f2fs_format::{QuotaFile, QuotaKind, QuotaRecord};

/// The owner of an empty root directory.
const ROOT: QuotaRecord = QuotaRecord {
    id: 0,
    space: 4096,
    inodes: 1,
    limits: f2fs_format::QuotaLimits {
        space_hard: 0,
        space_soft: 0,
        inode_hard: 0,
        inode_soft: 0,
    },
    space_time: 0,
    inode_time: 0,
};

#[test]
fn mkfs_makes_what_an_empty_file_and_one_record_are() {
    let goldens: [(&[u8], _); 2] = [
        (include_bytes!("data/quota-mkfs-user.bin"), QuotaKind::User),
        (
            include_bytes!("data/quota-mkfs-project.bin"),
            QuotaKind::Project,
        ),
    ];
    for (bytes, kind) in goldens {
        let mut file = QuotaFile::new(kind);
        file.put(&ROOT);
        assert_eq!(file.bytes(), bytes);
        let file = QuotaFile::parse(bytes.to_vec(), kind).unwrap();
        assert!(file.records().eq([ROOT]));
    }
}

/// Users 100 to 115, each with a file of 5000 bytes more than the last (103 was removed, 105
/// stayed for its limits), two far ones, and one with limits alone.
#[test]
fn the_kernels_file_reads_as_it_was_made() {
    let bytes = include_bytes!("data/quota-kernel-user.bin");
    let file = QuotaFile::parse(bytes.to_vec(), QuotaKind::User).unwrap();
    let ids: Vec<_> = file.records().map(|record| record.id).collect();
    let mut expected = vec![0, 42];
    expected.extend((100..116).filter(|&id| id != 103));
    expected.extend([16 * 70_000, 17 * 70_000]);
    assert_eq!(ids, expected);
    let at = |id| file.find(id).unwrap();
    assert_eq!(
        (at(115).space, at(115).inodes),
        (75_000_u64.next_multiple_of(4096), 1)
    );
    assert_eq!(
        (at(105).space, at(105).inodes, at(105).inode_time),
        (0, 0, 0)
    );
    let limits = at(105).limits;
    assert_eq!(
        (limits.space_hard, limits.space_soft),
        (1000 << 10, 10 << 10)
    );
    assert_eq!((limits.inode_hard, limits.inode_soft), (9, 0));
    assert_eq!((at(42).limits.inode_hard, at(42).limits.inode_soft), (9, 5));
    assert_eq!(
        (file.grace().space, file.grace().inodes),
        (604_800, 604_800)
    );
}

#[test]
fn the_kernels_file_takes_more_records() {
    let bytes = include_bytes!("data/quota-kernel-user.bin");
    let mut file = QuotaFile::parse(bytes.to_vec(), QuotaKind::User).unwrap();
    // The place of the removed record is the first that is used again.
    file.put(&QuotaRecord { id: 7, ..ROOT });
    let id = u32::from_le_bytes(file.bytes()[0x1530..0x1534].try_into().unwrap());
    assert_eq!(id, 7);
    for id in 200..300 {
        file.put(&QuotaRecord { id, ..ROOT });
    }
    let again = QuotaFile::parse(file.bytes().to_vec(), QuotaKind::User).unwrap();
    assert!(again.records().eq(file.records()));
}
