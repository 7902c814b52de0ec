use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::hash::dentry_hash;

fn entry(name: &[u8], ino: u32) -> DirEntry<'_> {
    DirEntry {
        hash: dentry_hash(name),
        ino: Ino::new(ino),
        file_type: FileType::Regular,
        name,
    }
}

fn names(area: &[u8], layout: Layout) -> Vec<Vec<u8>> {
    let view = DentryView::new(area, layout).unwrap();
    view.entries()
        .map(|entry| entry.unwrap().name.to_vec())
        .collect()
}

#[test]
fn layout_numbers() {
    for (area, slots, bitmap, reserved) in
        [(3488, 182, 23, 7), (3452, 180, 23, 9), (3412, 178, 23, 7)]
    {
        let layout = Layout::inline(area);
        assert_eq!((layout.slots(), layout.bitmap_len()), (slots, bitmap));
        assert_eq!(layout.entries_offset(), bitmap + reserved);
    }
    assert_eq!(Layout::BLOCK.bitmap_len(), 27);
    assert_eq!(Layout::inline(0).slots(), 0);
    assert_eq!(Layout::inline(usize::MAX / 16).area_len(), BLOCK_SIZE);
}

#[test]
fn file_types_convert() {
    for (index, kind) in FileType::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(kind.to_raw()), index + 1);
        assert_eq!(FileType::from_raw(kind.to_raw()), Some(kind));
        assert_eq!(FileType::from_mode(kind.mode_bits() | 0o755), Some(kind));
    }
    assert_eq!(FileType::from_raw(0), None);
    assert_eq!(FileType::from_mode(0o755), None);
}

#[test]
fn insert_find_replace_delete() {
    let mut area = vec![0xFFu8; BLOCK_SIZE];
    area[..27].fill(0);
    let mut view = DentryViewMut::new(&mut area, Layout::BLOCK).unwrap();
    assert!(view.view().is_empty());
    let long = [b'n'; 255];
    view.insert(0, &entry(b".", 3));
    view.insert(1, &entry(b"..", 3));
    assert!(view.view().is_only_dots());
    let slot = view.view().room_for(32).unwrap();
    view.insert(slot, &entry(&long, 7));
    let found = view.view().find(&long, dentry_hash(&long)).unwrap();
    assert_eq!((found.slot, found.ino.get()), (2, 7));
    view.set_ino_type(2, Ino::new(9), FileType::Directory);
    let found = view.view().find(&long, dentry_hash(&long)).unwrap();
    assert_eq!((found.ino.get(), found.file_type), (9, FileType::Directory));
    assert!(!view.view().is_only_dots());
    view.delete(2, long.len());
    assert_eq!(view.view().find(&long, dentry_hash(&long)), None);
    assert_eq!(view.view().room_for(212), Some(2));
    assert_eq!(view.view().room_for(213), None);
}

#[test]
fn slots_of_an_inline_area_keep_their_places() {
    let mut area = vec![0xEEu8; 3452];
    area[..23].fill(0);
    let layout = Layout::inline(area.len());
    let mut view = DentryViewMut::new(&mut area, layout).unwrap();
    let last = layout.slots() - 1;
    for (slot, name) in [(0, &b"."[..]), (5, b"a name of three slots"), (last, b"z")] {
        view.insert(slot, &entry(name, 9));
    }
    let mut block = vec![0u8; BLOCK_SIZE];
    let mut copy = DentryViewMut::new(&mut block, Layout::BLOCK).unwrap();
    copy.copy_slots(view.view());
    let all = |view: DentryView<'_>| -> Vec<_> {
        let entry = |d: Dentry<'_>| (d.slot, d.hash, d.ino, d.name.to_vec());
        view.entries().map(|d| entry(d.unwrap())).collect()
    };
    assert_eq!(all(copy.view()).len(), 3);
    assert_eq!(all(copy.view()), all(view.view()));
}

