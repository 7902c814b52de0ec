//! Volumes full to the last block.

use crate::common::{noise, volume_with};
use f2fs::{Error, OpenOptions, Volume, VolumeOptions};

const CREATE: fn() -> OpenOptions = || OpenOptions::new().write(true).create(true);

/// Writes files until no block is left; their number.
fn fill(volume: &Volume, len: usize) -> u64 {
    for n in 0.. {
        let file = match volume.open_with(format!("/f{n}"), &CREATE()) {
            Ok(file) => file,
            Err(Error::NoSpace) => return n,
            Err(error) => panic!("{error}"),
        };
        match file.write_all_at(0, &noise(len, n)) {
            Ok(()) => {}
            Err(Error::NoSpace) => return n + 1,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("a volume ends")
}

/// What users were promised can be used, whatever lies where.
#[test]
fn a_volume_is_full_when_its_blocks_are_used() {
    for size in [64 << 20, 96 << 20, 200 << 20] {
        let (image, volume) = volume_with(size, None, &VolumeOptions::default());
        let count = fill(&volume, 40_000);
        let free = volume.statfs().blocks_free;
        assert!(free <= 12, "{size}: refused with {free} blocks free");
        // Scattered removal leaves holes everywhere; they can be used again.
        for round in 0..3 {
            for n in (round..count).step_by(3) {
                let _ = volume.remove_file(format!("/f{n}"));
            }
            volume.sync().unwrap();
            let before = volume.statfs().blocks_free;
            fill(&volume, 300_000);
            let free = volume.statfs().blocks_free;
            assert!(
                free <= 80,
                "{size}: refused with {free} of {before} blocks free"
            );
        }
        volume.close().unwrap();
        testkit::fsck::assert_clean(image.path());
    }
}
