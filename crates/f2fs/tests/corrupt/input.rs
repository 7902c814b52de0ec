//! What callers give: names, paths, volumes without room, devices that cannot be written.

use crate::base::{SIZE, base, create, expected, ino, open, options, workload};
use crate::common::noise;
use crate::image::{Image, put32};
use crate::volume::assert_intact;
use blockdev::MemDevice;
use f2fs::{Error, FormatOptions, OpenOptions, Owner, SetXattr, Volume, VolumeOptions};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

#[test]
fn names_and_paths() {
    let image = base();
    let volume = open(&image, false).unwrap();
    let owner = Owner::root(0o755);
    let nul = Path::new(OsStr::from_bytes(b"/a\0b"));
    assert!(matches!(
        volume.create_dir(nul, owner),
        Err(Error::Invalid(_))
    ));
    assert!(matches!(volume.metadata(nul), Err(Error::Invalid(_))));
    assert!(matches!(
        volume.rename("/plain", nul),
        Err(Error::Invalid(_))
    ));
    assert!(matches!(
        volume.symlink("x", nul, owner),
        Err(Error::Invalid(_))
    ));
    let long = format!("/{}", "x".repeat(256));
    assert!(matches!(
        volume.create_dir(&long, owner),
        Err(Error::NameTooLong)
    ));
    for path in ["/", "", "//", "/.", "/..", "/dir/..", "/dir/."] {
        assert!(volume.create_dir(path, owner).is_err(), "{path:?}");
        assert!(volume.remove_dir(path).is_err(), "{path:?}");
        assert!(volume.remove_file(path).is_err(), "{path:?}");
        assert!(volume.rename(path, "/moved").is_err(), "{path:?}");
        assert!(volume.rename("/plain", path).is_err(), "{path:?}");
    }
    for path in [
        "/plain/x",
        "/plain/",
        "/device/x",
        "/dir/a/b/c",
        "/symlink/x",
    ] {
        assert!(
            matches!(volume.metadata(path), Err(Error::NotADirectory)),
            "{path:?}"
        );
        assert!(volume.create_dir(path, owner).is_err(), "{path:?}");
        assert!(create(&volume, path, b"").is_err(), "{path:?}");
    }
    assert!(matches!(
        volume.rename("/dir", "/dir/sub/x"),
        Err(Error::Invalid(_))
    ));
    assert!(matches!(volume.remove_dir("/dir"), Err(Error::NotEmpty)));
    assert!(matches!(
        volume.hard_link("/dir", "/dir2"),
        Err(Error::NotPermitted(_))
    ));
    let too_long = "y".repeat(5000);
    assert!(matches!(
        volume.symlink(&too_long, "/s", owner),
        Err(Error::NameTooLong)
    ));
    volume.symlink("loop", "/loop", owner).unwrap();
    assert!(matches!(volume.metadata("/loop"), Err(Error::SymlinkLoop)));
    volume.remove_file("/loop").unwrap();
    volume.close().unwrap();
    assert_intact(&image, "names");
    testkit::fsck::assert_clean(image.dump().path());
}

#[test]
fn sizes_and_attributes_beyond_all_limits() {
    let image = base();
    let volume = open(&image, false).unwrap();
    create(&volume, "/new", b"x").unwrap();
    let file = volume
        .open_with("/new", &OpenOptions::new().read(true).write(true))
        .unwrap();
    for pos in [u64::MAX, u64::MAX - 1, 1 << 62, 5 << 40] {
        assert!(
            matches!(file.write_at(pos, b"far"), Err(Error::TooLarge)),
            "{pos}"
        );
        assert!(matches!(file.set_len(pos), Err(Error::TooLarge)), "{pos}");
        assert_eq!(file.read_at(pos, &mut [0; 10]).unwrap(), 0);
    }
    let large = vec![1; 70_000];
    assert!(
        volume
            .set_xattr("/new", "user.x", &large, SetXattr::Any)
            .is_err()
    );
    assert!(
        volume
            .set_xattr("/new", "user.x", &large[..5000], SetXattr::Any)
            .is_err()
    );
    assert!(
        volume
            .set_xattr("/new", &"user.".repeat(100), b"", SetXattr::Any)
            .is_err()
    );
    assert!(
        volume
            .set_xattr("/new", "nonsense", b"", SetXattr::Any)
            .is_err()
    );
    drop(file);
    volume.remove_file("/new").unwrap();
    volume.close().unwrap();
    assert_intact(&image, "limits");
}

