//! A volume in memory that can be cut off at any moment.

use crate::common::{compressed, pattern};
use blockdev::{Bio, BlockDevice, DeviceError, MemDevice};
use f2fs::{
    CompressAlgorithm, File, FormatOptions, FsyncMode, OpenOptions, Owner, Volume, VolumeOptions,
};
use std::fs;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;
use testkit::fsck;

pub(crate) const MIB: u64 = 1 << 20;

/// An open volume and what it is on.
pub(crate) struct Lab {
    pub(crate) device: Arc<MemDevice>,
    pub(crate) volume: Volume,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(&VolumeOptions::default())
    }

    pub(crate) fn strict() -> Self {
        Self::with(&VolumeOptions {
            fsync_mode: FsyncMode::Strict,
            ..VolumeOptions::default()
        })
    }

    /// A volume with a directory `/d`, a compressed directory `/c`, and one checkpoint.
    pub(crate) fn with(options: &VolumeOptions) -> Self {
        let device = Arc::new(MemDevice::new(128 * MIB));
        Self::on(Arc::clone(&device) as _, device, options)
    }

    /// The same on a device whose flushes take a while.
    pub(crate) fn slow() -> Self {
        let device = Arc::new(MemDevice::new(128 * MIB));
        let slow = Arc::new(SlowFlush(Arc::clone(&device)));
        Self::on(slow, device, &VolumeOptions::default())
    }

    fn on(used: Arc<dyn BlockDevice>, device: Arc<MemDevice>, options: &VolumeOptions) -> Self {
        let format = FormatOptions::new(128 * MIB);
        let volume = Volume::create_on(used, &format, options).unwrap();
        volume.create_dir("/d", Owner::root(0o755)).unwrap();
        volume.create_dir("/c", Owner::root(0o755)).unwrap();
        let lz4 = compressed(CompressAlgorithm::Lz4, 2);
        let defaults = f2fs::CompressDefaults {
            algorithm: lz4.algorithm,
            log_cluster_size: lz4.log_cluster_size,
            ..f2fs::CompressDefaults::default()
        };
        volume.set_compression("/c", Some(defaults)).unwrap();
        volume.sync().unwrap();
        Self { device, volume }
    }

    /// Opens a file, making it if it is not there.
    pub(crate) fn file(&self, path: &str) -> File {
        let options = OpenOptions::new().read(true).write(true).create(true);
        self.volume.open_with(path, &options).unwrap()
    }

    /// Writes a pattern and returns the file.
    pub(crate) fn write(&self, path: &str, pos: u64, len: usize, seed: u64) -> File {
        let file = self.file(path);
        file.write_all_at(pos, &pattern(len, seed)).unwrap();
        file
    }

    /// Checkpoints that `work` takes.
    pub(crate) fn checkpoints(&self, work: impl FnOnce(&Self)) -> u64 {
        let before = self.volume.stats().data.checkpoints;
        work(self);
        self.volume.stats().data.checkpoints - before
    }

    /// What the device holds now, as a power cut would leave it if all writes had been done.
    pub(crate) fn cut(&self) -> Arc<MemDevice> {
        Arc::new(self.device.snapshot())
    }

    /// The volume as it is after a power cut now: opened for reading and for writing, with the same tree.
    pub(crate) fn recovered(&self) -> Volume {
        let left = self.cut();
        let options = VolumeOptions {
            read_only: true,
            ..VolumeOptions::default()
        };
        let reader = Volume::open_device(Arc::clone(&left) as _, &options).unwrap();
        let seen = tree(&reader);
        drop(reader);
        let volume =
            Volume::open_device(Arc::clone(&left) as _, &VolumeOptions::default()).unwrap();
        assert_eq!(tree(&volume), seen, "reader and writer see the same");
        fsck::assert_clean(image_of(&left).path());
        volume
    }
}

/// A device whose flushes take a while, as those of real ones do.
#[derive(Debug)]
struct SlowFlush(Arc<MemDevice>);

impl BlockDevice for SlowFlush {
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn submit(&self, bio: Bio) {
        self.0.submit(bio);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.0.read_at(pos, buf)
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.0.write_at(pos, data)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        std::thread::sleep(Duration::from_millis(20));
        self.0.flush()
    }

    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
        self.0.discard(pos, len)
    }
}

/// A device as an image file.
pub(crate) fn image_of(device: &MemDevice) -> NamedTempFile {
    let image = NamedTempFile::new().unwrap();
    let mut bytes = vec![0; device.size_bytes() as usize];
    device.read_at(0, &mut bytes).unwrap();
    fs::write(image.path(), bytes).unwrap();
    image
}

/// All files of a volume, with sizes, links, blocks and a sum of the content.
pub(crate) fn tree(volume: &Volume) -> Vec<String> {
    let mut lines = Vec::new();
    let mut dirs = vec![String::new()];
    while let Some(dir) = dirs.pop() {
        for entry in volume.read_dir(format!("/{dir}")).unwrap() {
            let path = format!("{dir}/{}", entry.unwrap().file_name().to_string_lossy());
            let meta = volume.symlink_metadata(&path).unwrap();
            let (links, size, blocks) = (meta.links(), meta.len(), meta.blocks());
            let mut sum = 0u64;
            if meta.is_dir() {
                dirs.push(path.clone());
            } else if meta.is_file() {
                let mut bytes = Vec::new();
                volume
                    .open_file(&path)
                    .unwrap()
                    .read_to_end(&mut bytes)
                    .unwrap();
                sum = bytes
                    .iter()
                    .fold(7, |sum, &b| sum.wrapping_mul(31) ^ u64::from(b));
            }
            let xattrs = volume.list_xattrs(&path).unwrap();
            lines.push(format!("{path} {links} {size} {blocks} {sum:x} {xattrs:?}"));
        }
    }
    lines.sort();
    lines
}
