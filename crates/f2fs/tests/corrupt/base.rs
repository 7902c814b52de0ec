//! The volume that every test breaks: one of each kind of file.

use crate::common::{noise, pattern};
use crate::image::Image;
use blockdev::MemDevice;
use f2fs::{
    CompressAlgorithm, CompressDefaults, Error, FileType, FormatOptions, OpenOptions, Owner,
    Result, SetXattr, Special, Volume, VolumeOptions,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub(crate) const SIZE: u64 = 64 << 20;

/// Blocks of an inode's own slots, of a direct node, of an indirect node's direct nodes.
const FAR: [u64; 5] = [100, 900, 2000, 3000, 1_100_000];

/// Regular files and their contents. The sparse one is compared by its pieces.
pub(crate) fn contents() -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("/plain", pattern(300_000, 1)),
        ("/inline", pattern(900, 2)),
        ("/packed", pattern(400_000, 3)),
        ("/noise", noise(200_000, 4)),
        ("/other", pattern(50_000, 5)),
        ("/dir/a", pattern(5000, 6)),
        ("/many/name-with-some-length-017", b"17".to_vec()),
    ])
}

pub(crate) fn options() -> VolumeOptions {
    VolumeOptions {
        threads: 1,
        cache_bytes: 16 << 20,
        seed: Some(1),
        ..VolumeOptions::default()
    }
}

pub(crate) fn packed() -> CompressDefaults {
    let algorithm = CompressAlgorithm::Lz4;
    CompressDefaults {
        algorithm,
        level: 0,
        log_cluster_size: 2,
        checksum: true,
    }
}

pub(crate) fn create(volume: &Volume, path: &str, data: &[u8]) -> Result<()> {
    let compress = path.contains("packed").then(packed);
    let options = OpenOptions::new()
        .write(true)
        .create_new(true)
        .compress(compress);
    volume.open_with(path, &options)?.write_all_at(0, data)
}

fn fill(volume: &Volume) -> Result<()> {
    let owner = Owner::root(0o755);
    volume.create_dir("/dir", owner)?;
    volume.create_dir("/dir/sub", owner)?;
    volume.create_dir("/many", owner)?;
    for n in 0..90 {
        create(
            volume,
            &format!("/many/name-with-some-length-{n:03}"),
            format!("{n}").as_bytes(),
        )?;
    }
    for (path, data) in contents() {
        if !path.starts_with("/many") {
            create(volume, path, &data)?;
        }
    }
    create(volume, "/sparse", b"")?;
    let sparse = volume.open_with("/sparse", &OpenOptions::new().write(true))?;
    for block in FAR {
        sparse.write_all_at(block * 4096, &pattern(4096, block))?;
    }
    create(volume, "/attrs", b"attrs")?;
    volume.set_xattr("/attrs", "user.small", b"small", SetXattr::Any)?;
    volume.set_xattr("/attrs", "user.large", &[b'x'; 2000], SetXattr::Any)?;
    volume.hard_link("/other", "/dir/link")?;
    volume.symlink("dir/a", "/symlink", owner)?;
    volume.mknod("/device", Special::CharDevice(1, 3), owner)?;
    volume.mknod("/fifo", Special::Fifo, owner)
}

/// The intact volume; copies share its blocks.
pub(crate) fn base() -> Arc<Image> {
    static BASE: OnceLock<Image> = OnceLock::new();
    let image = BASE.get_or_init(|| {
        let device = Arc::new(MemDevice::new(SIZE));
        let format = FormatOptions::new(SIZE);
        let volume = Volume::create_on(Arc::<MemDevice>::clone(&device), &format, &options());
        let volume = volume.unwrap();
        fill(&volume).unwrap();
        // Two checkpoints: both packs describe all files.
        volume.sync().unwrap();
        volume.close().unwrap();
        Image::of(&*device)
    });
    Arc::new(image.clone())
}

pub(crate) fn open(image: &Arc<Image>, read_only: bool) -> Result<Volume> {
    let options = VolumeOptions {
        read_only,
        ..options()
    };
    Volume::open_device(Arc::<Image>::clone(image), &options)
}

