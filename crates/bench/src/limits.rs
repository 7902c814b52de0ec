//! What the machine can do: memory copy and the bare codec.

use f2fs_codec::{CodecParams, Decoder, Encoded, Encoder};
use std::time::Instant;

/// Bytes per second.
pub type Rate = f64;

/// Copies `bytes` in requests of `request` into the same small target, as a reader of a cached file does.
pub fn memcpy(bytes: &[u8], request: usize) -> Rate {
    let mut target = vec![0u8; request];
    let start = Instant::now();
    for chunk in bytes.chunks_exact(request) {
        target.copy_from_slice(std::hint::black_box(chunk));
        std::hint::black_box(&mut target);
    }
    bytes.len() as f64 / start.elapsed().as_secs_f64()
}

/// The clusters of `bytes`, encoded.
pub type Clusters = Vec<Vec<u8>>;

/// Encodes all clusters of `bytes` on `threads` threads; rate of the plain bytes, and the result.
pub fn encode(params: CodecParams, bytes: &[u8], threads: usize) -> (Rate, Clusters) {
    let size = params.cluster_bytes();
    let clusters: Vec<&[u8]> = bytes.chunks_exact(size).collect();
    let share = clusters.len().div_ceil(threads);
    let start = Instant::now();
    let encoded = std::thread::scope(|scope| {
        let parts: Vec<_> = clusters
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(|c| encode_one(params, c)).collect()))
            .collect();
        parts
            .into_iter()
            .map(|p| p.join().expect("encoders do not panic"))
            .collect::<Vec<Clusters>>()
    });
    let rate = (clusters.len() * size) as f64 / start.elapsed().as_secs_f64();
    (rate, encoded.into_iter().flatten().collect())
}

thread_local! {
    static ENCODER: std::cell::RefCell<Encoder> = std::cell::RefCell::default();
    static DECODER: std::cell::RefCell<Decoder> = std::cell::RefCell::default();
}

fn encode_one(params: CodecParams, cluster: &[u8]) -> Vec<u8> {
    let mut out = vec![0; cluster.len()];
    let encoded = ENCODER.with_borrow_mut(|e| e.encode(&params, cluster, &mut out));
    match encoded.expect("whole clusters of valid parameters encode") {
        Encoded::Compressed { blocks } => out.truncate(blocks as usize * 4096),
        Encoded::Incompressible => out.clear(),
    }
    out
}

/// Decodes clusters on `threads` threads; rate of the plain bytes.
pub fn decode(params: CodecParams, clusters: &Clusters, threads: usize) -> Rate {
    let share = clusters.len().div_ceil(threads);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for part in clusters.chunks(share) {
            scope.spawn(move || {
                let mut out = vec![0; params.cluster_bytes()];
                for cluster in part.iter().filter(|c| !c.is_empty()) {
                    DECODER
                        .with_borrow_mut(|d| {
                            d.decode(&params, cluster, f2fs_codec::Verify::Strict, &mut out)
                        })
                        .expect("what was encoded decodes");
                    std::hint::black_box(&mut out);
                }
            });
        }
    });
    (clusters.len() * params.cluster_bytes()) as f64 / start.elapsed().as_secs_f64()
}
