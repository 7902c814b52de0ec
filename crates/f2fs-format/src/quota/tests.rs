use alloc::vec::Vec;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::CorruptKind as Kind;

fn record(id: u32, space: u64, inodes: u64) -> QuotaRecord {
    QuotaRecord {
        id,
        space,
        inodes,
        ..QuotaRecord::default()
    }
}

/// Ids that share branches of the tree, and ids that do not.
fn ids() -> impl Strategy<Value = u32> {
    prop_oneof![0..40u32, 0..70_000u32, any::<u32>()]
}

/// A file with these ids.
fn file_of(ids: impl IntoIterator<Item = u32>) -> QuotaFile {
    let mut file = QuotaFile::new(QuotaKind::User);
    for id in ids {
        file.put(&record(id, 4096, 1));
    }
    file
}

proptest! {
    #[test]
    fn a_file_holds_what_was_put_into_it(puts in prop::collection::vec((ids(), 0..9u64), 0..200)) {
        let mut file = QuotaFile::new(QuotaKind::Group);
        let mut model = BTreeMap::new();
        for (id, inodes) in puts {
            let new = record(id, inodes * 4096, inodes);
            file.put(&new);
            model.insert(id, new);
        }
        let again = QuotaFile::parse(file.bytes().to_vec(), QuotaKind::Group).unwrap();
        prop_assert!(again.records().eq(model.values().copied()));
        prop_assert_eq!(&again.bytes, &file.bytes);
        prop_assert_eq!(again.info, file.info);
    }

    #[test]
    fn the_dirty_ranges_are_all_that_changed(first in prop::collection::vec(ids(), 0..50),
                                              then in prop::collection::vec(ids(), 0..50)) {
        let mut file = file_of(first);
        let mut copy = file.bytes().to_vec();
        file.take_dirty();
        for id in then {
            file.put(&record(id, 8192, 2));
        }
        copy.resize(file.bytes().len(), 0);
        for range in file.take_dirty() {
            copy[range.clone()].copy_from_slice(&file.bytes()[range]);
        }
        prop_assert_eq!(copy, file.bytes());
    }

    #[test]
    fn damaged_files_are_refused_or_safe(at in any::<prop::sample::Index>(), value in any::<u8>(),
                                         id in ids()) {
        let mut bytes = file_of([0, 1, 2, 300, 70_000, u32::MAX]).bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(mut file) = QuotaFile::parse(bytes, QuotaKind::User) {
            file.put(&record(id, 1, 1));
            prop_assert_eq!(file.find(id), Some(record(id, 1, 1)));
            // Limits and times may be anything, and stay readable.
            let again = QuotaFile::parse(file.bytes().to_vec(), QuotaKind::User).unwrap();
            prop_assert!(again.records().eq(file.records()));
        }
    }

    #[test]
    fn rubbish_with_a_good_head_is_refused_or_safe(words in prop::collection::vec(0..9u32, 1500),
                                                   id in ids()) {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let head = QuotaFile::new(QuotaKind::User);
        bytes[..8].copy_from_slice(&head.bytes()[..8]);
        if let Ok(mut file) = QuotaFile::parse(bytes, QuotaKind::User) {
            file.put(&record(id, 1, 1));
        }
    }
}

#[test]
fn records_keep_limits_in_kib() {
    let mut file = QuotaFile::new(QuotaKind::Project);
    let limits = QuotaLimits {
        space_hard: 1025,
        space_soft: 1024,
        inode_hard: 7,
        inode_soft: u64::MAX,
    };
    file.put(&QuotaRecord {
        limits,
        space_time: 5,
        ..record(9, 3, 4)
    });
    let back = file.find(9).unwrap();
    assert_eq!(
        (back.limits.space_hard, back.limits.space_soft),
        (2048, 1024)
    );
    assert_eq!(
        (back.limits.inode_hard, back.limits.inode_soft),
        (7, u64::MAX)
    );
    assert_eq!((back.space, back.inodes, back.space_time), (3, 4, 5));
}

#[test]
fn id_0_without_any_use_is_still_a_record() {
    let file = file_of([]);
    assert_eq!(file.find(0), None);
    let mut file = file_of([0]);
    file.put(&QuotaRecord::default());
    let file = QuotaFile::parse(file.bytes().to_vec(), QuotaKind::User).unwrap();
    assert_eq!(file.find(0), Some(QuotaRecord::default()));
}

#[test]
fn leaves_fill_before_new_ones_are_made() {
    let file = file_of(0..14);
    assert_eq!(
        (file.bytes().len(), file.info.free_entry.get()),
        (6 << 10, 0)
    );
    let file = file_of(0..15);
    assert_eq!(
        (file.bytes().len(), file.info.free_entry.get()),
        (7 << 10, 6)
    );
}

#[test]
fn blocks_of_no_use_are_taken_first() {
    let mut file = file_of([0]);
    let free = file.take_block();
    file.info.free_block = free.into();
    file.write_info();
    let mut file = QuotaFile::parse(file.bytes().to_vec(), QuotaKind::User).unwrap();
    file.put(&record(300, 1, 1));
    assert_eq!(
        (file.bytes().len(), file.info.free_block.get()),
        (7 << 10, 0)
    );
}

#[test]
fn contradictions_are_named() {
    let good = file_of([0, 300]).bytes().to_vec();
    let parse = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        QuotaFile::parse(bytes, QuotaKind::User).unwrap_err().kind
    };
    assert!(matches!(parse(0, 1), Kind::QuotaMagic { value: 1 }));
    assert!(matches!(parse(4, 0), Kind::QuotaVersion { value: 0 }));
    assert!(matches!(parse(20, 1), Kind::QuotaBlocks { blocks: 1, .. }));
    assert!(matches!(parse(20, u32::MAX), Kind::QuotaBlocks { .. }));
    assert!(matches!(parse(24, 5), Kind::QuotaShared { block: 5 }));
    assert!(matches!(parse(28, 4), Kind::QuotaFreeEntry { block: 4 }));
    // The root names itself, a block past the end, the header.
    assert!(matches!(parse(1024, 1), Kind::QuotaShared { block: 1 }));
    assert!(matches!(
        parse(1024, 99),
        Kind::QuotaReference { block: 99 }
    ));
    assert!(matches!(
        parse(1024, 0x8000_0000),
        Kind::QuotaReference { .. }
    ));
    // A leaf that counts wrong, one that lost its record.
    assert!(matches!(
        parse(5 * 1024 + 8, 9),
        Kind::QuotaCount { count: 9, .. }
    ));
    assert!(matches!(
        parse(5 * 1024 + 16, 1),
        Kind::QuotaMissing { id: 0, .. }
    ));
    assert!(QuotaFile::parse(good[..20].to_vec(), QuotaKind::User).is_err());
    assert!(QuotaFile::parse(good, QuotaKind::Group).is_err());
}
