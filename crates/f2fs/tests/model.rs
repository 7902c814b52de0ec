//! Random operations against a model in memory.
//!
//! Both sides get the same operations; contents are compared as they are read, whole trees after remounts, and
//! fsck.f2fs looks at the image after checkpoints. 100,000 operations run over six set-ups; `MODEL_SEED` and
//! `MODEL_OPS` run one seed for longer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{noise, pattern, volume_with};
use f2fs::{
    CompressAlgorithm, Error, Fallocate, File, Fill, OpenOptions, Space, Volume, VolumeOptions,
};
use runtime::rng::Rng;
use std::collections::BTreeMap;
use std::path::Path;

/// Largest file of the model.
const FILE_MAX: u64 = 3 << 20;
const FILES: u64 = 12;

struct Model {
    rng: Rng,
    files: BTreeMap<String, Vec<u8>>,
}

#[derive(Default)]
struct Setup {
    compress: Option<(CompressAlgorithm, u8)>,
    fill: Fill,
    space: Space,
}

struct Run {
    image: tempfile::NamedTempFile,
    volume: Option<Volume>,
    options: VolumeOptions,
    model: Model,
    checks: u32,
}

impl Run {
    fn new(setup: &Setup, seed: u64) -> Self {
        let mut options = VolumeOptions {
            cache_bytes: 16 << 20,
            fill: setup.fill,
            space: setup.space,
            ..Default::default()
        };
        options.nocompress_extensions.push("raw".to_owned());
        let compress = setup.compress.map(|(a, log)| common::compressed(a, log));
        let (image, volume) = volume_with(160 << 20, compress, &options);
        let model = Model {
            rng: Rng::seeded(seed),
            files: BTreeMap::new(),
        };
        Self {
            image,
            volume: Some(volume),
            options,
            model,
            checks: 0,
        }
    }

    fn volume(&self) -> &Volume {
        self.volume.as_ref().unwrap()
    }

    fn name(&mut self) -> String {
        let n = self.model.rng.below(FILES);
        // Some files stay plain in a compressed directory.
        if n.is_multiple_of(3) {
            format!("/file{n}.raw")
        } else {
            format!("/file{n}")
        }
    }

    fn open(&self, name: &str) -> File {
        let options = OpenOptions::new().read(true).write(true).create(true);
        self.volume().open_with(name, &options).unwrap()
    }

    fn bytes(&mut self, len: u64) -> Vec<u8> {
        let seed = self.model.rng.next_u64();
        match self.model.rng.below(4) {
            0 => noise(len as usize, seed),
            1 => vec![0; len as usize],
            _ => pattern(len as usize, seed),
        }
    }

    fn range(&mut self) -> (u64, u64) {
        let rng = &mut self.model.rng;
        let len = match rng.below(10) {
            0 => rng.below(700 << 10),
            1..=3 => rng.below(100_000),
            4 => 65_536,
            _ => rng.below(5000),
        };
        let pos = match rng.below(4) {
            0 => rng.below(8) * 65_536,
            1 => rng.below(FILE_MAX - len),
            _ => rng.below(200_000),
        };
        (pos, len)
    }

    fn write(&mut self) {
        let name = self.name();
        let (pos, len) = self.range();
        let bytes = self.bytes(len);
        self.open(&name).write_all_at(pos, &bytes).unwrap();
        let content = self.model.files.entry(name).or_default();
        if bytes.is_empty() {
            return;
        }
        let end = (pos + len) as usize;
        if content.len() < end {
            content.resize(end, 0);
        }
        content[pos as usize..end].copy_from_slice(&bytes);
    }

    fn truncate(&mut self) {
        let name = self.name();
        let size = match self.model.rng.below(4) {
            0 => 0,
            1 => self.model.rng.below(FILE_MAX),
            2 => self.model.rng.below(40) * 16_384,
            _ => self.model.rng.below(10_000),
        };
        self.open(&name).set_len(size).unwrap();
        self.model
            .files
            .entry(name)
            .or_default()
            .resize(size as usize, 0);
    }

