//! Files that the kernel sealed with fs-verity: read equal, measured equal, and every flipped bit found.

use crate::guest::Guest;
use crate::manifest::{Manifest, raw};
use crate::ops::{Model, Op, command_all};
use crate::pool::{NOISE, POOL};
use f2fs::{
    CompressAlgorithm, CompressDefaults, Error, File, OpenOptions, SetAttr, SetXattr, Volume,
    VolumeOptions,
};
use f2fs_format::{BLOCK_SIZE, Features};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use tempfile::NamedTempFile;
use testkit::{fsck, tools};

const SIZES: [usize; 6] = [0, 1, 4096, 4097, 300_000, 1_100_000];
const BLOCK: u64 = BLOCK_SIZE as u64;

/// A file and how it is sealed.
struct Sealed {
    path: String,
    size: usize,
    compress: Option<CompressDefaults>,
    algorithm: u32,
    block: u32,
    salt: String,
}

/// All sizes, algorithms, block sizes, with and without salt; large trees; compressed files.
fn files() -> Vec<Sealed> {
    let mut files = Vec::new();
    let mut add = |size, compress: Option<CompressDefaults>, algorithm, block, salt_len| {
        files.push(Sealed {
            path: format!("/v/f{}", files.len()),
            size,
            compress,
            algorithm,
            block,
            salt: "5a".repeat(salt_len),
        });
    };
    for algorithm in [1, 2] {
        for block in [1024, 2048, 4096] {
            for salt_len in [0, 32] {
                for size in SIZES {
                    add(size, None, algorithm, block, salt_len);
                }
            }
        }
    }
    add(40 << 20, None, 1, 4096, 0);
    add(40 << 20, None, 2, 1024, 3);
    for log_cluster_size in [2, 4, 8] {
        for size in [100, 300_000, 2_500_000] {
            let compress = CompressDefaults {
                algorithm: CompressAlgorithm::Lz4,
                log_cluster_size,
                ..CompressDefaults::default()
            };
            add(size, Some(compress), 1, 4096, 5);
            add(size, Some(compress), 2, 1024, 0);
        }
    }
    files
}

fn make(file: &Sealed) -> Vec<Op> {
    let mut ops = vec![Op::Create(file.path.clone(), file.compress)];
    let mut pos = 0;
    while pos < file.size {
        let len = (file.size - pos).min(4 << 20);
        let (path, source) = (file.path.clone(), pos / 1000 % 3000);
        ops.push(Op::Write {
            path,
            pos: pos as u64,
            len,
            source,
        });
        pos += len;
    }
    ops
}

fn seal(guest: &mut Guest<'_>, file: &Sealed) {
    let Sealed {
        path,
        algorithm,
        block,
        salt,
        ..
    } = file;
    guest.then(format!("seal {path} {algorithm} {block} {salt}"));
}

fn open(image: &Path, read_only: bool) -> Volume {
    let options = VolumeOptions {
        read_only,
        ..VolumeOptions::default()
    };
    Volume::open(image, &options).unwrap()
}

#[test]
fn sealed_files_read_and_measure_the_same() {
    let image = tools::mkfs(
        &["-O", "extra_attr,verity,compression,inode_checksum"],
        512 << 20,
    );
    let files = files();
    let mut model = Model::default();
    let mut guest = Guest::new();
    guest.mount(image.path(), "").then("mkdir /v 755");
    for file in &files {
        let ops = make(file);
        model.apply_all(&ops);
        command_all(&mut guest, &ops);
        seal(&mut guest, file);
    }
    // Holes are sealed as the zeros they are.
    guest
        .then("create /v/holes 644")
        .then("write /v/holes 5000000 9000 0")
        .then("truncate /v/holes 9000000");
    guest
        .then("seal /v/holes")
        .then("sync")
        .manifest()
        .measures()
        .umount();
    let Some(mut theirs) = guest.run() else {
        return;
    };
    let measured = theirs.pop().unwrap();
    let read = Manifest::of_image(image.path());
    read.assert_same(&theirs[0], "the engine <> the kernel");
    let mut without_holes = read;
    without_holes.0.remove("/v/holes");
    model.assert_in(&without_holes, image.path(), "the engine");
    let volume = open(image.path(), true);
    for file in &files {
        let digest = volume.open_file(raw(&file.path)).unwrap().verity_digest();
        let digest = digest.unwrap().unwrap().to_string();
        assert_eq!(
            digest,
            measured.field(&file.path, "digest"),
            "{}",
            file.path
        );
    }
    assert_eq!(measured.0.len(), files.len() + 1);
    drop(volume);
    live_on(image.path(), &files, &theirs[0], &measured);
}

