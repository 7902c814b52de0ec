//! Whatever the bytes are, a decoder fills its output exactly or returns an error.

use crate::support::{ALGORITHMS, Rng, encode, kinds, mixed, params};
use f2fs_codec::{CodecError, CodecParams, CompressAlgorithm, CorruptReason, Decoder, Verify};
use proptest::prelude::*;

const GUARD: [u8; 64] = [0xc3; 64];

/// Decodes into the middle of a buffer and checks that nothing around it is written.
fn decode_guarded(
    decoder: &mut Decoder,
    params: CodecParams,
    blocks: &[u8],
    verify: Verify,
) -> Result<Vec<u8>, CodecError> {
    let len = params.cluster_bytes();
    let mut buffer = [&GUARD[..], &vec![0; len], &GUARD[..]].concat();
    let result = decoder.decode(&params, blocks, verify, &mut buffer[GUARD.len()..][..len]);
    assert_eq!(buffer[..GUARD.len()], GUARD, "{params:?}");
    assert_eq!(buffer[GUARD.len() + len..], GUARD, "{params:?}");
    result.map(|()| buffer[GUARD.len()..][..len].to_vec())
}

/// Puts `payload` into blocks, with its true length and no checksum.
fn blocks_of(payload: &[u8]) -> Vec<u8> {
    let mut blocks = vec![0; (payload.len() + 24).next_multiple_of(4096)];
    blocks[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    blocks[24..][..payload.len()].copy_from_slice(payload);
    blocks
}

fn payload_of(blocks: &[u8]) -> &[u8] {
    let clen = u32::from_le_bytes(blocks[..4].try_into().unwrap());
    &blocks[24..][..clen as usize]
}

fn unchecked(codec: (CompressAlgorithm, u8), log_cluster_size: u8) -> CodecParams {
    CodecParams {
        checksum: false,
        ..params(codec, log_cluster_size)
    }
}

fn decode_payload(params: CodecParams, payload: &[u8]) -> Result<Vec<u8>, CodecError> {
    decode_guarded(
        &mut Decoder::new(),
        params,
        &blocks_of(payload),
        Verify::Strict,
    )
}

#[test]
fn every_truncation_is_an_error() {
    let mut decoder = Decoder::new();
    for codec in ALGORITHMS {
        let params = unchecked(codec, 2);
        for (kind, plain) in kinds(1, params.cluster_bytes()) {
            let Some(mut blocks) = encode(params, &plain) else {
                continue;
            };
            let clen = payload_of(&blocks).len() as u32;
            for cut in 0..clen {
                blocks[..4].copy_from_slice(&cut.to_le_bytes());
                let result = decode_guarded(&mut decoder, params, &blocks, Verify::Strict);
                assert!(result.is_err(), "{codec:?} {kind} {cut}");
            }
        }
    }
}

#[test]
fn bytes_behind_the_payload_are_an_error_but_for_zstd() {
    for codec in ALGORITHMS {
        let params = unchecked(codec, 2);
        let plain = mixed(2, params.cluster_bytes());
        let blocks = encode(params, &plain).unwrap();
        for extra in [0, 1, 17, 0xff] {
            let payload = [payload_of(&blocks), &[extra]].concat();
            let result = decode_payload(params, &payload);
            match codec.0 {
                CompressAlgorithm::Zstd => assert!(result.unwrap() == plain),
                _ => assert!(result.is_err(), "{codec:?} {extra}"),
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_found_by_the_checksum_and_harmless_without() {
    let mut decoder = Decoder::new();
    for codec in ALGORITHMS {
        let params = params(codec, 2);
        let plain = mixed(3, params.cluster_bytes());
        let mut blocks = encode(params, &plain).unwrap();
        for bit in 0..payload_of(&blocks).len() * 8 {
            let mask = 1 << (bit % 8);
            blocks[24 + bit / 8] ^= mask;
            let strict = decode_guarded(&mut decoder, params, &blocks, Verify::Strict);
            assert!(
                matches!(strict, Err(CodecError::Checksum { .. })),
                "{codec:?} {bit}"
            );
            let _ = decode_guarded(&mut decoder, params, &blocks, Verify::Ignore);
            blocks[24 + bit / 8] ^= mask;
        }
        assert!(decode_guarded(&mut decoder, params, &blocks, Verify::Strict).unwrap() == plain);
    }
}

#[test]
fn a_wrong_checksum_is_an_error_unless_ignored() {
    for codec in ALGORITHMS {
        let params = params(codec, 2);
        let plain = mixed(4, params.cluster_bytes());
        let mut blocks = encode(params, &plain).unwrap();
        let computed = u32::from_le_bytes(blocks[4..8].try_into().unwrap());
        blocks[4] ^= 1;
        let mut decoder = Decoder::new();
        let strict = decode_guarded(&mut decoder, params, &blocks, Verify::Strict);
        assert_eq!(
            strict,
            Err(CodecError::Checksum {
                stored: computed ^ 1,
                computed
            })
        );
        let salvaged = decode_guarded(&mut decoder, params, &blocks, Verify::Ignore);
        assert!(salvaged.unwrap() == plain);
        let params = unchecked(codec, 2);
        let unchecked = decode_guarded(&mut decoder, params, &blocks, Verify::Strict);
        assert!(unchecked.unwrap() == plain);
    }
}

#[test]
fn lengths_of_header_and_blocks_are_checked() {
    for codec in ALGORITHMS {
        let params = unchecked(codec, 2);
        let decode =
            |blocks: &[u8]| decode_guarded(&mut Decoder::new(), params, blocks, Verify::Strict);
        for bytes in [0, 1, 24, 4095, 4097, 16384, 20480] {
            assert_eq!(
                decode(&vec![1; bytes]),
                Err(CodecError::BlocksLength { bytes })
            );
        }
        for clen in [0, 4073, u32::MAX] {
            let mut blocks = vec![0; 4096];
            blocks[..4].copy_from_slice(&clen.to_le_bytes());
            assert_eq!(
                decode(&blocks),
                Err(CodecError::HeaderLength { clen, room: 4072 })
            );
        }
        let mut short = vec![0; 16383];
        let result = Decoder::new().decode(&params, &[0; 4096], Verify::Strict, &mut short);
        assert_eq!(
            result,
            Err(CodecError::BufferLength {
                expected: 16384,
                got: 16383
            })
        );
    }
}

#[test]
fn a_cluster_of_another_size_is_an_error() {
    for codec in ALGORITHMS {
        let plain = mixed(5, 1 << 15);
        let blocks = encode(unchecked(codec, 3), &plain).unwrap();
        for log_cluster_size in [2, 4] {
            let params = unchecked(codec, log_cluster_size);
            let result = decode_payload(params, payload_of(&blocks));
            assert!(result.is_err(), "{codec:?} {log_cluster_size}");
        }
    }
}

/// A zstd frame of one block that repeats a byte, with the given bytes after the magic number.
fn zstd_frame(header: &[u8], len: u32) -> Vec<u8> {
    let block = ((len << 3) | 0b011).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd], header, &block[..3], b"x"].concat()
}

#[test]
fn zstd_windows_and_sizes() {
    let params = unchecked((CompressAlgorithm::Zstd, 0), 2);
    let decode = |header: &[u8], len| decode_payload(params, &zstd_frame(header, len));
    let too_large = |window| Err(CodecError::WindowTooLarge { window, max: 16384 });
    let wrong_size = |got| {
        Err(CodecError::DecodedSize {
            expected: 16384,
            got,
        })
    };
    let full = vec![b'x'; 16384];

    assert_eq!(decode(&[0x00, 0x20], 16384).unwrap(), full);
    assert_eq!(decode(&[0x00, 0x21], 16384), too_large(18432));
    assert_eq!(decode(&[0x00, 0x58], 16384), too_large(2 << 20));
    assert_eq!(decode(&[0x00, 0xff], 16384), too_large(0x3c0_0000_0000));
    assert_eq!(decode(&[0x00, 0x20], 16383), wrong_size(16383));
    // With a content size the kernel needs no window.
    assert_eq!(decode(&[0x60, 0x00, 0x3f], 16384).unwrap(), full);
    assert_eq!(decode(&[0x80, 0x58, 0, 0x40, 0, 0], 16384).unwrap(), full);
    assert_eq!(decode(&[0x60, 0x01, 0x3f], 16385), wrong_size(16385));
    assert_eq!(
        decode(&[0xe0, 0, 0, 0, 0, 0, 0, 0, 1], 16384),
        wrong_size(1 << 56)
    );
    // More than one cluster, a skippable frame, a dictionary, the reserved bit.
    let reason = |result| match result {
        Err(CodecError::Corrupt {
            algorithm: CompressAlgorithm::Zstd,
            reason,
        }) => reason,
        other => panic!("{other:?}"),
    };
    let two = [
        &zstd_frame(&[0x00, 0x20], 16384)[..6],
        &[2, 0, 2, 0, 3, 0, 2, 0],
    ]
    .concat();
    assert_eq!(reason(decode_payload(params, &two)), CorruptReason::Overrun);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    assert_eq!(
        reason(decode_payload(params, &skippable)),
        CorruptReason::FrameHeader
    );
    reason(decode(&[0x01, 0x20, 7], 16384));
    reason(decode(&[0x08, 0x20], 16384));
}

#[test]
fn noise_never_decodes_to_a_cluster_by_accident_or_panics() {
    let mut rng = Rng::new(11);
    let mut decoder = Decoder::new();
    for round in 0..4000 {
        let len = 1 + rng.below(4072);
        let mut payload = rng.bytes(len);
        // Long lengths and references need rows of small bytes, which pure noise rarely has.
        for byte in payload.iter_mut().take(round % 256) {
            *byte &= [0xff, 0x3f, 0x1f, 0x0f][round % 4];
        }
        for codec in ALGORITHMS {
            let params = unchecked(codec, 2);
            let _ = decode_guarded(&mut decoder, params, &blocks_of(&payload), Verify::Strict);
        }
    }
}

proptest! {
    #[test]
    fn damaged_clusters(
        seed in 0_u64..1000,
        codec in 0..ALGORITHMS.len(),
        damage in prop::collection::vec((0_usize..8192, any::<u8>()), 1..12),
    ) {
        let params = unchecked(ALGORITHMS[codec], 3);
        let mut blocks = encode(params, &mixed(seed, params.cluster_bytes())).unwrap();
        for (at, byte) in damage {
            let at = at % blocks.len();
            blocks[at] = byte;
        }
        let _ = decode_guarded(&mut Decoder::new(), params, &blocks, Verify::Strict);
    }
}
