//! Power cuts after an fsync of ours: the kernel recovers what the engine recovers.

use crate::cuts::copy_of;
use crate::guest::Guest;
use crate::manifest::Manifest;
use crate::pool::POOL;
use f2fs::{
    CompressAlgorithm, CompressDefaults, Fallocate, File, FormatOptions, OpenOptions, Owner,
    SetXattr, Volume, VolumeOptions,
};
use std::path::Path;
use tempfile::NamedTempFile;
use testkit::{fsck, tools};

const MIB: u64 = 1 << 20;
/// A guest has that many images at once.
const IMAGES: usize = 12;

/// A volume that is cut after each step.
struct Cuts {
    image: NamedTempFile,
    volume: Volume,
    left: Vec<(String, NamedTempFile)>,
}

impl Cuts {
    fn new(image: NamedTempFile, options: &VolumeOptions) -> Self {
        let volume = Volume::open(image.path(), options).unwrap();
        volume.create_dir("/d", Owner::root(0o755)).unwrap();
        volume.create_dir("/c", Owner::root(0o755)).unwrap();
        let lz4 = CompressDefaults {
            algorithm: CompressAlgorithm::Lz4,
            log_cluster_size: 2,
            ..CompressDefaults::default()
        };
        volume.set_compression("/c", Some(lz4)).unwrap();
        volume.sync().unwrap();
        let left = Vec::new();
        Self {
            image,
            volume,
            left,
        }
    }

    fn file(&self, path: &str) -> File {
        let options = OpenOptions::new().read(true).write(true).create(true);
        self.volume.open_with(path, &options).unwrap()
    }

    fn write(&self, path: &str, pos: u64, from: usize, len: usize) -> File {
        let file = self.file(path);
        file.write_all_at(pos, &POOL[from..from + len]).unwrap();
        file
    }

    /// Does a step, makes a file durable without a checkpoint, and cuts.
    #[track_caller]
    fn step(&mut self, what: &str, path: &str, work: impl FnOnce(&Self)) {
        work(self);
        let before = self.volume.stats().data.checkpoints;
        self.file(path).sync_all().unwrap();
        assert_eq!(self.volume.stats().data.checkpoints, before, "{what}");
        self.left
            .push((what.to_owned(), copy_of(self.image.path())));
    }

    /// What the kernel makes of each cut is what the engine makes of it.
    fn compare(&self) {
        for group in self.left.chunks(IMAGES) {
            let mut guest = Guest::new();
            let ours: Vec<_> = group
                .iter()
                .map(|(what, left)| ours(what, left.path()))
                .collect();
            for (_, left) in group {
                guest.mount(left.path(), "").manifest().umount();
            }
            let Some(theirs) = guest.run() else { return };
            for ((what, left), (ours, theirs)) in group.iter().zip(ours.iter().zip(theirs)) {
                without_times(theirs).assert_same(ours, &format!("{what}: kernel <> engine"));
                fsck::assert_clean(left.path());
            }
        }
    }
}

/// What the engine makes of a cut, reading and writing. The image stays as it is.
fn ours(what: &str, left: &Path) -> Manifest {
    let read = without_times(Manifest::of_image(left));
    let copy = copy_of(left);
    let volume = Volume::open(copy.path(), &VolumeOptions::default()).unwrap();
    without_times(Manifest::of(&volume)).assert_same(&read, &format!("{what}: writer <> reader"));
    volume.close().unwrap();
    fsck::assert_clean(copy.path());
    read
}

/// A name that is recovered changes its directory's times to the time of recovery.
fn without_times(mut manifest: Manifest) -> Manifest {
    for fields in manifest
        .0
        .values_mut()
        .filter(|fields| fields["type"] == "dir")
    {
        fields.remove("mtime");
        fields.remove("ctime");
    }
    manifest
}

fn run(image: NamedTempFile) {
    let mut cuts = Cuts::new(image, &VolumeOptions::default());
    for (path, len) in [
        ("/d/inline", 300),
        ("/d/small", 70_000),
        ("/d/large", 6_000_000),
    ] {
        cuts.step(&format!("new {path}"), path, |c| {
            drop(c.write(path, 0, 0, len));
        });
    }
    cuts.step("xattrs", "/d/small", |c| {
        c.volume
            .set_xattr("/d/small", "user.a", b"short", SetXattr::Any)
            .unwrap();
        c.volume
            .set_xattr("/d/small", "user.b", &[5; 2500], SetXattr::Any)
            .unwrap();
    });
    cuts.step("xattrs changed", "/d/small", |c| {
        c.volume
            .set_xattr("/d/small", "user.b", &[6; 2600], SetXattr::Any)
            .unwrap();
    });
    cuts.step("new with attributes", "/d/attr", |c| {
        drop(c.write("/d/attr", 0, 9, 100_000));
        c.volume
            .set_xattr("/d/attr", "user.b", &[6; 2600], SetXattr::Any)
            .unwrap();
        let set = f2fs::SetAttr {
            permissions: Some(0o4751),
            uid: Some(7),
            gid: Some(8),

            ..f2fs::SetAttr::default()
        };
        c.volume.set_attr("/d/attr", &set).unwrap();
    });
    cuts.step("inline grows", "/d/inline", |c| {
        drop(c.write("/d/inline", 200, 0, 9000));
    });
    cuts.step("overwrite", "/d/large", |c| {
        drop(c.write("/d/large", 3_000_000, 77, 1_000_000));
    });
    cuts.volume.sync().unwrap();
    change(&mut cuts);
    name(&mut cuts);
    cuts.compare();
}

