//! Operations on the space of a file: fallocate, compression, cleaning.

use super::{
    Case, Done, case, fill_names, free, make, make_compressed, make_empty_compressed, nothing, open,
};
use crate::common::{noise, pattern};
use f2fs::{Error, Fallocate, GcOptions, Result, SetAttr, Volume};
use std::ops::Range;

const BLOCK: u64 = 4096;
/// Bytes of a cluster of the cases.
const CLUSTER: u64 = 4 * BLOCK;
/// Bytes of a file of whole clusters.
const LEN: u64 = 12 * CLUSTER;

pub(crate) fn cases() -> Vec<Case> {
    let mut all = fallocating();
    all.extend(shifting());
    all.extend(compressing());
    all.extend(everything());
    all.extend(cleaning());
    all
}

fn plain(volume: &Volume, dir: &str) -> Result<()> {
    drop(make(volume, &format!("{dir}/f"), &noise(LEN as usize, 3))?);
    Ok(())
}

fn inline(volume: &Volume, dir: &str) -> Result<()> {
    drop(make(volume, &format!("{dir}/f"), &noise(1000, 3))?);
    Ok(())
}

fn packed(volume: &Volume, dir: &str) -> Result<()> {
    drop(make_compressed(volume, &format!("{dir}/f"), LEN as usize)?);
    Ok(())
}

/// Does it, and compares the content with what it must be.
fn fallocate(volume: &Volume, dir: &str, what: Fallocate, range: Range<u64>) -> Result<Done> {
    let file = open(volume, &format!("{dir}/f"))?;
    let read = || {
        let mut bytes = vec![0; file.metadata().len() as usize];
        file.read_at(0, &mut bytes).map(|_| bytes)
    };
    let mut expected = read()?;
    let size = expected.len();
    file.fallocate(what, range.clone())?;
    let (start, end) = (range.start as usize, range.end as usize);
    match what {
        Fallocate::Allocate => expected.resize(size.max(end), 0),
        Fallocate::AllocateKeepSize => {}
        Fallocate::PunchHole | Fallocate::ZeroRangeKeepSize => {
            expected[start.min(size)..end.min(size)].fill(0);
        }
        Fallocate::ZeroRange => {
            expected.resize(size.max(end), 0);
            expected[start..end].fill(0);
        }
        Fallocate::CollapseRange => drop(expected.drain(start..end)),
        Fallocate::InsertRange => {
            let tail = expected.split_off(start);
            expected.resize(end, 0);
            expected.extend(tail);
        }
    }
    assert!(
        read()? == expected,
        "the content after {what:?} of {range:?}"
    );
    Ok(Done::All)
}