/// The inode number of a path of the intact volume.
pub(crate) fn ino(path: &str) -> u32 {
    static INOS: OnceLock<BTreeMap<PathBuf, u32>> = OnceLock::new();
    let inos = INOS.get_or_init(|| {
        let volume = open(&base(), true).unwrap();
        let mut seen = walk(&volume);
        assert!(seen.errors.is_empty(), "{:?}", seen.errors);
        seen.inos.insert("/".into(), 3);
        seen.inos
    });
    inos[Path::new(path)]
}

/// Whole content of a file; of a huge one, the pieces that the sparse file has.
pub(crate) fn read(volume: &Volume, path: &Path) -> Result<Vec<u8>> {
    let file = volume.open_file(path)?;
    let len = file.metadata().len();
    let mut bytes = vec![0; len.min(2 << 20) as usize];
    let mut done = 0;
    while done < bytes.len() {
        let n = file.read_at(done as u64, &mut bytes[done..])?;
        if n == 0 {
            break;
        }
        done += n;
    }
    bytes.truncate(done);
    if len > 2 << 20 {
        for block in FAR {
            let mut piece = vec![0; 4096];
            let n = file.read_at(block * 4096, &mut piece)?;
            bytes.extend_from_slice(&piece[..n]);
        }
    }
    Ok(bytes)
}

/// What a walk over a whole volume found.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) inos: BTreeMap<PathBuf, u32>,
    pub(crate) contents: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) errors: Vec<(PathBuf, Error)>,
}

/// Looks at everything: entries, attributes, contents, extended attributes, link targets.
pub(crate) fn walk(volume: &Volume) -> Seen {
    let mut seen = Seen::default();
    let mut stack = vec![PathBuf::from("/")];
    // Damage may make the tree endless.
    for _ in 0..100 {
        let Some(dir) = stack.pop() else { break };
        let entries = match volume.read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) => {
                seen.errors.push((dir, error));
                continue;
            }
        };
        for entry in entries.take(1000) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    seen.errors.push((dir.clone(), error));
                    continue;
                }
            };
            let path = dir.join(entry.file_name());
            if let Err(error) = look(volume, &path, &mut seen) {
                seen.errors.push((path.clone(), error));
            }
            if entry.file_type() == FileType::Directory && path.components().count() < 8 {
                stack.push(path);
            }
        }
    }
    seen
}

fn look(volume: &Volume, path: &Path, seen: &mut Seen) -> Result<()> {
    let metadata = volume.symlink_metadata(path)?;
    seen.inos.insert(path.to_path_buf(), metadata.ino());
    match metadata.file_type() {
        FileType::Symlink => {
            volume.read_link(path)?;
        }
        FileType::Regular => {
            let bytes = read(volume, path)?;
            seen.contents.insert(path.to_path_buf(), bytes);
            let file = volume.open_file(path)?;
            file.seek_data(0)?;
            file.clusters()?;
        }
        _ => {}
    }
    for name in volume.list_xattrs(path)? {
        volume.get_xattr(path, &name.to_string_lossy())?;
    }
    Ok(())
}

/// Everything that the intact volume holds.
pub(crate) fn expected() -> &'static BTreeMap<PathBuf, Vec<u8>> {
    static EXPECTED: OnceLock<BTreeMap<PathBuf, Vec<u8>>> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let seen = walk(&open(&base(), true).unwrap());
        for (path, data) in contents() {
            assert!(
                seen.contents[Path::new(path)] == data,
                "{path} of the intact volume"
            );
        }
        seen.contents
    })
}

/// Changes that touch every part of the engine but none of the base's files.
pub(crate) fn workload(volume: &Volume) -> Result<()> {
    let owner = Owner::root(0o755);
    create(volume, "/new", &pattern(20_000, 7))?;
    create(volume, "/new-packed", &pattern(100_000, 8))?;
    volume.create_dir("/new-dir", owner)?;
    create(volume, "/new-dir/x", b"x")?;
    volume.rename("/new-dir/x", "/new-dir/y")?;
    volume.rename("/new", "/new-dir/new")?;
    volume.set_xattr("/new-dir/y", "user.a", b"b", SetXattr::Any)?;
    volume.symlink("y", "/new-dir/link", owner)?;
    volume.sync()?;
    let file = volume.open_with("/new-packed", &OpenOptions::new().write(true))?;
    file.write_all_at(10_000, &pattern(9000, 9))?;
    file.set_len(50_000)?;
    drop(file);
    volume.remove_file("/new-dir/new")?;
    volume.remove_all("/new-dir")?;
    volume.remove_file("/new-packed")
}
