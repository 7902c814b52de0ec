//! What is written together lies together: a large folio's blocks, and clusters one after the other.

use crate::common::{compressed, noise, pattern, volume_with};
use f2fs::{CompressAlgorithm, LayoutSummary, OpenOptions, VolumeOptions};

const LEN: usize = 24 << 20;
const SEGMENT: u64 = 2 << 20;

#[test]
fn large_files_lie_in_one_piece_where_there_is_room() {
    let clusters = compressed(CompressAlgorithm::Lz4, 4);
    for (root, bytes) in [(None, noise(LEN, 1)), (Some(clusters), pattern(LEN, 2))] {
        let is_compressed = root.is_some();
        let (_image, volume) = volume_with(256 << 20, root, &VolumeOptions::default());
        let options = OpenOptions::new().read(true).write(true).create(true);
        let file = volume.open_with("/large", &options).unwrap();
        // Small requests and a second file do not scatter it: it is written back in large pieces.
        let other = volume.open_with("/other", &options).unwrap();
        for (n, piece) in bytes.chunks(100_000).enumerate() {
            let at = n as u64 * 100_000;
            file.write_all_at(at, piece).unwrap();
            other
                .write_all_at(at / 10, &piece[..piece.len() / 10])
                .unwrap();
        }
        volume.sync().unwrap();
        let mut summary = LayoutSummary::default();
        for extent in file.layout() {
            summary.add(&extent.unwrap());
        }
        let stored = summary.blocks * 4096;
        assert_eq!(stored < LEN as u64, is_compressed, "{summary:?}");
        // A segment is followed by the next one, so not even its end is a break.
        assert!(
            summary.runs <= stored / SEGMENT / 2 + 2,
            "{summary:?} in {stored} bytes"
        );
    }
}