/// Sealed files keep their content and take everything else; what they take on the volume goes with them.
fn live_on(image: &Path, files: &[Sealed], before: &Manifest, measured: &Manifest) {
    let volume = open(image, false);
    let [last @ .., _] = &SIZES;
    for file in files {
        assert_refused(&volume, &file.path);
        let set = SetAttr {
            permissions: Some(0o600),
            uid: Some(7),
            gid: Some(8),
            ..SetAttr::default()
        };
        volume.set_attr(&file.path, &set).unwrap();
        volume
            .set_xattr(&file.path, "user.a", &[3; 900], SetXattr::Any)
            .unwrap();
        let moved = format!("{}-moved", file.path);
        volume.rename(&file.path, moved).unwrap();
        if last.contains(&file.size) {
            volume.remove_file(format!("{}-moved", file.path)).unwrap();
        }
    }
    volume.close().unwrap();
    fsck::assert_clean(image);
    let mut guest = Guest::new();
    guest.mount(image, "").manifest().measures().umount();
    let after = guest.run().unwrap();
    for file in files.iter().filter(|file| !last.contains(&file.size)) {
        let moved = format!("{}-moved", file.path);
        let content = before.field(&file.path, "sha256");
        assert_eq!(after[0].field(&moved, "sha256"), content);
        let digest = measured.field(&file.path, "digest");
        assert_eq!(after[1].field(&moved, "digest"), digest);
    }
    let volume = open(image, false);
    volume.remove_all("/v").unwrap();
    let space = volume.statfs();
    volume.close().unwrap();
    assert!(space.user_blocks - space.blocks_free < 4, "{space:?}");
    fsck::assert_clean(image);
}

fn assert_refused(volume: &Volume, path: &str) {
    let is_refused = |result| matches!(result, Err(Error::NotPermitted(_)));
    let options = OpenOptions::new().write(true);
    assert!(is_refused(volume.open_with(path, &options).map(drop)));
    assert!(is_refused(
        volume.open_with(path, &options.truncate(true)).map(drop)
    ));
    let names = path.split('/').skip(1);
    let root = volume.root().unwrap();
    let node = names.fold(root, |dir, name| dir.lookup(name.as_bytes()).unwrap());
    assert!(is_refused(node.set_len(0)) && is_refused(node.set_len(1 << 30)));
    let metadata = node.metadata();
    let other = metadata
        .compression()
        .is_none()
        .then(CompressDefaults::default);
    assert!(is_refused(volume.set_compression(path, other)));
    assert!(metadata.is_verity());
}

/// Bytes of the sealed file and of its neighbour, and where in the pool they come from.
const LEN: usize = 300_000;
const SEALED: usize = NOISE.start;
const OTHER: usize = NOISE.start + 500_001;

/// A sealed file and its neighbour.
struct Flips {
    image: NamedTempFile,
    file: fs::File,
    content: Vec<u8>,
}

impl Flips {
    fn new() -> Option<Self> {
        let image = tools::mkfs(&["-O", "extra_attr,verity"], 64 << 20);
        let mut guest = Guest::new();
        guest.mount(image.path(), "");
        for (name, source, salt) in [("sealed", SEALED, ""), ("other", OTHER, "77")] {
            guest
                .then(format!("create /{name} 644"))
                .then(format!("write /{name} 0 {LEN} {source}"))
                .then(format!("seal /{name} 1 4096 {salt}"));
        }
        guest.umount().run()?;
        let content = POOL[SEALED..][..LEN].to_vec();
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(image.path())
            .unwrap();
        Some(Self {
            image,
            file,
            content,
        })
    }

    /// Where some bytes lie in the image, every time they do.
    fn find(&self, bytes: &[u8]) -> Vec<u64> {
        let mut image = Vec::new();
        (&self.file).seek(SeekFrom::Start(0)).unwrap();
        (&self.file).read_to_end(&mut image).unwrap();
        let blocks = image.chunks(BLOCK_SIZE).enumerate();
        let found = blocks.filter(|(_, block)| block.starts_with(bytes));
        found.map(|(n, _)| n as u64 * BLOCK).collect()
    }