fn fallocating() -> Vec<Case> {
    use Fallocate::{Allocate, AllocateKeepSize, PunchHole, ZeroRange, ZeroRangeKeepSize};
    vec![
        case("allocate", plain, |v, d| {
            fallocate(v, d, Allocate, LEN..LEN + 60 * BLOCK)
        }),
        case("allocate_one", plain, |v, d| {
            fallocate(v, d, Allocate, LEN..LEN + 1)
        }),
        case("allocate_large", plain, |v, d| {
            fallocate(v, d, Allocate, 0..6 << 20)
        }),
        case("allocate_far", plain, |v, d| {
            fallocate(v, d, Allocate, 12 << 20..(12 << 20) + 1)
        }),
        case("allocate_keep", plain, |v, d| {
            fallocate(v, d, AllocateKeepSize, LEN..LEN + 60 * BLOCK)
        }),
        case("allocate_inline", inline, |v, d| {
            fallocate(v, d, Allocate, 0..30 * BLOCK)
        }),
        case("allocate_there", plain, |v, d| {
            fallocate(v, d, Allocate, BLOCK..9 * BLOCK)
        }),
        case("allocate_cluster", packed, |v, d| {
            fallocate(v, d, Allocate, LEN..LEN + 60 * BLOCK)
        }),
        case("allocate_cluster_keep", packed, |v, d| {
            fallocate(v, d, AllocateKeepSize, LEN..LEN + 1)
        }),
        case("punch", plain, |v, d| {
            fallocate(v, d, PunchHole, BLOCK..5 * BLOCK)
        }),
        case("punch_bytes", plain, |v, d| {
            fallocate(v, d, PunchHole, BLOCK + 9..5 * BLOCK + 7)
        }),
        case("punch_within_block", plain, |v, d| {
            fallocate(v, d, PunchHole, 100..200)
        }),
        case("punch_inline", inline, |v, d| {
            fallocate(v, d, PunchHole, 100..200)
        }),
        case("punch_cluster", packed, |v, d| {
            fallocate(v, d, PunchHole, CLUSTER..3 * CLUSTER)
        }),
        case("punch_within_cluster", packed, |v, d| {
            fallocate(v, d, PunchHole, CLUSTER + BLOCK..3 * CLUSTER - 9)
        }),
        case("zero", plain, |v, d| {
            fallocate(v, d, ZeroRange, BLOCK..5 * BLOCK)
        }),
        case("zero_bytes", plain, |v, d| {
            fallocate(v, d, ZeroRange, BLOCK + 9..5 * BLOCK + 7)
        }),
        case("zero_behind", plain, |v, d| {
            fallocate(v, d, ZeroRange, LEN - 9..LEN + 70 * BLOCK)
        }),
        case("zero_keep", plain, |v, d| {
            fallocate(v, d, ZeroRangeKeepSize, BLOCK..9 * BLOCK)
        }),
        case("zero_keep_behind", plain, |v, d| {
            fallocate(v, d, ZeroRangeKeepSize, LEN - 9..LEN + 70 * BLOCK)
        }),
        case("zero_inline", inline, |v, d| {
            fallocate(v, d, ZeroRange, 100..3 * BLOCK)
        }),
        case("zero_hole", sparse, |v, d| {
            fallocate(v, d, ZeroRange, 10 * BLOCK..99 * BLOCK)
        }),
        case("zero_cluster", packed, |v, d| {
            fallocate(v, d, ZeroRange, CLUSTER..3 * CLUSTER)
        }),
        case("zero_within_cluster", packed, |v, d| {
            fallocate(v, d, ZeroRange, CLUSTER + BLOCK..3 * CLUSTER - 9)
        }),
    ]
}

/// A block, a hole of a megabyte, a block.
fn sparse(volume: &Volume, dir: &str) -> Result<()> {
    let file = make(volume, &format!("{dir}/f"), &noise(4096, 3))?;
    file.write_all_at(1 << 20, &noise(4096, 4))
}

fn shifting() -> Vec<Case> {
    use Fallocate::{CollapseRange, InsertRange};
    vec![
        case("collapse", plain, |v, d| {
            fallocate(v, d, CollapseRange, BLOCK..5 * BLOCK)
        }),
        case("collapse_start", plain, |v, d| {
            fallocate(v, d, CollapseRange, 0..BLOCK)
        }),
        case("collapse_cluster", packed, |v, d| {
            fallocate(v, d, CollapseRange, CLUSTER..3 * CLUSTER)
        }),
        case("insert", plain, |v, d| {
            fallocate(v, d, InsertRange, BLOCK..5 * BLOCK)
        }),
        case("insert_much", plain, |v, d| {
            fallocate(v, d, InsertRange, BLOCK..3000 * BLOCK)
        }),
        case("insert_cluster", packed, |v, d| {
            fallocate(v, d, InsertRange, CLUSTER..3 * CLUSTER)
        }),
    ]
}

/// Raw clusters in a compressed file: what was decompressed.
fn raw(volume: &Volume, dir: &str) -> Result<()> {
    packed(volume, dir)?;
    volume.decompress_file(format!("{dir}/f"))
}

fn released(volume: &Volume, dir: &str) -> Result<()> {
    packed(volume, dir)?;
    assert!(volume.release_blocks(format!("{dir}/f"))? > 0);
    Ok(())
}

