//! A volume that stays full for long and is synced often: adding fails with `NoSpace` and nothing else, removing always
//! works, no checkpoint ever lacks room.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{compressed, noise, volume_with};
use f2fs::{CompressAlgorithm, Error, OpenOptions, Owner, Result, Volume, VolumeOptions};
use runtime::rng::Rng;

const FILES: u64 = 3000;

fn name(rng: &mut Rng) -> String {
    let n = rng.below(FILES);
    format!("/dir{}/file{n}", n % 7)
}

/// One random change; most of them add.
fn change(volume: &Volume, rng: &mut Rng) -> Result<()> {
    let options = OpenOptions::new().write(true).create(true);
    let path = name(rng);
    match rng.below(12) {
        0..7 => {
            let (pos, len) = (rng.below(300_000), rng.below(60_000) + 1);
            let file = volume.open_with(&path, &options)?;
            file.write_all_at(pos, &noise(len as usize, rng.next_u64()))
        }
        7 => volume
            .open_with(&path, &options)?
            .set_len(rng.below(200_000)),
        8 => volume.rename(&path, name(rng)),
        9 => volume.symlink(&path, name(rng), Owner::root(0o777)),
        10 => volume.remove_file(&path),
        _ => volume.sync(),
    }
}

fn stay_full(compress: Option<CompressAlgorithm>, seed: u64) {
    let root = compress.map(|algorithm| compressed(algorithm, 2));
    let options = VolumeOptions {
        cache_bytes: 16 << 20,
        ..Default::default()
    };
    let (image, volume) = volume_with(96 << 20, root, &options);
    for dir in 0..7 {
        volume
            .create_dir(format!("/dir{dir}"), Owner::root(0o755))
            .unwrap();
    }
    let mut rng = Rng::seeded(seed);
    let mut refused = 0;
    for step in 0..12_000 {
        match change(&volume, &mut rng) {
            Ok(()) | Err(Error::NotFound | Error::Exists | Error::Invalid(_)) => {}
            Err(Error::NoSpace) => refused += 1,
            Err(error) => panic!("step {step}: {error}"),
        }
    }
    assert!(refused > 1000, "the volume was not full: {refused}");
    volume.sync().unwrap();
    for dir in 0..7 {
        volume.remove_all(format!("/dir{dir}")).unwrap();
    }
    let file = volume
        .open_with("/after", &OpenOptions::new().write(true).create(true))
        .unwrap();
    file.write_all_at(0, &noise(1 << 20, 1)).unwrap();
    drop(file);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
}

#[test]
fn a_full_volume_refuses_and_goes_on() {
    stay_full(None, 1);
}

#[test]
fn a_full_compressed_volume_refuses_and_goes_on() {
    stay_full(Some(CompressAlgorithm::Lz4), 2);
}