    /// Changes a byte, looks, and changes it back.
    fn with_flip(&self, places: &[u64], look: impl FnOnce(&Volume)) {
        self.flip(places);
        let volume = open(self.image.path(), true);
        assert!(read_all(&volume, "/other").unwrap() == POOL[OTHER..][..LEN]);
        look(&volume);
        drop(volume);
        self.flip(places);
        let volume = open(self.image.path(), true);
        assert!(read_all(&volume, "/sealed").unwrap() == self.content);
    }

    fn flip(&self, places: &[u64]) {
        for &place in places {
            let mut byte = [0];
            self.file.read_exact_at(&mut byte, place).unwrap();
            self.file.write_all_at(&[byte[0] ^ 1], place).unwrap();
        }
    }

    fn leaves(&self) -> Vec<u8> {
        let mut padded = self.content.clone();
        padded.resize(padded.len().next_multiple_of(BLOCK_SIZE), 0);
        padded.chunks(BLOCK_SIZE).flat_map(Sha256::digest).collect()
    }

    fn descriptor(&self) -> u64 {
        let mut head = vec![1, 1, 12, 0, 0, 0, 0, 0];
        head.extend((LEN as u64).to_le_bytes());
        self.find(&head)[0]
    }
}

fn read_all(volume: &Volume, path: &str) -> f2fs::Result<Vec<u8>> {
    let file = volume.open_file(path)?;
    let mut bytes = vec![0; LEN];
    let len = file.read_at(0, &mut bytes)?;
    bytes.truncate(len);
    Ok(bytes)
}