fn compressing() -> Vec<Case> {
    vec![
        case("compress", raw, |v, d| {
            v.compress_file(format!("{d}/f"))?;
            let counts = v.open_file(format!("{d}/f"))?.clusters()?.unwrap();
            assert_eq!(counts.compressed, LEN / CLUSTER, "{counts:?}");
            Ok(Done::All)
        }),
        case("decompress", packed, |v, d| {
            v.decompress_file(format!("{d}/f"))?;
            let counts = v.open_file(format!("{d}/f"))?.clusters()?.unwrap();
            assert_eq!(counts.raw, LEN / CLUSTER, "{counts:?}");
            Ok(Done::All)
        }),
        free("release", packed, |v, d| {
            assert!(v.release_blocks(format!("{d}/f"))? > 0);
            Ok(Done::All)
        }),
        case("reserve", released, |v, d| {
            let saved = v.saved_blocks(format!("{d}/f"))?;
            assert!(v.reserve_blocks(format!("{d}/f"))? >= saved);
            Ok(Done::All)
        }),
        free("unlink_released", released, |v, d| {
            v.remove_file(format!("{d}/f")).map(|()| Done::All)
        }),
        free("read_released", released, |v, d| {
            let mut bytes = vec![0; LEN as usize];
            v.drop_caches();
            v.open_file(format!("{d}/f"))?.read_at(0, &mut bytes)?;
            assert!(bytes == pattern(LEN as usize, 5));
            Ok(Done::All)
        }),
        case(
            "compress_option",
            |v, d| {
                drop(make_empty_compressed(v, &format!("{d}/f"))?);
                Ok(())
            },
            |v, d| {
                let zstd = f2fs::CompressAlgorithm::Zstd;
                open(v, &format!("{d}/f"))?.set_compress_option(zstd, 3)?;
                Ok(Done::All)
            },
        ),
    ]
}

/// Overwrites a part of each file that fills the volume; every write that was taken is there afterwards.
fn overwrite_all(volume: &Volume, part: fn(u64) -> Range<u64>) -> Result<Done> {
    let (mut expected, mut done) = (Vec::new(), Done::All);
    for name in fill_names(volume) {
        let path = format!("/fill/{name}");
        let file = open(volume, &path)?;
        let mut bytes = vec![0; file.metadata().len() as usize];
        assert_eq!(file.read_at(0, &mut bytes)?, bytes.len());
        let part = part(bytes.len() as u64);
        let new = noise((part.end - part.start) as usize, part.end);
        match file.write_at(part.start, &new) {
            Ok(written) => {
                let start = part.start as usize;
                bytes[start..start + written].copy_from_slice(&new[..written]);
            }
            Err(Error::NoSpace) => done = Done::Part,
            Err(error) => return Err(error),
        }
        expected.push((path, bytes));
    }
    volume.sync().unwrap();
    volume.drop_caches();
    for (path, bytes) in expected {
        let mut found = vec![0; bytes.len()];
        volume.open_file(&path)?.read_at(0, &mut found)?;
        assert!(found == bytes, "the content of {path}");
    }
    Ok(done)
}

fn everything() -> Vec<Case> {
    vec![
        case("overwrite_everything", nothing, |v, _| {
            overwrite_all(v, |len| 0..len)
        }),
        case("overwrite_a_little_everywhere", nothing, |v, _| {
            overwrite_all(v, |len| len / 2..(len / 2 + 5000).min(len))
        }),
        case("chmod_everything", nothing, |v, _| {
            for name in fill_names(v) {
                let permissions = Some(0o600);
                let set = SetAttr {
                    permissions,
                    ..SetAttr::default()
                };
                v.set_attr(format!("/fill/{name}"), &set)?;
            }
            v.sync()?;
            Ok(Done::All)
        }),
        case("rename_everything", nothing, |v, d| {
            for name in fill_names(v) {
                let (old, new) = (format!("/fill/{name}"), format!("/fill/{name}-again"));
                match v.rename(&old, &new) {
                    Ok(()) => v.rename(&new, &old)?,
                    Err(Error::NoSpace) => assert!(v.metadata(&old).is_ok(), "{d}"),
                    Err(error) => return Err(error),
                }
            }
            Ok(Done::All)
        }),
    ]
}

fn cleaning() -> Vec<Case> {
    vec![
        case("gc", nothing, |v, _| {
            let all = GcOptions {
                utilisation_max: 100,
                ..GcOptions::default()
            };
            let report = v.gc(all)?;
            assert_eq!(report.refused, 0);
            Ok(Done::All)
        }),
        case("gc_idle", nothing, |v, _| {
            for _ in 0..5 {
                v.gc_idle()?;
            }
            Ok(Done::All)
        }),
        free("drop_caches", nothing, |v, _| {
            v.drop_caches();
            Ok(Done::All)
        }),
    ]
}