/// Applies `damage` to a block with one entry in slot 0 and gives the error it causes.
fn damaged(damage: impl FnOnce(&mut [u8])) -> CorruptKind {
    let mut area = vec![0u8; BLOCK_SIZE];
    let mut view = DentryViewMut::new(&mut area, Layout::BLOCK).unwrap();
    view.insert(0, &entry(b"a long name", 5));
    view.insert(2, &entry(b"next", 6));
    damage(&mut area);
    let view = DentryView::new(&area, Layout::BLOCK).unwrap();
    let mut entries = view.entries();
    let error = entries.next().unwrap().unwrap_err();
    assert!(
        view.find(b"next", dentry_hash(b"next")).is_some(),
        "the good entry stays visible"
    );
    error.kind
}

#[test]
fn bad_entries_are_reported_and_skipped() {
    let at = Layout::BLOCK.entries_offset();
    assert_eq!(
        damaged(|a| a[at + 8] = 0),
        CorruptKind::DentryNameLen { slot: 0, len: 0 }
    );
    assert_eq!(
        damaged(|a| a[at + 9] = 1),
        CorruptKind::DentryNameLen { slot: 0, len: 267 }
    );
    assert_eq!(
        damaged(|a| a[at + 8] = 200),
        CorruptKind::DentryNameSlots { slot: 0 }
    );
    assert_eq!(
        damaged(|a| a[0] &= !2),
        CorruptKind::DentryNameSlots { slot: 0 }
    );
    assert_eq!(
        damaged(|a| a[at + 4] = 0),
        CorruptKind::DentryIno { slot: 0, ino: 0 }
    );
    assert_eq!(
        damaged(|a| a[at + 10] = 8),
        CorruptKind::DentryType { slot: 0, value: 8 }
    );
}

#[test]
fn a_name_cannot_leave_the_area() {
    let mut area = vec![0u8; BLOCK_SIZE];
    let mut view = DentryViewMut::new(&mut area, Layout::BLOCK).unwrap();
    view.insert(213, &entry(b"tail", 5));
    area[Layout::BLOCK.entry_at(213) + 8] = 9;
    let view = DentryView::new(&area, Layout::BLOCK).unwrap();
    let error = view.entries().next().unwrap().unwrap_err();
    assert_eq!(error.kind, CorruptKind::DentryNameSlots { slot: 213 });
    let error = DentryView::new(&area[1..], Layout::BLOCK).unwrap_err();
    assert_eq!(error.kind, CorruptKind::DentryArea { len: 4095 });
}

#[test]
fn names_with_slashes_are_found_out() {
    let mut area = vec![0u8; BLOCK_SIZE];
    let mut view = DentryViewMut::new(&mut area, Layout::BLOCK).unwrap();
    view.insert(0, &entry(b"a/b", 5));
    let dentry = view.view().entries().next().unwrap().unwrap();
    assert_eq!(
        dentry.check_name().unwrap_err().kind,
        CorruptKind::DentryName { slot: 0 }
    );
}

proptest! {
    #[test]
    fn what_is_inserted_is_listed(
        list in prop::collection::vec("[a-z]{1,40}", 1..20),
        area_len in 3000usize..3600,
    ) {
        let layout = Layout::inline(area_len);
        let mut area = vec![0u8; area_len];
        let mut view = DentryViewMut::new(&mut area, layout).unwrap();
        for name in &list {
            let slot = view.view().room_for(slots_for(name.len())).unwrap();
            view.insert(slot, &entry(name.as_bytes(), 4));
        }
        let wanted: Vec<Vec<u8>> = list.iter().map(|name| name.clone().into_bytes()).collect();
        prop_assert_eq!(names(&area, layout), wanted);
    }

    #[test]
    fn random_bytes_never_panic(
        area in prop::collection::vec(any::<u8>(), BLOCK_SIZE),
        len in 0usize..4097,
    ) {
        let view = DentryView::new(&area, Layout::BLOCK).unwrap();
        prop_assert!(view.entries().count() <= NR_DENTRY_IN_BLOCK);
        let view = DentryView::new(&area, Layout::inline(len)).unwrap();
        prop_assert!(view.entries().flatten().all(|dentry| dentry.name.len() <= NAME_LEN));
        let _ = (view.room_for(3), view.find(b"x", 0), view.is_only_dots());
    }
}
