use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::hash::dentry_hash;

fn folded(name: &str) -> Vec<u8> {
    fold(name.as_bytes()).unwrap()
}

#[test]
fn case_composition_and_order_do_not_matter() {
    for (name, form) in [
        ("HeLLo", "hello"),
        ("stra\u{df}e", "strasse"),
        ("STRASSE", "strasse"),
        ("\u{c9}t\u{c9}", "e\u{301}te\u{301}"),
        ("E\u{301}", "e\u{301}"),
        ("\u{212b}", "a\u{30a}"),
        ("\u{130}", "i\u{307}"),
        ("\u{1f88}", "\u{3b1}\u{313}\u{3b9}"),
        ("\u{fb03}", "ffi"),
        ("\u{d4db}", "\u{1111}\u{1171}\u{11b6}"),
        ("a\u{301}\u{323}", "a\u{323}\u{301}"),
        ("\u{3a3}", "\u{3c3}"),
        ("\u{3c2}", "\u{3c3}"),
    ] {
        assert_eq!(folded(name), form.as_bytes(), "{name}");
    }
}

#[test]
fn ignorable_code_points_vanish_and_separate_marks() {
    assert_eq!(folded("a\u{ad}b\u{200d}\u{fe0f}"), b"ab");
    let apart = "a\u{301}\u{34f}\u{323}";
    assert_eq!(folded(apart), "a\u{301}\u{323}".as_bytes());
    assert_eq!(fold("\u{200d}\u{feff}".as_bytes()), None);
}

#[test]
fn names_that_are_no_text_have_no_form() {
    for name in [
        &b"\xff"[..],
        b"a\xffb",
        b"\x80a",
        b"a\xc3",
        b"\xed\xa0\x80",
        b"\xc0\xaf",
        b"\xf4\x90\x80\x80",
    ] {
        assert_eq!(fold(name), None, "{name:?}");
    }
}

#[test]
fn what_version_12_1_does_not_know_stands_for_itself() {
    // A capital letter of 14.0, a mark of 13.0 between two others, private, no character at all.
    for name in [
        "\u{2c2f}",
        "a\u{301}\u{1abf}\u{323}",
        "\u{e000}",
        "\u{fffe}",
        "\u{378}",
    ] {
        assert_eq!(folded(name), name.as_bytes());
    }
    assert_eq!(folded("a\u{2065}\u{180f}"), "a\u{180f}".as_bytes());
}

#[test]
fn the_folded_form_has_254_bytes_at_most() {
    assert_eq!(fold(b""), None);
    assert_eq!(fold(&[b'A'; 254]), Some(vec![b'a'; 254]));
    assert_eq!(fold(&[b'A'; 255]), None);
    assert_eq!(fold("\u{390}".repeat(43).as_bytes()), None);
}

#[test]
fn stray_continuation_bytes_pass() {
    assert_eq!(fold(b"A\x80B"), Some(b"a\x80b".to_vec()));
    // Once for the search, once for each of two classes.
    let name = [b"A\xcc\x81\x80", "\u{323}z".as_bytes()].concat();
    let form = [&b"a\x80"[..], "\u{323}".as_bytes()].concat();
    let folded = fold(&name).unwrap();
    assert!(folded.starts_with(&form[..2]));
    assert_eq!(folded, b"a\x80\x80\xcc\xa3\xcc\x81\x80z");
}

#[test]
fn hashes_are_those_of_the_folded_name() {
    assert_eq!(dentry_hash(&folded("HELLO")), 0x6F5B_B1A8);
}

proptest! {
    #[test]
    fn folding_twice_is_folding_once(name in "\\PC{1,40}") {
        if let Some(once) = fold(name.as_bytes()) {
            prop_assert_eq!(fold(&once), Some(once.clone()));
        }
    }

    #[test]
    fn any_bytes_are_taken(name in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = fold(&name);
    }
}
