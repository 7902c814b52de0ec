//! One volume with one file, and what is done to it.

use crate::limits::Rate;
use f2fs::{
    CompressDefaults, File, Fill, FormatOptions, OpenOptions, RootCompression, Volume,
    VolumeOptions,
};
use std::path::Path;
use std::time::Instant;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A new file, with a flush at the end.
    NewWrite,
    /// Overwriting what is cached; nothing is flushed inside the time.
    WarmOverwrite,
    /// Overwriting what is not cached, with a flush at the end.
    ColdOverwrite,
    /// Reading from the device.
    ColdRead,
    /// Reading from the cache.
    WarmRead,
}

impl Work {
    /// All, in an order in which each finds what it needs.
    pub const ALL: [Self; 5] = [
        Self::NewWrite,
        Self::WarmOverwrite,
        Self::ColdOverwrite,
        Self::ColdRead,
        Self::WarmRead,
    ];

    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::NewWrite => "new write + flush",
            Self::WarmOverwrite => "warm overwrite",
            Self::ColdOverwrite => "cold overwrite + flush",
            Self::ColdRead => "cold read",
            Self::WarmRead => "warm read",
        }
    }
}

/// How a volume is made and opened.
#[derive(Clone, Copy, Debug)]
pub struct SetUp {
    /// Compression of the file.
    pub compress: Option<CompressDefaults>,
    /// Largest folio order.
    pub max_order: u8,
    /// How folios are filled.
    pub fill: Fill,
}

/// A volume ready to be measured.
pub struct Bench {
    volume: Volume,
    data: Vec<u8>,
}

const FILE: &str = "/file";

impl Bench {
    /// Makes a volume in `dir` large enough for several rounds of `data`.
    pub fn new(dir: &Path, set_up: &SetUp, data: &[u8]) -> f2fs::Result<Self> {
        let image = tempfile::NamedTempFile::new_in(dir).expect("a place for the image");
        let size = (data.len() as u64 * 6).next_multiple_of(64 << 20);
        let mut format = FormatOptions::new(size);
        format.compress = set_up.compress.map(|c| RootCompression {
            algorithm: c.algorithm,
            level: c.level,
            log_cluster_size: c.log_cluster_size,
            checksum: c.checksum,
        });
        let options = VolumeOptions {
            cache_bytes: data.len() as u64 * 4,
            max_order: set_up.max_order,
            fill: set_up.fill,
            ..VolumeOptions::default()
        };
        // The image is unlinked when the guard goes; the open volume keeps it.
        let volume = Volume::create(image.path(), &format, &options)?;
        Ok(Self {
            volume,
            data: data.to_vec(),
        })
    }

    /// Does one round of some work; its rate.
    pub fn round(&self, work: Work, request: usize) -> f2fs::Result<Rate> {
        match work {
            Work::NewWrite => {
                match self.volume.remove_file(FILE) {
                    Ok(()) | Err(f2fs::Error::NotFound) => {}
                    Err(error) => return Err(error),
                }
                self.volume.sync()?;
                let file = self.open()?;
                self.timed(|| {
                    self.write(&file, request)?;
                    self.volume.sync()
                })
            }
            Work::WarmOverwrite => {
                let file = self.open()?;
                let rate = self.timed(|| self.write(&file, request));
                self.volume.sync()?;
                rate
            }
            Work::ColdOverwrite => {
                self.volume.drop_caches();
                let file = self.open()?;
                self.timed(|| {
                    self.write(&file, request)?;
                    self.volume.sync()
                })
            }
            Work::ColdRead => {
                self.volume.drop_caches();
                self.read(request)
            }
            Work::WarmRead => {
                self.read(1 << 20)?;
                self.read(request)
            }
        }
    }

    /// Counters of the volume.
    pub fn stats(&self) -> f2fs::Stats {
        self.volume.stats()
    }

    fn open(&self) -> f2fs::Result<File> {
        self.volume.open_with(
            FILE,
            &OpenOptions::new().read(true).write(true).create(true),
        )
    }

    fn write(&self, file: &File, request: usize) -> f2fs::Result<()> {
        for (n, chunk) in self.data.chunks(request).enumerate() {
            file.write_all_at((n * request) as u64, chunk)?;
        }
        Ok(())
    }

    fn read(&self, request: usize) -> f2fs::Result<Rate> {
        let file = self.open()?;
        let mut buffer = vec![0; request];
        self.timed(|| {
            let mut pos = 0;
            loop {
                let n = file.read_at(pos, &mut buffer)?;
                std::hint::black_box(&mut buffer);
                pos += n as u64;
                if n == 0 {
                    return Ok(());
                }
            }
        })
    }

    fn timed(&self, work: impl FnOnce() -> f2fs::Result<()>) -> f2fs::Result<Rate> {
        let start = Instant::now();
        work()?;
        Ok(self.data.len() as f64 / start.elapsed().as_secs_f64())
    }
}
