//! Files that the kernel wrote in pieces, gathered by the engine.

use crate::guest::{Guest, quote};
use crate::manifest::Manifest;
use f2fs::{Defragment, FormatOptions, Volume, VolumeOptions};
use tempfile::NamedTempFile;
use testkit::fsck;

/// Plain and compressed files, two of each, that take turns.
const TORN: &str = "mkdir p; chattr +c p; for i in $(seq 100 150); do for f in a b p/a p/b; do \
    yes \"line $i of $f\" | head -c 16384 >> $f; sync $f; done; done; chattr +i b";

#[test]
fn the_kernel_reads_what_was_gathered() {
    let image = NamedTempFile::new().unwrap();
    let format = FormatOptions::new(256 << 20);
    let made = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
    made.close().unwrap();
    let mut guest = Guest::new();
    guest
        .mount(image.path(), "compress_log_size=2")
        .then(format!("shell {}", quote(TORN.as_bytes())))
        .manifest()
        .umount();
    let Some(before) = guest.run() else { return };
    let volume = Volume::open(image.path(), &VolumeOptions::default()).unwrap();
    let saved = volume.saved_blocks("/p/a").unwrap();
    assert!(saved > 100, "{saved}");
    for path in ["/a", "/p/a", "/p/b"] {
        let done = volume.defragment(path, Defragment::Write).unwrap();
        assert!(done.before.runs > 20, "{path}: {done:?}");
        assert!(done.runs_after <= 2, "{path}: {done:?}");
    }
    assert_eq!(volume.saved_blocks("/p/a").unwrap(), saved);
    let left = volume.defragment("/b", Defragment::Write).unwrap();
    assert_eq!(left.moved_blocks, 0);
    volume.close().unwrap();
    fsck::assert_clean(image.path());
    let mut guest = Guest::new();
    guest.mount(image.path(), "").manifest().umount();
    let after = guest.run().unwrap();
    before[0].assert_same(&after[0], "before <> after");
    Manifest::of_image(image.path()).assert_same(&after[0], "engine <> kernel");
    fsck::assert_clean(image.path());
}
