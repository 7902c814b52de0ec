//! What is encoded decodes to the same bytes, and is as long as it may be.

use crate::support::{ALGORITHMS, CODECS, Rng, decode, encode, kinds, mixed, params};
use f2fs_codec::{CodecError, CodecParams, CompressAlgorithm, Decoder, Encoded, Encoder};
use proptest::prelude::*;

fn clen(blocks: &[u8]) -> usize {
    u32::from_le_bytes(blocks[..4].try_into().unwrap()) as usize
}

/// Checks everything that must hold of an encoded cluster.
fn check(params: CodecParams, plain: &[u8], blocks: &[u8], name: &str) {
    let clen = clen(blocks);
    assert_eq!(blocks.len(), (clen + 24).next_multiple_of(4096), "{name}");
    assert!(blocks.len() < plain.len(), "{name}");
    assert_eq!(blocks[8..24], [0; 16], "{name}: reserved words");
    assert!(
        blocks[24 + clen..].iter().all(|byte| *byte == 0),
        "{name}: fill"
    );
    if !params.checksum {
        assert_eq!(blocks[4..8], [0; 4], "{name}: checksum");
    }
    assert!(decode(params, blocks).unwrap() == plain, "{name}");
}

#[test]
fn every_codec_size_and_kind() {
    for log_cluster_size in 2..=8 {
        for (kind, plain) in kinds(u64::from(log_cluster_size), 4096 << log_cluster_size) {
            for codec in CODECS {
                let name = format!("{codec:?} {log_cluster_size} {kind}");
                let params = params(codec, log_cluster_size);
                let blocks = encode(params, &plain);
                assert_eq!(blocks.is_none(), kind == "noise", "{name}");
                if let Some(blocks) = blocks {
                    check(params, &plain, &blocks, &name);
                }
            }
        }
    }
}

#[test]
fn all_levels() {
    for (algorithm, levels) in [
        (CompressAlgorithm::Lz4, 3..=16),
        (CompressAlgorithm::Zstd, 1..=22),
    ] {
        for level in levels {
            let params = params((algorithm, level), 4);
            let plain = mixed(5, params.cluster_bytes());
            check(
                params,
                &plain,
                &encode(params, &plain).unwrap(),
                &format!("{params:?}"),
            );
        }
    }
}

#[test]
fn without_checksum_the_field_is_zero() {
    for codec in ALGORITHMS {
        let params = CodecParams {
            checksum: false,
            ..params(codec, 2)
        };
        let plain = mixed(6, params.cluster_bytes());
        check(
            params,
            &plain,
            &encode(params, &plain).unwrap(),
            "no checksum",
        );
    }
}

/// Noise that grows until nothing is saved: the last cluster that is encoded fills all but one
/// block, and there is no gap and no overlap between the two answers.
#[test]
fn one_block_must_be_saved() {
    for codec in CODECS {
        let params = params(codec, 2);
        let noise = Rng::new(3).bytes(params.cluster_bytes());
        let mut longest = 0;
        let mut refused = 0;
        for len in 12_000..12_400 {
            let mut plain = noise.clone();
            plain[len..].fill(0);
            match encode(params, &plain) {
                Some(blocks) => {
                    check(params, &plain, &blocks, "near the limit");
                    assert_eq!(refused, 0, "{codec:?}");
                    longest = clen(&blocks);
                }
                None => refused += 1,
            }
        }
        let limit = 3 * 4096 - 24;
        // zstd wants some bytes of room that it then does not use.
        assert!(
            (limit - 64..=limit).contains(&longest),
            "{codec:?} {longest}"
        );
        assert!(refused > 0, "{codec:?}");
    }
}

#[test]
fn a_used_encoder_gives_the_bytes_of_a_new_one() {
    let mut used = Encoder::new();
    for round in 0..3 {
        for log_cluster_size in [2, 5] {
            for codec in CODECS {
                let params = params(codec, log_cluster_size);
                let plain = mixed(round, params.cluster_bytes());
                let mut out = vec![0; plain.len()];
                let encoded = used.encode(&params, &plain, &mut out).unwrap();
                let blocks = encode(params, &plain).unwrap();
                let count = blocks.len() as u32 / 4096;
                assert_eq!(encoded, Encoded::Compressed { blocks: count });
                assert!(out[..blocks.len()] == blocks, "{codec:?}");
            }
        }
    }
}

