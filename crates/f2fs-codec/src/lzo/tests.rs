//! Streams made by hand, one for each rule of the format. The kernel gives the same answers.

use super::{LzoEncoder, Version, decode};
use crate::error::CorruptReason;

/// Room for the output of every stream here.
const ROOM: usize = 5000;

fn decoded(stream: &[u8]) -> Result<Vec<u8>, CorruptReason> {
    let mut out = vec![0xee; ROOM];
    decode(stream, &mut out).map(|len| out[..len].to_vec())
}

/// Joins the parts and the end mark.
fn stream(parts: &[&[u8]]) -> Vec<u8> {
    [parts.concat(), vec![17, 0, 0]].concat()
}

/// Four literals, with which most streams begin.
const ABCD: &[u8] = b"\x15ABCD";

#[track_caller]
fn gives(parts: &[&[u8]], expected: &[u8]) {
    assert_eq!(decoded(&stream(parts)).unwrap(), expected);
}

#[track_caller]
fn fails(stream: &[u8], reason: CorruptReason) {
    assert_eq!(decoded(stream), Err(reason));
}

#[test]
fn first_literals() {
    gives(&[b"\x12A"], b"A");
    gives(&[b"\x14ABC"], b"ABC");
    gives(&[ABCD], b"ABCD");
    gives(&[&[255], &[b'Z'; 238]], &[b'Z'; 238]);
    // With a version in front too.
    gives(&[b"\x11\x01", ABCD], b"ABCD");
    gives(&[b"\x11\x00", ABCD], b"ABCD");
    // Without the special first byte: the long literal row.
    gives(&[b"\x01ABCD"], b"ABCD");
    gives(&[&[0, 1], &[b'Z'; 19]], &[b'Z'; 19]);
    gives(&[&[0, 0, 1], &[b'Z'; 274]], &[b'Z'; 274]);
    gives(&[], b"");
}

#[test]
fn matches() {
    // LLLDDDSS: lengths 3 and 8, with trailing literals.
    gives(&[ABCD, b"\x4c\x00"], b"ABCDABC");
    gives(&[ABCD, b"\xee\x00yz"], b"ABCDABCDABCDyz");
    // 001LLLLL: short, and with a length byte.
    gives(&[ABCD, b"\x22\x0d\x00x"], b"ABCDABCDx");
    gives(
        &[ABCD, b"\x20\x01\x00\x00"],
        &[b"ABC".as_slice(), &[b'D'; 35]].concat(),
    );
    gives(
        &[ABCD, b"\x20\x00\x01\x00\x00"],
        &[b"ABC".as_slice(), &[b'D'; 290]].concat(),
    );
    // 0000DDSS after one literal: two bytes from nearby.
    gives(&[b"\x13AB", b"\x04\x00"], b"ABAB");
    gives(&[b"\x13AB", b"\x01\x00c"], b"ABBBc");
    // A long row of literals is no trailing row, so a second one may not follow.
    fails(&stream(&[ABCD, b"\x00\x00"]), CorruptReason::Lookbehind);
}

#[test]
fn match_of_three_bytes_after_long_literals() {
    let mut expected = vec![b'z'; 2048];
    expected.extend(b"ABCDEzzz");
    // 2045 bytes as one match, then five literals as an instruction, then 2049 back.
    let parts: [&[u8]; 4] = [
        b"\x14zzz",
        b"\x20\0\0\0\0\0\0\0\xe3\x00\x00",
        b"\x02ABCDE",
        b"\x00\x00",
    ];
    let parts_len = 3 + 2 + 31 + 7 * 255 + 0xe3;
    assert_eq!(parts_len, 2048);
    gives(&parts, &[&expected[..2053], b"zzz"].concat());
}

#[test]
fn far_matches() {
    let noise: Vec<u8> = (0..49_151_u32).map(|i| ((i * i) >> 7) as u8).collect();
    let literals = [&[0][..], &[0; 192], &[173], &noise].concat();
    assert_eq!(18 + 192 * 255 + 173, noise.len());
    let mut out = vec![0; 60_000];
    for (instruction, distance, len) in [
        (&b"\x13\x04\x00"[..], 16_385, 5),
        (b"\x1b\x00\x00", 32_768, 5),
        (b"\x1b\xfc\xff", 49_151, 5),
        (b"\x10\x01\x04\x00", 16_385, 10),
    ] {
        let stream = stream(&[&literals, instruction]);
        assert_eq!(decode(&stream, &mut out), Ok(noise.len() + len));
        assert_eq!(
            out[noise.len()..][..len],
            noise[noise.len() - distance..][..len]
        );
    }
}

#[test]
fn zero_runs() {
    let run = b"\x1a\xfc\xff\x01";
    gives(
        &[b"\x11\x01", ABCD, run],
        b"ABCD\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    );
    gives(&[b"\x11\x01", ABCD, b"\x18\xfd\xff\x00x"], b"ABCD\0\0\0\0x");
    let longest = [b"ABCD".as_slice(), &[0; 2051]].concat();
    gives(&[b"\x11\x01", ABCD, b"\x1f\xfc\xff\xff"], &longest);
    // Without a version, or with version 0, it is a match that goes too far back.
    fails(&stream(&[ABCD, run]), CorruptReason::Lookbehind);
    fails(
        &stream(&[b"\x11\x00", ABCD, run]),
        CorruptReason::Lookbehind,
    );
    // As the first instruction it is a literal row.
    fails(
        &stream(&[b"\x11\x01", b"\x1f\xfc\xff\xff"]),
        CorruptReason::Truncated,
    );
}

#[test]
fn ends() {
    fails(b"", CorruptReason::Truncated);
    fails(b"\x11", CorruptReason::Truncated);
    fails(ABCD, CorruptReason::Truncated);
    fails(b"\x15ABCD\x11\x00", CorruptReason::Truncated);
    fails(b"\x15ABCD\x12\x00\x00", CorruptReason::EndMark);
    fails(b"\x15ABCD\x11\x00\x00\x00", CorruptReason::TrailingBytes);
    // The literal bits of the end mark mean nothing.
    assert_eq!(decoded(b"\x15ABCD\x11\x03\x00").unwrap(), b"ABCD");
}

#[test]
fn limits() {
    fails(
        &stream(&[b"\x13AB", b"\x4c\x00"]),
        CorruptReason::Lookbehind,
    );
    let zeros = [&[32][..], &[0; 19]].concat();
    fails(
        &stream(&[ABCD, &zeros, b"\xff\x00\x00"]),
        CorruptReason::Overrun,
    );
    fails(
        &stream(&[b"\x11\x01", ABCD, &b"\x1f\xfc\xff\xff".repeat(3)]),
        CorruptReason::Overrun,
    );
    fails(
        &stream(&[&[0; 20], &[255], &[7; ROOM + 400]]),
        CorruptReason::Overrun,
    );
}

#[test]
fn the_encoder_stops_where_there_is_no_room() {
    let src: Vec<u8> = (0..5000_u32)
        .map(|i| if i % 50 < 30 { 0 } else { (i * i) as u8 })
        .collect();
    for version in [Version::Lzo1x, Version::Rle] {
        let mut encoder = LzoEncoder::new();
        let mut out = vec![0; 6000];
        let len = encoder.encode(version, &src, &mut out).unwrap();
        assert_eq!(decode(&out[..len], &mut [0; 5000]), Ok(5000));
        for room in 0..len {
            assert_eq!(encoder.encode(version, &src, &mut out[..room]), None);
        }
        assert_eq!(encoder.encode(version, &src, &mut out[..len]), Some(len));
    }
}
