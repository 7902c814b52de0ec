//! Operations on the bytes of a file.

use super::{Case, Done, case, free, make, make_compressed, make_empty_compressed, nothing, open};
use crate::common::noise;
use f2fs::{Error, Fallocate, File, OpenOptions, Result, Volume};
use std::io::Read;

const BLOCK: u64 = 4096;
/// Bytes of a cluster of the cases.
const CLUSTER: u64 = 4 * BLOCK;

pub(crate) fn cases() -> Vec<Case> {
    let mut all = writing();
    all.extend(writing_where_nothing_was());
    all.extend(writing_compressed());
    all.extend(resizing());
    all.extend(reading());
    all
}

fn content(file: &File) -> Result<Vec<u8>> {
    let mut bytes = vec![0; file.metadata().len() as usize];
    assert_eq!(file.read_at(0, &mut bytes)?, bytes.len());
    Ok(bytes)
}

/// Writes, and compares all of the file with what a part of the bytes, or all, make of it.
fn put(file: &File, pos: u64, bytes: &[u8]) -> Result<Done> {
    let mut expected = content(file)?;
    let written = file.write_at(pos, bytes)?;
    let end = pos as usize + written;
    if expected.len() < end {
        expected.resize(end, 0);
    }
    expected[pos as usize..end].copy_from_slice(&bytes[..written]);
    let found = content(file)?;
    let wrong = (0..expected.len().max(found.len())).find(|&n| found.get(n) != expected.get(n));
    assert!(
        wrong.is_none(),
        "byte {wrong:?} of {} and {}",
        found.len(),
        expected.len()
    );
    assert!(written > 0, "nothing was written, and nothing is wrong");
    Ok(if written == bytes.len() {
        Done::All
    } else {
        Done::Part
    })
}

fn plain(volume: &Volume, dir: &str) -> Result<()> {
    drop(make(volume, &format!("{dir}/f"), &noise(200_000, 3))?);
    Ok(())
}

fn inline(volume: &Volume, dir: &str) -> Result<()> {
    drop(make(volume, &format!("{dir}/f"), &noise(1000, 3))?);
    Ok(())
}

/// A block, a hole of a megabyte, a block.
fn sparse(volume: &Volume, dir: &str) -> Result<()> {
    let file = make(volume, &format!("{dir}/f"), &noise(4096, 3))?;
    file.write_all_at(1 << 20, &noise(4096, 4))
}

fn writing() -> Vec<Case> {
    vec![
        case("write_new", nothing, |v, d| {
            let create = OpenOptions::new().read(true).write(true).create(true);
            let file = v.open_with(format!("{d}/f"), &create)?;
            match put(&file, 0, &noise(50_000, 1)) {
                // The file itself had room.
                Err(Error::NoSpace) => Ok(Done::Part),
                written => written,
            }
        }),
        case("write_append", plain, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 200_000, &noise(100_000, 1))
        }),
        case("write_append_block", plain, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 49 * BLOCK, &noise(4096, 1))
        }),
        case("write_within_last_block", plain, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 200_000, &noise(500, 1))
        }),
        case("write_append_mode", plain, |v, d| {
            let append = OpenOptions::new().read(true).append(true);
            let file = v.open_with(format!("{d}/f"), &append)?;
            put(&file, file.metadata().len(), &noise(9000, 1))
        }),
        case("write_overwrite_block", plain, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 3 * BLOCK, &noise(4096, 1))
        }),
        case("write_overwrite_bytes", plain, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 5 * BLOCK + 77, &noise(10, 1))
        }),
        case("write_overwrite_all", plain, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 0, &noise(200_000, 1))
        }),
        case("write_overwrite_sync", plain, |v, d| {
            let sync = OpenOptions::new().read(true).write(true).sync(true);
            put(
                &v.open_with(format!("{d}/f"), &sync)?,
                8 * BLOCK,
                &noise(20_000, 1),
            )
        }),
        case("write_overwrite_dsync", plain, |v, d| {
            let sync = OpenOptions::new().read(true).write(true).data_sync(true);
            put(
                &v.open_with(format!("{d}/f"), &sync)?,
                8 * BLOCK,
                &noise(20_000, 1),
            )
        }),
    ]
}

fn writing_where_nothing_was() -> Vec<Case> {
    vec![
        case("write_hole", sparse, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 10 * BLOCK, &noise(4096, 1))
        }),
        case("write_hole_bytes", sparse, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 10 * BLOCK + 5, &noise(5, 1))
        }),
        case("write_across_hole", sparse, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 0, &noise(20 * 4096, 1))
        }),
        case("write_far", plain, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 12 << 20, &noise(4096, 1))
        }),
        case("write_reserved", reserved, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 0, &noise(40 * 4096, 1))
        }),
        case("write_inline", inline, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 900, &noise(200, 1))
        }),
        case("write_inline_grows_out", inline, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 1000, &noise(5000, 1))
        }),
        case("write_inline_behind", inline, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 3 * BLOCK, &noise(100, 1))
        }),
        case("write_large", nothing, |v, d| {
            let create = OpenOptions::new().read(true).write(true).create(true);
            let file = v.open_with(format!("{d}/f"), &create)?;
            match put(&file, 0, &noise(5 << 20, 1)) {
                Err(Error::NoSpace) => Ok(Done::Part),
                written => written,
            }
        }),
    ]
}

/// Blocks without bytes.
fn reserved(volume: &Volume, dir: &str) -> Result<()> {
    let file = make(volume, &format!("{dir}/f"), b"")?;
    file.fallocate(Fallocate::Allocate, 0..40 * BLOCK)
}

