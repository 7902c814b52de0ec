use super::*;

#[test]
fn layout_numbers() {
    let path = NodePath::of(0, 873, 1018).unwrap();
    assert_eq!((path.level, path.slot), (0, 0));
    let path = NodePath::of(873, 873, 1018).unwrap();
    assert_eq!((path.level, path.leaf_offset(), path.slot), (1, 1, 0));
    let path = NodePath::of(873 + 1018, 873, 1018).unwrap();
    assert_eq!(
        (path.level, path.leaf_offset(), path.index_in_parent[1]),
        (1, 2, 1)
    );
    let path = NodePath::of(873 + 2 * 1018, 873, 1018).unwrap();
    assert_eq!((path.level, path.node_offset), (2, [0, 3, 4, 0]));
    let path = NodePath::of(873 + 2 * 1018 + 1018 * 1018, 873, 1018).unwrap();
    assert_eq!(
        (path.level, path.node_offset),
        (2, [0, 4 + 1018, 5 + 1018, 0])
    );
    let path = NodePath::of(3_000_000, 873, 1018).unwrap();
    assert_eq!(path.level, 3);
    assert_eq!(path.node_offset[1], 5 + 2 * 1018);
    assert_eq!(path.index_in_parent[1], 4);
}

#[test]
fn ends_of_the_tree() {
    let end = mappable_blocks(923, 1018);
    assert_eq!(end - 923, crate::geometry::MAX_FILE_BLOCKS);
    assert_eq!(NodePath::of(end - 1, 923, 1018).unwrap().slot, 1017);
    for block in [end, u64::MAX] {
        let error = NodePath::of(block, 923, 1018).unwrap_err();
        assert_eq!(error.kind, CorruptKind::FileBlockTooLarge { block });
    }
    assert!(NodePath::of(5, 5, 0).is_err());
}

#[test]
fn inverse_refuses_what_is_not_direct() {
    let n = NIDS_PER_BLOCK as u32;
    for offset in [
        3,
        4 + n,
        5 + 2 * n,
        6 + 2 * n,
        6 + 2 * n + n + 1,
        crate::node::XATTR_NODE_OFFSET,
    ] {
        let error = first_block_of_dnode(offset, 923, 1018).unwrap_err();
        assert_eq!(error.kind, CorruptKind::NotADnode { offset });
    }
}

proptest::proptest! {
    #[test]
    fn inverse_finds_the_block_again(block in 0..mappable_blocks(832, 992)) {
        let path = NodePath::of(block, 832, 992).unwrap();
        let first = first_block_of_dnode(path.leaf_offset(), 832, 992).unwrap();
        proptest::prop_assert_eq!(first + path.slot as u64, block);
        for level in 0..path.level {
            let holds_nids = level > 0 && !is_direct(path.node_offset[level]);
            proptest::prop_assert!(level == 0 || holds_nids);
        }
        proptest::prop_assert!(is_direct(path.leaf_offset()));
    }
}
