//! Plain data for the tests, and what the tests call a codec.

use f2fs_codec::{CodecParams, CompressAlgorithm, Decoder, Encoded, Encoder, Verify};

/// Every encoder, by algorithm and level.
pub(crate) const CODECS: [(CompressAlgorithm, u8); 9] = [
    (CompressAlgorithm::Lzo, 0),
    (CompressAlgorithm::LzoRle, 0),
    (CompressAlgorithm::Lz4, 0),
    (CompressAlgorithm::Lz4, 3),
    (CompressAlgorithm::Lz4, 16),
    (CompressAlgorithm::Zstd, 0),
    (CompressAlgorithm::Zstd, 3),
    (CompressAlgorithm::Zstd, 9),
    (CompressAlgorithm::Zstd, 22),
];

/// One codec per algorithm.
pub(crate) const ALGORITHMS: [(CompressAlgorithm, u8); 4] =
    [CODECS[0], CODECS[1], CODECS[2], CODECS[5]];

/// Pseudo-random numbers, the same on every run.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed * 2 + 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

/// Zero runs, byte runs, noise and repeats from up to 60000 bytes back. The golden files hold what
/// the kernel made of it, so it must not change.
pub(crate) fn mixed(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let longest = (len / 24).max(64);
    let mut out = Vec::with_capacity(len + longest);
    while out.len() < len {
        let kind = rng.below(4);
        let count = 1 + rng.below(longest);
        match kind {
            0 => out.resize(out.len() + count, 0),
            1 => out.resize(out.len() + count, rng.below(256) as u8),
            2 => out.extend(rng.bytes(1 + count % 200)),
            _ if out.is_empty() => {}
            _ => {
                let distance = 1 + rng.below(out.len().min(60_000));
                for _ in 0..count {
                    out.push(out[out.len() - distance]);
                }
            }
        }
    }
    out.truncate(len);
    out
}

/// Words that repeat about as those of a text do.
pub(crate) fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut out = Vec::with_capacity(len + 16);
    while out.len() < len {
        let word = rng.below(60) * rng.below(60);
        out.extend(format!("{:x} ", word * 0x9e37_79b1).bytes());
    }
    out.truncate(len);
    out
}

/// Mostly zeros, with a few bytes in between.
pub(crate) fn sparse(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut out = vec![0; len];
    let mut at = 0;
    while at < len {
        out[at] = rng.below(256) as u8;
        at += 1 + rng.below(5000);
    }
    out
}

/// All kinds of data, each `len` bytes long, with a name.
pub(crate) fn kinds(seed: u64, len: usize) -> Vec<(&'static str, Vec<u8>)> {
    let half_noise = [Rng::new(seed).bytes(len / 2), vec![0; len - len / 2]].concat();
    vec![
        ("zeros", vec![0; len]),
        ("ones", vec![1; len]),
        ("text", text(seed, len)),
        ("mixed", mixed(seed, len)),
        ("sparse", sparse(seed, len)),
        ("noise", Rng::new(seed).bytes(len)),
        ("half noise", half_noise),
    ]
}

pub(crate) fn params(codec: (CompressAlgorithm, u8), log_cluster_size: u8) -> CodecParams {
    CodecParams::new(codec.0, codec.1, log_cluster_size, true).unwrap()
}

/// Encodes one cluster; `None` if it is incompressible.
pub(crate) fn encode(params: CodecParams, plain: &[u8]) -> Option<Vec<u8>> {
    // Anything left over must not come through.
    let mut out = vec![0xa5; plain.len()];
    match Encoder::new().encode(&params, plain, &mut out).unwrap() {
        Encoded::Compressed { blocks } => {
            out.truncate(blocks as usize * 4096);
            Some(out)
        }
        Encoded::Incompressible => None,
    }
}

/// Decodes one cluster with the checksum verified.
pub(crate) fn decode(
    params: CodecParams,
    blocks: &[u8],
) -> Result<Vec<u8>, f2fs_codec::CodecError> {
    let mut out = vec![0x5a; params.cluster_bytes()];
    Decoder::new().decode(&params, blocks, Verify::Strict, &mut out)?;
    Ok(out)
}
