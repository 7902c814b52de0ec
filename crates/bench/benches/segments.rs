//! `cargo bench -p bench --bench segments`: what segments cost that nobody touches. Sparse volumes of growing size, of
//! which every segment is partly in use: opening, choosing a victim, a checkpoint after a small change.
//!
//! The tables are written by hand, so nothing owns the blocks in use: the cleaner finds a victim, reads its summary and
//! leaves it alone. `BENCH_DIR` is where the image is made (default: /dev/shm if it is there).

use f2fs::{GcOptions, OpenOptions, Owner, Volume, VolumeOptions};
use f2fs_format::checkpoint::crc_of;
use f2fs_format::{
    BLOCK_SIZE, Block, BlockAddr, Checkpoint, CursegType, Geometry, SIT_ENTRIES_PER_BLOCK,
    SegmentNo, SitBlock, SitEntry, SuperBlock,
};
use std::fs::{File, OpenOptions as FileOptions};
use std::io::Result;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Segments of the volumes, about.
const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Segments at the start of MAIN that stay as they are: the logs are there, and room to write.
const FREE: u32 = 256;
/// Offsets in a checkpoint.
const VALID_BLOCKS: u64 = 16;
const CHECKSUM_AT: usize = 164;
/// Choices and checkpoints that are timed.
const CHOICES: usize = 60;
const CHECKPOINTS: usize = 20;

fn main() -> Result<()> {
    let dir = std::env::var_os("BENCH_DIR").map_or_else(default_dir, PathBuf::from);
    println!(
        "| segments | open, ms | victim, µs | checkpoint, µs | device reads to open, MiB | checkpoint, blocks |"
    );
    println!("|---|---|---|---|---|---|");
    for segments in SIZES {
        let image = tempfile::NamedTempFile::new_in(&dir)?;
        make(image.path(), segments)?;
        println!("{}", measure(image.path()));
    }
    Ok(())
}

fn default_dir() -> PathBuf {
    let shared = PathBuf::from("/dev/shm");
    if shared.is_dir() {
        shared
    } else {
        std::env::temp_dir()
    }
}

/// A sparse volume whose segments, but for the first, are partly in use.
fn make(path: &Path, segments: u64) -> Result<()> {
    let format = f2fs::FormatOptions::new((segments * 2) << 20);
    let volume = Volume::create(path, &format, &VolumeOptions::default());
    let volume = volume.expect("the volume is made");
    volume
        .create_dir("/d", Owner::root(0o755))
        .expect("a directory");
    volume.close().expect("the volume is closed");
    let file = FileOptions::new().read(true).write(true).open(path)?;
    let sb = super_block(&file)?;
    let geometry = sb.geometry();
    let added = use_segments(&file, &geometry)?;
    for pack in [0, 1] {
        add_valid_blocks(&file, geometry.cp_pack(pack), added)?;
    }
    Ok(())
}

fn super_block(file: &File) -> Result<SuperBlock> {
    let mut block = [0; BLOCK_SIZE];
    file.read_exact_at(&mut block, 0)?;
    let blocks = file.metadata()?.len() / BLOCK_SIZE as u64;
    Ok(SuperBlock::parse(&block, blocks).expect("our own superblock"))
}

/// Writes both copies of the SIT; the blocks in use.
fn use_segments(file: &File, geometry: &Geometry) -> Result<u64> {
    let per_block = SIT_ENTRIES_PER_BLOCK as u32;
    let first = FREE.next_multiple_of(per_block);
    let mut added = 0;
    for start in (first..geometry.main_segments()).step_by(per_block as usize) {
        let mut block: Block = [0; BLOCK_SIZE];
        for segno in start..(start + per_block).min(geometry.main_segments()) {
            let entry = entry(segno);
            added += u64::from(entry.valid_blocks);
            SitBlock::put(&mut block, SegmentNo::new(segno), &entry);
        }
        for second in [false, true] {
            let addr = geometry.sit_block(SegmentNo::new(start), second);
            file.write_all_at(&block, addr.byte_pos())?;
        }
    }
    Ok(added)
}

/// So many blocks in use that all are in use together no more than a volume may have.
fn entry(segno: u32) -> SitEntry {
    let bytes = 8 + segno as usize * 7 % 48;
    let mut entry = SitEntry::empty(CursegType::WarmData);
    entry.valid_map[..bytes].fill(0xFF);
    entry.valid_blocks = bytes as u16 * 8;
    entry.mtime = u64::from(segno % 1000);
    entry
}

fn add_valid_blocks(file: &File, start: BlockAddr, added: u64) -> Result<()> {
    let mut header = [0; BLOCK_SIZE];
    file.read_exact_at(&mut header, start.byte_pos())?;
    let Ok(found) = Checkpoint::probe(&header) else {
        return Ok(()); // A pack that was never written.
    };
    let at = VALID_BLOCKS as usize;
    let count = u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    header[at..at + 8].copy_from_slice(&(count + added).to_le_bytes());
    let place = &header[CHECKSUM_AT..CHECKSUM_AT + 4];
    let place = u32::from_le_bytes(place.try_into().expect("four bytes")) as usize;
    let sum = crc_of(&header).expect("a checkpoint has a checksum");
    header[place..place + 4].copy_from_slice(&sum.to_le_bytes());
    let footer = BlockAddr::new(start.get() + found.pack_blocks - 1);
    file.write_all_at(&header, start.byte_pos())?;
    file.write_all_at(&header, footer.byte_pos())
}

fn measure(path: &Path) -> String {
    let before = Instant::now();
    let volume = Volume::open(path, &VolumeOptions::default()).expect("the volume opens");
    let open = before.elapsed();
    let read = volume.stats().device.read_bytes;
    let victim = median(CHOICES, || {
        let found = volume.gc_section(GcOptions::default());
        assert!(found.expect("a victim is looked at"), "no victim");
    });
    let options = OpenOptions::new().write(true).create(true);
    let file = volume.open_with("/d/file", &options).expect("a file");
    volume.sync().expect("a checkpoint");
    let written = volume.stats().device.written_bytes;
    let checkpoint = median(CHECKPOINTS, || {
        file.write_all_at(0, b"a change").expect("a write");
        volume.sync().expect("a checkpoint");
    });
    let written = volume.stats().device.written_bytes - written;
    let row = format!(
        "| {} | {:.1} | {} | {} | {:.1} | {} |",
        volume.info().main_segments,
        open.as_secs_f64() * 1e3,
        victim.as_micros(),
        checkpoint.as_micros(),
        read as f64 / f64::from(1 << 20),
        written / (CHECKPOINTS * BLOCK_SIZE) as u64
    );
    // What was written by hand shall not become a volume.
    volume.stop("measured");
    row
}

fn median(times: usize, mut work: impl FnMut()) -> Duration {
    let mut all: Vec<Duration> = (0..times)
        .map(|_| {
            let before = Instant::now();
            work();
            before.elapsed()
        })
        .collect();
    all.sort_unstable();
    all[times / 2]
}