    /// Reserves, frees or zeroes a range.
    fn change_space(&mut self) {
        let name = self.name();
        let (pos, len) = self.range();
        let (pos, len) = (pos as usize, len.max(1) as usize);
        let what = match self.model.rng.below(6) {
            0 => Fallocate::Allocate,
            1 => Fallocate::AllocateKeepSize,
            2 => Fallocate::ZeroRange,
            3 => Fallocate::ZeroRangeKeepSize,
            _ => Fallocate::PunchHole,
        };
        let end = pos + len;
        self.open(&name)
            .fallocate(what, pos as u64..end as u64)
            .unwrap();
        let content = self.model.files.entry(name).or_default();
        if !matches!(what, Fallocate::Allocate | Fallocate::AllocateKeepSize) {
            let size = content.len();
            content[pos.min(size)..end.min(size)].fill(0);
        }
        if matches!(what, Fallocate::Allocate | Fallocate::ZeroRange) {
            content.resize(content.len().max(end), 0);
        }
    }

    /// Takes a range out of a file, or inserts one; as many blocks as the unit that moves, mostly.
    fn move_tail(&mut self) {
        let name = self.name();
        let file = self.open(&name);
        let content = self.model.files.entry(name).or_default();
        let unit = match file.metadata().compression() {
            Some(compression) => compression.cluster_bytes,
            None => 4096,
        };
        let rng = &mut self.model.rng;
        let (start, len) = (rng.below(20) * unit, (1 + rng.below(8)) * unit);
        let (from, to) = (start as usize, (start + len) as usize);
        let is_insert = rng.below(2) == 0;
        let fits = if is_insert {
            from < content.len() && content.len() as u64 + len <= FILE_MAX
        } else {
            to < content.len()
        };
        if fits && is_insert {
            file.fallocate(Fallocate::InsertRange, start..start + len)
                .unwrap();
            content.splice(from..from, vec![0; to - from]);
        } else if fits {
            file.fallocate(Fallocate::CollapseRange, start..start + len)
                .unwrap();
            content.drain(from..to);
        }
    }

    /// Writes a file, or a part of it, anew where its pieces lie together.
    fn defragment(&mut self) {
        let name = self.name();
        if !self.model.files.contains_key(&name) {
            return;
        }
        let (pos, len) = self.range();
        let range = if self.model.rng.below(2) == 0 {
            0..u64::MAX
        } else {
            pos..pos + len
        };
        let file = self.open(&name);
        let done = file.defragment(range).unwrap();
        assert!(done.runs_after <= done.before.runs, "{name}: {done:?}");
    }

    fn read(&mut self) {
        let name = self.name();
        let (pos, len) = self.range();
        let Some(content) = self.model.files.get(&name) else {
            assert!(matches!(
                self.volume().open_file(&name),
                Err(Error::NotFound)
            ));
            return;
        };
        let mut buf = vec![0xEE; len as usize];
        let n = self
            .volume()
            .open_file(&name)
            .unwrap()
            .read_at(pos, &mut buf)
            .unwrap();
        let expected = content.get(pos as usize..).unwrap_or(&[]);
        let expected = &expected[..expected.len().min(len as usize)];
        let differs = buf[..n].iter().zip(expected).position(|(a, b)| a != b);
        assert_eq!(
            (n, differs),
            (expected.len(), None),
            "{name}: {len} bytes at {pos}"
        );
    }

    fn rename(&mut self) {
        let (from, to) = (self.name(), self.name());
        // The mark against compression belongs to the name a file was made with.
        let result = self.volume().rename(&from, &to);
        match self.model.files.remove(&from) {
            Some(content) => {
                result.unwrap();
                self.model.files.insert(to, content);
            }
            None => assert!(matches!(result, Err(Error::NotFound))),
        }
    }