fn packed(volume: &Volume, dir: &str) -> Result<()> {
    drop(make_compressed(volume, &format!("{dir}/f"), 200_000)?);
    Ok(())
}

fn writing_compressed() -> Vec<Case> {
    vec![
        case(
            "cluster_new",
            |v, d| {
                drop(make_empty_compressed(v, &format!("{d}/f"))?);
                Ok(())
            },
            |v, d| put(&open(v, &format!("{d}/f"))?, 0, &noise(100_000, 1)),
        ),
        case("cluster_append", packed, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 200_000, &noise(100_000, 1))
        }),
        case("cluster_noise", packed, |v, d| {
            put(
                &open(v, &format!("{d}/f"))?,
                2 * CLUSTER,
                &noise(CLUSTER as usize, 1),
            )
        }),
        case("cluster_noise_block", packed, |v, d| {
            put(
                &open(v, &format!("{d}/f"))?,
                3 * CLUSTER + BLOCK,
                &noise(4096, 1),
            )
        }),
        case("cluster_noise_bytes", packed, |v, d| {
            put(
                &open(v, &format!("{d}/f"))?,
                4 * CLUSTER - 50,
                &noise(100, 1),
            )
        }),
        case("cluster_noise_all", packed, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 0, &noise(200_000, 1))
        }),
        case("cluster_noise_sync", packed, |v, d| {
            let file = open(v, &format!("{d}/f"))?;
            let done = put(&file, 0, &noise(100_000, 1))?;
            // What was taken is written.
            assert!(file.sync_all().is_ok(), "an accepted write is lost");
            Ok(done)
        }),
        case("cluster_far", packed, |v, d| {
            put(&open(v, &format!("{d}/f"))?, 12 << 20, &noise(4096, 1))
        }),
    ]
}

fn set_len(volume: &Volume, dir: &str, size: u64) -> Result<Done> {
    let file = open(volume, &format!("{dir}/f"))?;
    let mut expected = content(&file)?;
    file.set_len(size)?;
    expected.resize(size as usize, 0);
    assert!(content(&file)? == expected, "the content after set_len");
    Ok(Done::All)
}

fn resizing() -> Vec<Case> {
    vec![
        case("set_len_up", plain, |v, d| set_len(v, d, 300_000)),
        case("set_len_up_far", plain, |v, d| set_len(v, d, 20 << 20)),
        case("set_len_up_inline", inline, |v, d| set_len(v, d, 1500)),
        case("set_len_up_out_of_inline", inline, |v, d| {
            set_len(v, d, 9000)
        }),
        case("set_len_up_compressed", packed, |v, d| {
            set_len(v, d, 300_000)
        }),
        free("set_len_down", plain, |v, d| set_len(v, d, 25 * BLOCK)),
        case("set_len_down_within_block", plain, |v, d| {
            set_len(v, d, 25 * BLOCK + 9)
        }),
        free("set_len_down_inline", inline, |v, d| set_len(v, d, 10)),
        free("set_len_zero", plain, |v, d| set_len(v, d, 0)),
        free("set_len_down_cluster", packed, |v, d| {
            set_len(v, d, 3 * CLUSTER)
        }),
        case("set_len_down_within_cluster", packed, |v, d| {
            set_len(v, d, 3 * CLUSTER + BLOCK + 9)
        }),
        free("set_len_zero_compressed", packed, |v, d| set_len(v, d, 0)),
        free("open_truncate", plain, |v, d| {
            let truncate = OpenOptions::new().write(true).truncate(true);
            drop(v.open_with(format!("{d}/f"), &truncate)?);
            Ok(Done::All)
        }),
    ]
}

/// A file with bytes in memory only.
fn dirty_fsync(volume: &Volume, dir: &str, fsync: fn(&File) -> Result<()>) -> Result<Done> {
    let file = open(volume, &format!("{dir}/f"))?;
    let written = match put(&file, 2 * BLOCK, &noise(30_000, 9)) {
        Err(Error::NoSpace) => Done::Part,
        written => written?,
    };
    assert!(fsync(&file).is_ok(), "an fsync is refused");
    Ok(written)
}

fn reading() -> Vec<Case> {
    vec![
        case("fsync", plain, |v, d| dirty_fsync(v, d, File::sync_all)),
        case("fdatasync", plain, |v, d| {
            dirty_fsync(v, d, File::sync_data)
        }),
        free("sync", plain, |v, _| v.sync().map(|()| Done::All)),
        free("node_sync", plain, |v, d| {
            v.root()?
                .lookup(d.trim_start_matches('/').as_bytes())?
                .sync()?;
            Ok(Done::All)
        }),
        free("read", packed, |v, d| {
            let mut bytes = Vec::new();
            v.drop_caches();
            v.open_file(format!("{d}/f"))?
                .read_to_end(&mut bytes)
                .unwrap();
            assert!(bytes == crate::common::pattern(200_000, 5));
            Ok(Done::All)
        }),
        free("read_dir", plain, |v, d| {
            let names: Result<Vec<_>> = v.read_dir(d)?.collect();
            assert_eq!(names?.len(), 1);
            Ok(Done::All)
        }),
        free("places", sparse, |v, d| {
            let file = v.open_file(format!("{d}/f"))?;
            assert_eq!(file.seek_hole(0)?, BLOCK);
            assert_eq!(file.seek_data(BLOCK)?, Some(1 << 20));
            assert_eq!(file.extents()?.len(), 2);
            assert!(file.block_address(0)?.is_some());
            Ok(Done::All)
        }),
    ]
}
