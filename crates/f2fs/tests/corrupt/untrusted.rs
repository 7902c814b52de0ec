//! Volumes that are valid and made to harm, opened as untrusted.

use crate::base::{base, expected, ino, options, walk};
use crate::files::{edit_dentry_in, within};
use crate::image::{Image, ino as field, put32, put64};
use crate::volume::inconsistent;
use blockdev::MemDevice;
use f2fs::{
    Error, FileType, FormatOptions, OpenOptions, Owner, Result, SetXattr, Special, Volume,
    VolumeOptions,
};
use f2fs_format::geometry::MAX_FILE_SIZE;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Longer than any of this takes on the slowest machine.
const HANG: Duration = Duration::from_mins(1);
/// The largest size that an inode may have: what the node tree and the inode's own slots hold.
const SIZE_MAX: u64 = MAX_FILE_SIZE + 923 * 4096;
const SIZE: u64 = 64 << 20;

fn open(image: &Arc<Image>) -> Volume {
    let options = VolumeOptions {
        untrusted: true,
        ..options()
    };
    Volume::open_device(Arc::<Image>::clone(image), &options).unwrap()
}

/// A volume that `fill` filled, trusted as it was made.
fn made(fill: impl FnOnce(&Volume) -> Result<()>) -> Arc<Image> {
    let device = Arc::new(MemDevice::new(SIZE));
    let format = FormatOptions::new(SIZE);
    let volume = Volume::create_on(Arc::<MemDevice>::clone(&device), &format, &options()).unwrap();
    fill(&volume).unwrap();
    volume.close().unwrap();
    Arc::new(Image::of(&*device))
}

#[test]
fn an_honest_volume_looks_the_same() {
    let image = base();
    let volume = open(&image);
    let seen = walk(&volume);
    assert!(seen.errors.is_empty(), "{:?}", seen.errors);
    assert!(seen.contents == *expected());
    volume.close().unwrap();
    assert_eq!(image.writes(), 0);
}

#[test]
fn nothing_can_be_changed() {
    let image = base();
    let volume = open(&image);
    let refused =
        |result: Result<()>| assert!(matches!(result, Err(Error::ReadOnly(_))), "{result:?}");
    let owner = Owner::root(0o755);
    refused(volume.create_dir("/new", owner));
    refused(volume.remove_file("/plain"));
    refused(volume.rename("/plain", "/new"));
    refused(volume.set_xattr("/plain", "user.a", b"", SetXattr::Any));
    refused(
        volume
            .open_with("/plain", &OpenOptions::new().write(true))
            .map(drop),
    );
    volume.sync().unwrap();
    volume.close().unwrap();
    assert_eq!(image.writes(), 0);
}

#[test]
fn what_gives_rights_is_not_shown() {
    let image = made(|volume| {
        let owner = Owner::root(0o6755);
        volume.create_dir("/dir", owner)?;
        volume.open_with(
            "/file",
            &OpenOptions::new().write(true).create(true).mode(0o7755),
        )?;
        volume.mknod("/disk", Special::BlockDevice(8, 0), owner)?;
        volume.mknod("/mem", Special::CharDevice(1, 1000), owner)?;
        volume.mknod("/pipe", Special::Fifo, owner)?;
        for name in ["security.capability", "trusted.overlay.opaque", "user.note"] {
            volume.set_xattr("/file", name, b"value", SetXattr::Any)?;
        }
        Ok(())
    });
    let volume = open(&image);
    let of = |path: &str| volume.metadata(path).unwrap();
    assert_eq!(of("/file").mode(), 0o101_755);
    assert_eq!(of("/dir").mode(), 0o040_755);
    assert_eq!(volume.list_xattrs("/file").unwrap(), ["user.note"]);
    for name in ["security.capability", "trusted.overlay.opaque"] {
        let got = volume.get_xattr("/file", name);
        assert!(matches!(got, Err(Error::NoAttribute)), "{got:?}");
    }
    assert_eq!(volume.get_xattr("/file", "user.note").unwrap(), b"value");
    assert_eq!(of("/disk").file_type(), FileType::BlockDevice);
    assert_eq!(
        [of("/disk").device(), of("/mem").device()],
        [Some((0, 0)); 2]
    );
    assert_eq!(of("/pipe").mode(), 0o010_755);
    for path in ["/disk", "/mem", "/pipe"] {
        assert!(volume.open_file(path).is_err(), "{path}");
    }
}

