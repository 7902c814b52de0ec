//! Prints how fast and how well each codec works, in MB/s of plain data on one thread.
//!
//! `cargo run --release -p f2fs-codec --example codec_speed [FILE [LOG_CLUSTER_SIZE]]`; without a
//! file on made-up text.

use f2fs_codec::{CodecError, CodecParams, CompressAlgorithm, Decoder, Encoded, Encoder, Verify};
use std::hint::black_box;
use std::time::{Duration, Instant};

const CODECS: [(CompressAlgorithm, u8); 8] = [
    (CompressAlgorithm::Lzo, 0),
    (CompressAlgorithm::LzoRle, 0),
    (CompressAlgorithm::Lz4, 0),
    (CompressAlgorithm::Lz4, 9),
    (CompressAlgorithm::Zstd, 1),
    (CompressAlgorithm::Zstd, 3),
    (CompressAlgorithm::Zstd, 9),
    (CompressAlgorithm::Zstd, 19),
];
/// Each codec works at least this long in each direction.
const TIME_MIN: Duration = Duration::from_millis(300);

#[expect(clippy::print_stdout, reason = "printing is what it is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut data = match arguments.next() {
        Some(path) => std::fs::read(path)?,
        None => text(8 << 20),
    };
    let log_cluster_size = arguments.next().map_or(Ok(4), |text| text.parse())?;
    println!("codec        encode   decode   stored");
    for (algorithm, level) in CODECS {
        let params = CodecParams::new(algorithm, level, log_cluster_size, false)?;
        data.truncate(data.len() / params.cluster_bytes() * params.cluster_bytes());
        let Figures {
            encode,
            decode,
            stored,
        } = measure(params, &data)?;
        println!(
            "{:<8}{level:>3}{encode:>8}{decode:>9}{stored:>8}%",
            algorithm.name()
        );
    }
    Ok(())
}

/// Speeds in MB/s of plain data, and stored bytes in percent of it.
struct Figures {
    encode: u128,
    decode: u128,
    stored: usize,
}

fn measure(params: CodecParams, data: &[u8]) -> Result<Figures, CodecError> {
    let cluster_bytes = params.cluster_bytes();
    let mut out = vec![0; cluster_bytes];
    let mut encoder = Encoder::new();
    let mut compressed = Vec::new();
    let mut stored_bytes = 0;
    for cluster in data.chunks(cluster_bytes) {
        let bytes = match encoder.encode(&params, cluster, &mut out)? {
            Encoded::Compressed { blocks } => {
                let bytes = blocks as usize * 4096;
                compressed.push(out[..bytes].to_vec());
                bytes
            }
            Encoded::Incompressible => cluster_bytes,
        };
        stored_bytes += bytes;
    }
    let encode = speed(data.len(), || {
        for cluster in data.chunks(cluster_bytes) {
            black_box(encoder.encode(&params, cluster, &mut out))?;
        }
        Ok(())
    })?;
    let mut decoder = Decoder::new();
    let decode = speed(compressed.len() * cluster_bytes, || {
        for blocks in &compressed {
            decoder.decode(&params, blocks, Verify::Strict, &mut out)?;
            black_box(&mut out);
        }
        Ok(())
    })?;
    Ok(Figures {
        encode,
        decode,
        stored: stored_bytes * 100 / data.len().max(1),
    })
}

/// Repeats `work` on `bytes` bytes and returns its speed in MB/s.
fn speed(
    bytes: usize,
    mut work: impl FnMut() -> Result<(), CodecError>,
) -> Result<u128, CodecError> {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < TIME_MIN {
        work()?;
        done += bytes as u128;
    }
    Ok(done / start.elapsed().as_micros())
}

/// Makes `len` bytes of words that repeat about as those of a text do.
fn text(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // The square of a fraction makes small word numbers frequent.
        let fraction = state >> 44;
        let word = ((fraction * fraction) >> 28) as u32;
        text.extend_from_slice(format!("{:x} ", word.wrapping_mul(0x9e37_79b1)).as_bytes());
    }
    text.truncate(len);
    text
}