/// Asserts that reading fails with the place of the damage.
fn assert_found<T: std::fmt::Debug>(result: f2fs::Result<T>, file: &File, at: u64) {
    let error = result.unwrap_err();
    assert_eq!(error.errno(), 5, "{error}");
    match error {
        Error::Verity { ino, block, .. } => {
            assert_eq!((ino.get(), block), (file.metadata().ino(), at));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flipped_bit_of_data_is_found_where_it_is() {
    let Some(flips) = Flips::new() else { return };
    let blocks = flips.content.len().div_ceil(BLOCK_SIZE) as u64;
    for (block, byte) in [
        (0, 0),
        (7, 4095),
        (33, 100),
        (blocks - 1, 0),
        (blocks - 1, 4095),
    ] {
        let bytes = &flips.content[(block * BLOCK) as usize..];
        let place = flips.find(&bytes[..bytes.len().min(BLOCK_SIZE)])[0];
        flips.with_flip(&[place + byte], |volume| {
            let file = volume.open_file("/sealed").unwrap();
            for n in 0..blocks {
                let mut bytes = vec![0; BLOCK_SIZE];
                let result = file.read_at(n * BLOCK, &mut bytes);
                if n == block {
                    assert_found(result, &file, block);
                    continue;
                }
                let len = result.unwrap();
                let expected = &flips.content[(n * BLOCK) as usize..][..len];
                assert!(bytes[..len] == *expected, "block {n} beside block {block}");
            }
            assert_found(read_all(volume, "/sealed"), &file, block);
        });
    }
}

#[test]
fn a_flipped_bit_of_the_tree_is_found() {
    let Some(flips) = Flips::new() else { return };
    let leaves = flips.leaves();
    let place = flips.find(&leaves)[0];
    for byte in [0, 32 * 50, leaves.len() as u64 - 1, 4095] {
        flips.with_flip(&[place + byte], |volume| {
            let file = volume.open_file("/sealed").unwrap();
            assert!(
                file.verity_digest().unwrap().is_some(),
                "the descriptor is right"
            );
            assert_found(read_all(volume, "/sealed"), &file, 80);
        });
    }
}

#[test]
fn a_flipped_bit_of_the_descriptor_is_found() {
    let Some(flips) = Flips::new() else { return };
    let place = flips.descriptor();
    // Version, algorithm, block size, salt size, signature size, file size, a reserved byte.
    for byte in [0, 1, 2, 7, 8, 15, 200] {
        flips.with_flip(&[place + byte], |volume| {
            let file = volume.open_file("/sealed").unwrap();
            assert_found(file.verity_digest(), &file, 81);
            assert_found(read_all(volume, "/sealed"), &file, 81);
        });
    }
    // The salt's size, then the root's hash.
    for byte in [3, 16, 47] {
        flips.with_flip(&[place + byte], |volume| {
            let file = volume.open_file("/sealed").unwrap();
            assert_found(read_all(volume, "/sealed"), &file, 80);
        });
    }
}

/// Where an inode block has its name, and where its first address lies with all extra attributes.
const NAME: usize = 92;
const SLOTS: usize = 360 + 36;

#[test]
fn a_block_that_is_taken_away_is_found() {
    let Some(flips) = Flips::new() else { return };
    let mut image = fs::read(flips.image.path()).unwrap();
    for block in image.chunks_mut(BLOCK_SIZE) {
        if block[NAME..].starts_with(b"sealed\0") && block[NAME - 4] == 6 {
            block[SLOTS + 4 * 3..][..4].fill(0);
        }
    }
    flips.file.write_all_at(&image, 0).unwrap();
    let volume = open(flips.image.path(), true);
    let file = volume.open_file("/sealed").unwrap();
    assert_found(read_all(&volume, "/sealed"), &file, 3);
    assert_eq!(
        file.read_at(0, &mut [0; 3 * BLOCK_SIZE]).unwrap(),
        3 * BLOCK_SIZE
    );
    assert!(read_all(&volume, "/other").unwrap() == POOL[OTHER..][..LEN]);
}

#[test]
fn what_was_checked_is_forgotten_with_the_bytes() {
    let Some(flips) = Flips::new() else { return };
    let place = flips.find(&flips.content[..BLOCK_SIZE]);
    let volume = open(flips.image.path(), true);
    let file = volume.open_file("/sealed").unwrap();
    let mut bytes = [0; 100];
    file.read_at(0, &mut bytes).unwrap();
    flips.flip(&place);
    file.read_at(0, &mut bytes).unwrap();
    assert!(
        bytes == flips.content[..100],
        "the cache has the right bytes"
    );
    volume.drop_caches();
    assert_found(file.read_at(0, &mut bytes), &file, 0);
}

#[test]
fn features_allow_sealed_files() {
    // Whoever makes a volume for sealed files with the engine gets one that the kernel seals files on.
    let image = NamedTempFile::new().unwrap();
    let format = f2fs::FormatOptions {
        features: Features::VERITY | Features::EXTRA_ATTR,
        ..f2fs::FormatOptions::new(64 << 20)
    };
    let volume = Volume::create(image.path(), &format, &VolumeOptions::default()).unwrap();
    let file = volume
        .open_with("/file", &OpenOptions::new().write(true).create(true))
        .unwrap();
    file.write_all_at(0, &POOL[..100_000]).unwrap();
    drop(file);
    volume.close().unwrap();
    let mut guest = Guest::new();
    guest.mount(image.path(), "").then("seal /file").umount();
    if guest.run().is_some() {
        let mut bytes = Vec::new();
        open(image.path(), true)
            .open_file("/file")
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        assert!(bytes == POOL[..100_000]);
    }
}

#[test]
fn a_flipped_bit_in_a_cluster_that_still_decodes_is_found() {
    let image = tools::mkfs(&["-O", "extra_attr,verity,compression"], 64 << 20);
    let mut guest = Guest::new();
    let compress = CompressDefaults {
        log_cluster_size: 2,
        ..CompressDefaults::default()
    };
    let file = Sealed {
        path: "/sealed".to_owned(),
        size: 100_000,
        compress: Some(compress),
        algorithm: 1,
        block: 4096,
        salt: String::new(),
    };
    guest.mount(image.path(), "");
    command_all(&mut guest, &make(&file));
    seal(&mut guest, &file);
    guest.umount();
    if guest.run().is_none() {
        return;
    }
    let mut bytes = fs::read(image.path()).unwrap();
    // The first bytes of a cluster are stored as they are, behind two headers.
    let block = bytes
        .chunks_mut(BLOCK_SIZE)
        .find(|block| block[25..40].windows(8).any(|w| w == &POOL[..8]));
    let block = block.expect("the file's first cluster is compressed");
    let at = block[25..40]
        .windows(8)
        .position(|w| w == &POOL[..8])
        .unwrap()
        + 25;
    block[at] ^= 1;
    fs::write(image.path(), &bytes).unwrap();
    let volume = open(image.path(), true);
    let file = volume.open_file("/sealed").unwrap();
    let mut page = [0; BLOCK_SIZE];
    assert_found(file.read_at(0, &mut page), &file, 0);
    for n in 3..file.metadata().len() / BLOCK {
        file.read_at(n * BLOCK, &mut page).unwrap();
        assert!(
            page == POOL[(n * BLOCK) as usize..][..BLOCK_SIZE],
            "block {n}"
        );
    }
}
