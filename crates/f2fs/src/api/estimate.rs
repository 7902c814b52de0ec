//! What compression would save, from a sample of a file's bytes.

use crate::data::codecs::Codecs;
use crate::error::{Error, Result};
use crate::options::CompressDefaults;
use f2fs_codec::{CodecParams, Encoded};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// Encodes samples on all processors, and keeps nothing.
#[derive(Debug)]
pub struct Estimator {
    codecs: Arc<Codecs>,
    params: CodecParams,
    sample_bytes: u64,
}

/// What a sample says about a file, or about several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Whole clusters that hold data; only they are ever compressed.
    pub clusters: u64,
    /// Those that were encoded.
    pub sampled: u64,
    /// Blocks that these save.
    pub sample_saves: u64,
    /// Blocks that all save, if the others are like them.
    pub saves: u64,
}

impl Estimate {
    /// Adds what is known about another file.
    pub fn add(&mut self, other: &Self) {
        self.clusters += other.clusters;
        self.sampled += other.sampled;
        self.sample_saves += other.sample_saves;
        self.saves += other.saves;
    }
}

impl Estimator {
    /// For files that are compressed so. Of files larger than `sample_bytes`, so much is encoded; `threads` do it, one
    /// for each processor if 0.
    pub fn new(compress: &CompressDefaults, sample_bytes: u64, threads: usize) -> Result<Self> {
        let params = compress.params().ok_or(Error::Invalid(
            "algorithm, level and cluster size do not go together",
        ))?;
        Ok(Self {
            codecs: Arc::new(Codecs::new(threads, Arc::default())?),
            params,
            sample_bytes,
        })
    }

    /// Looks at a file of `len` bytes that has data in these ranges. `read` fills a buffer from a position on, as far
    /// as it can, and says how far.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn estimate(
        &self,
        len: u64,
        data: &[Range<u64>],
        mut read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Estimate> {
        let size = self.params.cluster_bytes();
        let clusters = whole_clusters(len, data, size as u64);
        let most = usize::try_from(self.sample_bytes / size as u64).unwrap_or(usize::MAX);
        let sampled = clusters.len().min(most.max(1));
        let (sender, results) = channel();
        let under_way_max = 2 * self.codecs.workers.threads().max(1);
        let mut saved = 0;
        for n in 0..sampled {
            let cluster = clusters[n * clusters.len() / sampled];
            let bytes = read_whole(cluster * size as u64, size, &mut read)?;
            if n >= under_way_max {
                saved += wait(&results)?;
            }
            let (codecs, params, sender) = (Arc::clone(&self.codecs), self.params, sender.clone());
            self.codecs.workers.spawn(move || {
                let mut output = vec![0; bytes.len()];
                let encoded = codecs.with_encoder(|e| e.encode(&params, &bytes, &mut output));
                let blocks = bytes.len() / f2fs_format::BLOCK_SIZE;
                let saves = encoded.map(|encoded| match encoded {
                    Encoded::Compressed { blocks: n } => blocks as u64 - u64::from(n),
                    Encoded::Incompressible => 0,
                });
                // Nobody listens any more after an error.
                let _ = sender.send(saves.map_err(|error| io::Error::other(error.to_string())));
            });
        }
        for _ in 0..sampled.min(under_way_max) {
            saved += wait(&results)?;
        }
        let (all, sampled) = (clusters.len() as u64, sampled as u64);
        let saves = u128::from(saved) * u128::from(all) / u128::from(sampled.max(1));
        Ok(Estimate {
            clusters: all,
            sampled,
            sample_saves: saved,
            saves: saves as u64,
        })
    }
}

/// Numbers of the clusters that hold data and end inside the file's last block.
fn whole_clusters(len: u64, data: &[Range<u64>], size: u64) -> Vec<u64> {
    let whole = len.next_multiple_of(f2fs_format::BLOCK_SIZE as u64) / size;
    let mut clusters = Vec::new();
    for range in data.iter().filter(|range| !range.is_empty()) {
        let first = clusters.last().map_or(0, |last| last + 1);
        clusters.extend((range.start / size).max(first)..range.end.div_ceil(size).min(whole));
    }
    clusters
}

/// Bytes of one cluster; zeros behind what can be read.
fn read_whole(
    pos: u64,
    size: usize,
    read: &mut impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    let mut done = 0;
    while done < size {
        match read(pos + done as u64, &mut bytes[done..])? {
            0 => break,
            n => done += n,
        }
    }
    Ok(bytes)
}

fn wait(results: &Receiver<io::Result<u64>>) -> io::Result<u64> {
    let lost = |_| io::Error::other("an encoder thread failed");
    results.recv().map_err(lost)?
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: u64 = 65_536;

    fn estimator(sample_bytes: u64) -> Estimator {
        Estimator::new(&CompressDefaults::default(), sample_bytes, 2).unwrap()
    }

    #[test]
    fn clusters_are_whole_and_counted_once() {
        let data = [0..5, 10..CLUSTER + 1, 5 * CLUSTER..9 * CLUSTER];
        let len = 7 * CLUSTER - 100;
        assert_eq!(whole_clusters(len, &data, CLUSTER), [0, 1, 5, 6]);
        assert_eq!(whole_clusters(len - 4096, &data, CLUSTER), [0, 1, 5]);
        assert!(whole_clusters(0, &[], CLUSTER).is_empty());
    }

    #[test]
    fn samples_speak_for_the_rest() {
        let len = 1000 * CLUSTER;
        // The first half is zeros, the other noise.
        let mut asked = 0;
        let read = |pos: u64, buffer: &mut [u8]| {
            asked += 1;
            let mut word = pos | 1;
            for byte in buffer.iter_mut().filter(|_| pos >= len / 2) {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (word >> 56) as u8;
            }
            Ok(buffer.len())
        };
        let data = &(0..len);
        let found = estimator(100 * CLUSTER)
            .estimate(len, std::slice::from_ref(data), read)
            .unwrap();
        assert_eq!((found.clusters, found.sampled, asked), (1000, 100, 100));
        assert_eq!((found.sample_saves, found.saves), (50 * 15, 500 * 15));
    }

    #[test]
    fn errors_of_reading_are_told() {
        let failing = |_: u64, _: &mut [u8]| Err(io::Error::from(io::ErrorKind::NotFound));
        let result =
            estimator(1 << 20).estimate(CLUSTER, std::slice::from_ref(&(0..CLUSTER)), failing);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
