use alloc::string::ToString;

use proptest::prelude::*;

use super::*;

fn entry(index: u8, name: &str, value: &[u8]) -> XattrEntry {
    XattrEntry {
        index,
        name: name.as_bytes().to_vec(),
        value: value.to_vec(),
    }
}

#[test]
fn names_split_and_join() {
    for (full, index, name) in [
        ("user.foo", 1, "foo"),
        ("system.posix_acl_access", 2, ""),
        ("system.posix_acl_default", 3, ""),
        ("trusted.a.b", 4, "a.b"),
        ("security.selinux", 6, "selinux"),
        ("system.advise", 7, ""),
    ] {
        assert_eq!(split_name(full), Some((index, name)));
        assert_eq!(full_name(index, name.as_bytes()).unwrap(), full.as_bytes());
    }
    for bad in [
        "user.",
        "foo",
        "system.posix_acl_accessory",
        "system.other",
        "",
    ] {
        assert_eq!(split_name(bad), None, "{bad}");
    }
    assert_eq!(full_name(INDEX_ENCRYPTION, b"c"), None);
}

#[test]
fn an_untouched_area_has_no_entries() {
    assert_eq!(parse(&[0; 200]), Ok(vec![]));
    assert_eq!(parse(&[]), Ok(vec![]));
}

#[test]
fn damage_is_found() {
    let good = encode(&[entry(1, "a", b"value")], 200).unwrap();
    let mut bad = good.clone();
    bad[0] ^= 1;
    assert!(matches!(
        parse(&bad).unwrap_err().kind,
        CorruptKind::XattrMagic { .. }
    ));
    bad[..4].fill(0);
    assert_eq!(
        parse(&bad).unwrap_err().kind,
        CorruptKind::XattrMagic { value: 0 }
    );
    for (at, value) in [(25, 200), (27, 1)] {
        let mut bad = good.clone();
        bad[at] = value;
        let wanted = CorruptKind::XattrEntry {
            offset: 24,
            end: 200,
        };
        assert_eq!(parse(&bad).unwrap_err().kind, wanted);
    }
}

#[test]
fn the_list_may_fill_the_stream() {
    let entries = [entry(1, "abc", b"")];
    let stream = encode(&entries, 32).unwrap();
    assert_eq!(parse(&stream).unwrap(), entries);
    let error = encode(&entries, 31).unwrap_err();
    assert_eq!(error, XattrNoRoom { need: 32, have: 31 });
    assert_eq!(
        error.to_string(),
        "extended attributes need 32 bytes, there are 31"
    );
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..90)
}

proptest! {
    #[test]
    fn round_trip(
        list in prop::collection::vec((1u8..12, "[a-z.]{0,50}", bytes()), 0..8),
    ) {
        let entries: Vec<_> = list.iter().map(|(i, name, value)| entry(*i, name, value)).collect();
        let capacity = encoded_len(&entries) + 40;
        prop_assert_eq!(parse(&encode(&entries, capacity).unwrap()).unwrap(), entries);
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&bytes);
        let Some(magic) = bytes.first_chunk_mut::<4>() else { return Ok(()) };
        *magic = XATTR_MAGIC.to_le_bytes();
        if let Ok(entries) = parse(&bytes) && !entries.is_empty() {
            prop_assert!(encoded_len(&entries) <= bytes.len() + 3);
        }
    }
}
