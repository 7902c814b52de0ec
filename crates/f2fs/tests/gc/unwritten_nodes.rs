//! Blocks of files whose nodes the volume does not have yet.

use crate::common::{noise, reopen, volume_with};
use f2fs::{GcOptions, OpenOptions, VolumeOptions};

/// Written back for want of memory, without a checkpoint, and overwritten at once.
#[test]
fn new_files_are_cleaned_before_their_first_checkpoint() {
    let options = VolumeOptions {
        cache_bytes: 16 << 20,
        ..VolumeOptions::default()
    };
    let (image, volume) = volume_with(256 << 20, None, &options);
    let writing = OpenOptions::new().write(true).create(true);
    let mut files = Vec::new();
    for n in 0..24 {
        let path = format!("/new{n}");
        // Beyond what the inode itself can name.
        let mut bytes = noise(5 << 20, n);
        let file = volume.open_with(&path, &writing).unwrap();
        file.write_all_at(0, &bytes).unwrap();
        if n % 2 == 1 {
            let again = noise(1 << 20, 100 + n);
            file.write_all_at(2 << 20, &again).unwrap();
            bytes[2 << 20..3 << 20].copy_from_slice(&again);
        }
        if n % 3 == 2 {
            // Goes again: holes that no checkpoint has seen.
            volume.remove_file(&path).unwrap();
        } else {
            files.push((path, bytes));
        }
    }
    let checkpoints = volume.stats().data.checkpoints;
    let any = GcOptions {
        utilisation_max: 100,
        ..GcOptions::default()
    };
    let mut sections = 0;
    while sections < 30 && volume.gc_section(any).unwrap() {
        sections += 1;
    }
    assert_eq!(
        volume.stats().data.checkpoints,
        checkpoints,
        "no checkpoint yet"
    );
    assert!(
        volume.stats().data.blocks_moved > 500,
        "{sections} sections"
    );
    assert!(!volume.needs_fsck(), "nothing is wrong with the volume");
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    let volume = reopen(&image);
    for (path, bytes) in files {
        let mut back = vec![0; bytes.len() + 1];
        let len = volume
            .open_file(&path)
            .unwrap()
            .read_at(0, &mut back)
            .unwrap();
        assert!(back[..len] == bytes[..], "{path}");
    }
}