    fn unlink(&mut self) {
        let name = self.name();
        let result = self.volume().remove_file(&name);
        match self.model.files.remove(&name) {
            Some(_) => result.unwrap(),
            None => assert!(matches!(result, Err(Error::NotFound))),
        }
    }

    fn remount(&mut self) {
        self.volume.take().unwrap().close().unwrap();
        self.check_image();
        self.options.max_order = self.model.rng.below(10) as u8;
        let path: &Path = self.image.path();
        self.volume = Some(Volume::open(path, &self.options).unwrap());
        self.compare();
    }

    fn check_image(&mut self) {
        self.checks += 1;
        testkit::fsck::assert_clean(self.image.path());
    }

    fn compare(&self) {
        let volume = self.volume();
        let mut names: Vec<_> = volume
            .read_dir("/")
            .unwrap()
            .map(|e| format!("/{}", e.unwrap().file_name().to_str().unwrap()))
            .collect();
        names.sort();
        assert_eq!(names, self.model.files.keys().cloned().collect::<Vec<_>>());
        for (name, content) in &self.model.files {
            common::assert_content(volume, name, content);
        }
    }

    fn step(&mut self, n: u64) {
        match self.model.rng.below(100) {
            0..35 => self.write(),
            35..52 => self.read(),
            52..62 => self.truncate(),
            62..72 => self.change_space(),
            72..78 => self.move_tail(),
            78..83 => self.rename(),
            83..87 => self.unlink(),
            87..92 => self.volume().drop_caches(),
            92..95 => self.defragment(),
            _ => {}
        }
        if n % 500 == 250 {
            self.volume().sync().unwrap();
            self.check_image();
        }
        if n % 2000 == 1999 {
            self.remount();
        }
    }
}

fn run(setup: &Setup, seed: u64, ops: u64) {
    let seed = std::env::var("MODEL_SEED").map_or(seed, |s| s.parse().unwrap());
    let ops = std::env::var("MODEL_OPS").map_or(ops, |s| s.parse().unwrap());
    let mut run = Run::new(setup, seed);
    for n in 0..ops {
        run.step(n);
    }
    run.remount();
    assert!(run.checks > 0);
}

#[test]
fn plain_files() {
    run(&Setup::default(), 1, 20_000);
}

#[test]
fn lz4_small_clusters() {
    let compress = Some((CompressAlgorithm::Lz4, 2));
    run(
        &Setup {
            compress,
            ..Setup::default()
        },
        2,
        20_000,
    );
}

#[test]
fn lz4_64k_clusters() {
    let compress = Some((CompressAlgorithm::Lz4, 4));
    run(
        &Setup {
            compress,
            ..Setup::default()
        },
        3,
        20_000,
    );
}

#[test]
fn lz4_cluster_by_cluster() {
    let compress = Some((CompressAlgorithm::Lz4, 4));
    run(
        &Setup {
            compress,
            fill: Fill::Cluster,
            ..Setup::default()
        },
        4,
        15_000,
    );
}

#[test]
fn zstd_256k_clusters() {
    let compress = Some((CompressAlgorithm::Zstd, 6));
    run(
        &Setup {
            compress,
            ..Setup::default()
        },
        5,
        15_000,
    );
}

#[test]
fn lzo_rle_1m_clusters() {
    let compress = Some((CompressAlgorithm::LzoRle, 8));
    run(
        &Setup {
            compress,
            ..Setup::default()
        },
        6,
        10_000,
    );
}

#[test]
fn lz4_that_frees_space() {
    let setup = Setup {
        compress: Some((CompressAlgorithm::Lz4, 2)),
        space: Space::Release,
        ..Setup::default()
    };
    run(&setup, 7, 20_000);
}

#[test]
fn zstd_that_frees_space() {
    let setup = Setup {
        compress: Some((CompressAlgorithm::Zstd, 5)),
        space: Space::Release,
        ..Setup::default()
    };
    run(&setup, 8, 15_000);
}