/// Every path below a directory, each name taken once.
fn paths_below(volume: &Volume, top: &Path) -> (Vec<PathBuf>, Vec<Error>) {
    let (mut paths, mut errors) = (Vec::new(), Vec::new());
    let mut stack = vec![top.to_path_buf()];
    while let Some(dir) = stack.pop() {
        let entries = match volume.read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        for entry in entries {
            let path = dir.join(entry.unwrap().file_name());
            match volume.symlink_metadata(&path) {
                Ok(of) if of.is_dir() => stack.push(path.clone()),
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
            paths.push(path);
        }
    }
    (paths, errors)
}

#[test]
fn directories_that_name_each_other_twice_are_walked_once() {
    const DEPTH: usize = 60;
    within("2^60 paths", HANG, || {
        let mut folders = vec![PathBuf::from("/")];
        let image = made(|volume| {
            for _ in 0..DEPTH {
                let at = folders.last().unwrap().clone();
                volume.create_dir(at.join("a"), Owner::root(0o755))?;
                volume.create_dir(at.join("b"), Owner::root(0o755))?;
                folders.push(at.join("a"));
            }
            Ok(())
        });
        let honest = open(&image);
        let ino_of = |path: &Path| honest.metadata(path).unwrap().ino();
        for pair in folders.windows(2) {
            let (at, below) = (ino_of(&pair[0]), ino_of(&pair[1]));
            edit_dentry_in(&image, at, "b", |b, entry, _| put32(b, entry + 4, below));
        }
        let volume = open(&image);
        let (paths, errors) = paths_below(&volume, Path::new("/"));
        assert_eq!(paths.len(), 2 * DEPTH);
        assert_eq!(errors.len(), DEPTH);
        assert!(errors.iter().all(inconsistent!(DirNames)), "{errors:?}");
        // The name that was first stays good, the other stays refused.
        for _ in 0..2 {
            assert!(volume.metadata("/a/a/a").is_ok() || volume.metadata("/b/b/b").is_ok());
            assert_ne!(volume.metadata("/a").is_ok(), volume.metadata("/b").is_ok());
            assert!(volume.metadata("/a/..").is_ok() || volume.metadata("/b/..").is_ok());
        }
    });
}

#[test]
fn directories_that_contain_those_above_are_walked_once() {
    for target in ["/", "/dir"] {
        within(target, HANG, move || {
            let image = base();
            edit_dentry_in(&image, ino("/dir"), "sub", |b, entry, _| {
                put32(b, entry + 4, ino(target));
            });
            let (paths, errors) = paths_below(&open(&image), Path::new("/"));
            assert!(paths.len() < 200);
            assert_eq!(errors.len(), 1, "{errors:?}");
        });
    }
}

#[test]
fn huge_sizes_cost_nothing() {
    within("sizes", HANG, || {
        let image = base();
        for (path, size) in [
            ("/many", SIZE_MAX),
            ("/dir", SIZE_MAX),
            ("/sparse", MAX_FILE_SIZE),
        ] {
            image.edit_inode(ino(path), |b| put64(b, field::SIZE, size));
        }
        let volume = open(&image);
        assert_eq!(volume.read_dir("/many").unwrap().flatten().count(), 90);
        assert!(matches!(
            volume.metadata("/many/none"),
            Err(Error::NotFound)
        ));
        assert!(volume.read_dir("/dir").unwrap().count() >= 2);
        let file = volume.open_file("/sparse").unwrap();
        assert_eq!(file.metadata().len(), MAX_FILE_SIZE);
        let mut bytes = [1; 5000];
        assert_eq!(
            file.read_at(MAX_FILE_SIZE - 5000, &mut bytes).unwrap(),
            5000
        );
        assert_eq!(bytes, [0; 5000]);
        let mut at = 0;
        let mut runs = 0;
        while let Some(data) = file.seek_data(at).unwrap() {
            at = file.seek_hole(data).unwrap();
            runs += 1;
        }
        assert!((1..100).contains(&runs), "{runs}");
        assert!(file.extents().unwrap().len() < 100);
    });
    let too_large = |size: u64| {
        let image = base();
        image.edit_inode(ino("/plain"), |b| put64(b, field::SIZE, size));
        open(&image).metadata("/plain").map(drop)
    };
    for size in [SIZE_MAX + 1, 1 << 63, u64::MAX] {
        assert!(too_large(size).is_err(), "{size}");
    }
}

#[test]
fn names_of_nothing_are_refused() {
    let image = base();
    for path in ["/plain", "/dir"] {
        image.edit_inode(ino(path), |b| put32(b, field::LINKS, 0));
    }
    let volume = open(&image);
    for path in ["/plain", "/dir", "/dir/a"] {
        let error = volume.metadata(path).unwrap_err();
        assert!(inconsistent!(NoLinks)(&error), "{error:?}");
    }
    volume.close().unwrap();
    assert_eq!(image.writes(), 0);
}