/// Files that the last checkpoint has.
fn change(cuts: &mut Cuts) {
    cuts.step("overwrite after a checkpoint", "/d/large", |c| {
        drop(c.write("/d/large", 1, 5, 100_000));
    });
    cuts.step("cut", "/d/large", |c| {
        c.file("/d/large").set_len(5_999_999).unwrap();
    });
    cuts.step("punch", "/d/large", |c| {
        c.file("/d/large")
            .fallocate(Fallocate::PunchHole, 0..3_900_000)
            .unwrap();
    });
    cuts.step("kept size", "/d/small", |c| {
        let file = c.file("/d/small");
        file.fallocate(Fallocate::AllocateKeepSize, 60_000..900_000)
            .unwrap();
        file.fallocate(Fallocate::ZeroRange, 4096..20_000).unwrap();
    });
    cuts.step("grow without bytes", "/d/attr", |c| {
        c.file("/d/attr").set_len(9_000_000).unwrap();
    });
    cuts.step("sparse, far", "/d/far", |c| {
        drop(c.write("/d/far", 5 << 30, 3, 50_000));
    });
}

/// Names that change their files, and compressed files.
fn name(cuts: &mut Cuts) {
    cuts.step("name of an unlinked file", "/d/inline", |c| {
        c.volume.remove_file("/d/inline").unwrap();
        drop(c.write("/d/inline", 0, 11, 20_000));
    });
    cuts.step("and once more", "/d/inline", |c| {
        c.volume.remove_file("/d/inline").unwrap();
        drop(c.write("/d/inline", 0, 12, 200));
    });
    cuts.step("many names", "/d/last", |c| {
        for n in 0..400 {
            let file = c.write(
                &format!("/d/a long name, so that blocks fill up {n}"),
                0,
                n,
                n,
            );
            file.sync_all().unwrap();
        }
    });
    drop(cuts.write("/c/f", 0, 0, 100_000));
    cuts.volume.sync().unwrap();
    cuts.step("compressed, appended", "/c/f", |c| {
        drop(c.write("/c/f", 100_000, 5, 5000));
    });
    cuts.step("compressed, overwritten", "/c/f", |c| {
        drop(c.write("/c/f", 16_384, 400, 16_384));
    });
}

#[test]
fn the_kernel_recovers_our_fsyncs() {
    let image = tools::blank(160 * MIB);
    Volume::create(
        image.path(),
        &FormatOptions::new(160 * MIB),
        &VolumeOptions::default(),
    )
    .unwrap()
    .close()
    .unwrap();
    run(image);
}

#[test]
fn the_kernel_recovers_our_fsyncs_on_a_volume_with_quotas() {
    let features = "extra_attr,inode_checksum,compression,quota,project_quota,inode_crtime,flexible_inline_xattr";
    run(tools::mkfs(&["-O", features], 160 * MIB));
}

/// New files that inherit compression, before and after they have a compressed cluster, next to others: the kernel must
/// not meet one that it refuses, for it would give up all that was fsynced.
#[test]
fn the_kernel_recovers_what_is_beside_new_compressed_files() {
    let image = tools::blank(128 * MIB);
    let format = FormatOptions::new(128 * MIB);
    drop(Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap());
    let mut cuts = Cuts::new(image, &VolumeOptions::default());
    for (n, len) in [0, 10, 5000, 16_384, 100_000].into_iter().enumerate() {
        cuts.write("/d/log", n as u64 * 4096, n, 4096)
            .sync_all()
            .unwrap();
        let path = format!("/c/{n}");
        let file = cuts.write(&path, 0, n, len);
        file.sync_all().unwrap();
        cuts.write("/d/log", n as u64 * 4096 + 100, n, 4096)
            .sync_all()
            .unwrap();
        file.write_all_at(len as u64, &POOL[..700]).unwrap();
        file.sync_all().unwrap();
        let what = format!("compressed, {len} bytes");
        cuts.left.push((what, copy_of(cuts.image.path())));
    }
    cuts.compare();
}