#[test]
fn coders_may_move_to_another_thread() {
    fn is_send<T: Send>(_: T) {}
    is_send(Encoder::new());
    is_send(Decoder::new());
}

/// LZO-RLE may not use some pairs of distance and length, for they look like a zero run.
#[test]
fn lzo_matches_that_look_like_zero_runs() {
    let noise = Rng::new(9).bytes(300);
    for distance in [
        0x803f, 0x807f, 0x80bf, 0xbf7f, 0xbfbf, 0xbffd, 0xbffe, 0xbfff,
    ] {
        for len in (4..12).chain(250..280) {
            // The same noise twice, each time after a match and before three other bytes, so that
            // the encoder finds exactly this match and lets three literals follow.
            let mut plain = vec![1; 1 << 16];
            for (at, end) in [(100, b"abc"), (100 + distance, b"def")] {
                plain[at..at + len].copy_from_slice(&noise[..len]);
                plain[at + len..][..3].copy_from_slice(end);
            }
            for codec in [(CompressAlgorithm::Lzo, 0), (CompressAlgorithm::LzoRle, 0)] {
                let params = params(codec, 4);
                let blocks = encode(params, &plain).unwrap();
                check(
                    params,
                    &plain,
                    &blocks,
                    &format!("{codec:?} {distance:x} {len}"),
                );
            }
        }
    }
}

#[test]
fn mistakes_of_the_caller_are_errors() {
    let sizes = [1, 9].map(|log| CodecParams::new(CompressAlgorithm::Lz4, 0, log, false));
    assert_eq!(
        sizes[0],
        Err(CodecError::ClusterSize {
            log_cluster_size: 1
        })
    );
    assert_eq!(
        sizes[1],
        Err(CodecError::ClusterSize {
            log_cluster_size: 9
        })
    );
    for (algorithm, level) in [
        (CompressAlgorithm::Lzo, 1),
        (CompressAlgorithm::LzoRle, 1),
        (CompressAlgorithm::Lz4, 2),
        (CompressAlgorithm::Lz4, 17),
        (CompressAlgorithm::Zstd, 23),
    ] {
        let error = CodecError::Level { algorithm, level };
        assert_eq!(CodecParams::new(algorithm, level, 2, false), Err(error));
    }
    let params = params(CODECS[0], 2);
    let encode =
        |src_len, out_len| Encoder::new().encode(&params, &vec![0; src_len], &mut vec![0; out_len]);
    let error = |got| {
        Err(CodecError::BufferLength {
            expected: 16384,
            got,
        })
    };
    assert_eq!(encode(16383, 16384), error(16383));
    assert_eq!(encode(16385, 16384), error(16385));
    assert_eq!(encode(16384, 16383), error(16383));
    assert_eq!(encode(16384, 20000), Ok(Encoded::Compressed { blocks: 1 }));
}

/// A piece of a cluster: what it is made of, how long it is, a seed.
fn pieces() -> impl Strategy<Value = Vec<(u8, usize, u64)>> {
    let len = prop_oneof![1_usize..20, 1_usize..400, 1_usize..9000];
    prop::collection::vec((0_u8..5, len, 0_u64..1000), 1..60)
}

fn assemble(pieces: &[(u8, usize, u64)], len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, count, seed) in pieces {
        match kind {
            0 => out.resize(out.len() + count, 0),
            1 => out.resize(out.len() + count, *seed as u8),
            2 => out.extend(Rng::new(*seed).bytes(*count)),
            3 => out.extend(crate::support::text(*seed, *count)),
            _ => {
                let from = *seed as usize * 61 % out.len().max(1);
                let piece = out[from..].iter().copied().take(*count).collect::<Vec<_>>();
                out.extend(piece);
            }
        }
    }
    out.resize(len, 7);
    out
}

proptest! {
    #[test]
    fn any_cluster(pieces in pieces(), codec in 0..CODECS.len(), log_cluster_size in 2_u8..=6) {
        let params = params(CODECS[codec], log_cluster_size);
        let plain = assemble(&pieces, params.cluster_bytes());
        if let Some(blocks) = encode(params, &plain) {
            check(params, &plain, &blocks, "any cluster");
        }
    }
}