#[test]
fn a_volume_that_gets_full() {
    let device = Arc::new(MemDevice::new(SIZE));
    let format = FormatOptions::new(SIZE);
    let volume = Volume::create_on(Arc::<MemDevice>::clone(&device), &format, &options()).unwrap();
    let mut whole = BTreeMap::new();
    let mut full = None;
    for n in 0..200 {
        let path = format!("/f{n}");
        let data = noise(700_000 + n * 1000, n as u64);
        match create(&volume, &path, &data).and_then(|()| volume.sync()) {
            Ok(()) => drop(whole.insert(path, data)),
            Err(error) => {
                assert!(matches!(error, Error::NoSpace), "{error:?}");
                full = Some(path);
                break;
            }
        }
    }
    let full = full.expect("the volume gets full");
    assert!(volume.statfs().blocks_free < 2000);
    for n in 0..50 {
        let _ = create(&volume, &format!("/more{n}"), &noise(9000, n));
    }
    volume.sync().unwrap();
    volume.close().unwrap();
    let image = Arc::new(Image::of(&*device));
    testkit::fsck::assert_clean(image.dump().path());
    let volume = open(&image, false).unwrap();
    for (path, data) in &whole {
        crate::common::assert_content(&volume, path, data);
    }
    let _ = volume.remove_file(&full);
    for path in whole.keys().take(5) {
        volume.remove_file(path).unwrap();
    }
    volume.sync().unwrap();
    create(&volume, "/again", &noise(1 << 20, 1)).unwrap();
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.dump().path());
}

#[test]
fn devices_and_volumes_that_are_read_only() {
    let image = base();
    image.set_read_only();
    assert!(matches!(open(&image, false), Err(Error::ReadOnly(_))));
    let volume = open(&image, true).unwrap();
    assert!(matches!(workload(&volume), Err(Error::ReadOnly(_))));
    let owner = Owner::root(0o755);
    let refused = [
        volume.create_dir("/x", owner),
        volume.remove_file("/plain"),
        volume.rename("/plain", "/x"),
        volume.remove_all("/dir"),
        volume.set_xattr("/plain", "user.x", b"", SetXattr::Any),
        volume.hard_link("/plain", "/x"),
        volume.symlink("a", "/x", owner),
        volume
            .open_with("/plain", &OpenOptions::new().write(true))
            .map(drop),
    ];
    for result in refused {
        assert!(matches!(result, Err(Error::ReadOnly(_))), "{result:?}");
    }
    volume.sync().unwrap();
    volume.close().unwrap();
    assert_eq!(image.writes(), 0);
    assert_intact(&image, "read-only");
}

#[test]
fn files_that_are_not_there() {
    let read_only = VolumeOptions {
        read_only: true,
        ..options()
    };
    for path in ["/nonexistent/image", "/", "/dev/null"] {
        for options in [&read_only, &options()] {
            assert!(Volume::open(path, options).is_err(), "{path}");
        }
    }
    let short = tempfile::NamedTempFile::new().unwrap();
    for len in [0, 1, 1023, 4095, 5000, 1 << 20] {
        short.as_file().set_len(len).unwrap();
        assert!(
            Volume::open(short.path(), &read_only).is_err(),
            "{len} bytes"
        );
        assert!(
            Volume::open(short.path(), &options()).is_err(),
            "{len} bytes"
        );
        assert_eq!(short.as_file().metadata().unwrap().len(), len);
    }
    assert!(expected().len() > 90);
}

#[test]
fn an_image_file_that_shrinks_while_it_is_open() {
    let file = base().dump();
    let volume = Volume::open(file.path(), &options()).unwrap();
    file.as_file().set_len(1 << 20).unwrap();
    assert!(matches!(
        volume.open_file("/plain"),
        Err(Error::Device(_) | Error::Corrupt(_))
    ));
    assert!(
        create(&volume, "/x", b"y")
            .and_then(|()| volume.sync())
            .is_err()
    );
    drop(volume);
}

/// Where an inode block counts its names.
const LINKS: usize = 12;

#[test]
fn as_many_names_as_the_field_counts() {
    let image = base();
    for path in ["/plain", "/dir"] {
        image.edit_inode(ino(path), |block| put32(block, LINKS, u32::MAX - 1));
    }
    let volume = open(&image, false).unwrap();
    let links = |path: &str| volume.metadata(path).unwrap().links();
    let owner = Owner::root(0o755);
    volume.hard_link("/plain", "/last").unwrap();
    volume.create_dir("/dir/last", owner).unwrap();
    let more = volume.hard_link("/plain", "/more");
    assert!(matches!(more, Err(Error::TooManyLinks)));
    let more = volume.create_dir("/dir/more", owner);
    assert!(matches!(more, Err(Error::TooManyLinks)));
    volume.create_dir("/moved", owner).unwrap();
    let moved = volume.rename("/moved", "/dir/moved");
    assert!(matches!(moved, Err(Error::TooManyLinks)));
    assert_eq!([links("/plain"), links("/dir")], [u32::MAX; 2]);
    volume.remove_file("/last").unwrap();
    volume.remove_dir("/dir/last").unwrap();
    assert_eq!([links("/plain"), links("/dir")], [u32::MAX - 1; 2]);
    volume.close().unwrap();
}
