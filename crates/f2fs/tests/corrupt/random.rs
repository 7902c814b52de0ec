//! Random mutations behind the checksums: no panic, no hang, no unbounded memory, whatever they hit.

use crate::base::{base, create, expected, ino, open, walk, workload};
use crate::files::within;
use crate::image::{Image, footer, get32, ino as field, put32, seal_inode};
use f2fs::{Defragment, OpenOptions, SetXattr, Volume};
use runtime::rng::Rng;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

const MUTANTS: u64 = 2000;
/// A mutant that takes longer hangs; the slowest machine needs a tenth of it.
const LIMIT: Duration = Duration::from_secs(20);
/// Resident memory of the whole test at its worst, in KiB.
const MEMORY_KIB: u64 = 1 << 20;

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Counts panics of every thread, the engine's workers too.
fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(info);
        }));
    });
}

const PATHS: [&str; 14] = [
    "/", "/plain", "/inline", "/packed", "/noise", "/other", "/dir", "/dir/a", "/dir/sub", "/many",
    "/sparse", "/attrs", "/symlink", "/device",
];

/// A value that tends to break things.
fn value(rng: &mut Rng) -> u32 {
    let image = base();
    let path = PATHS[rng.below(PATHS.len() as u64) as usize];
    match rng.below(12) {
        0 => 0,
        1 => u32::MAX,
        2 => 0xFFFF_FFFE,
        3 => 1 << rng.below(32),
        4 => ino(path),
        5 => image.node_addr(ino(path)),
        6 => image.inode(ino("/plain")).slot(rng.below(60) as usize),
        7 => rng.below(400) as u32,
        8 => image.sb().main_blkaddr.get() + rng.below(8192) as u32,
        9 => rng.below(5000) as u32,
        _ => rng.next_u32(),
    }
}

/// Overwrites, or changes by a little, one word or byte at `at`.
fn change(rng: &mut Rng, bytes: &mut [u8], at: usize) {
    let value = value(rng);
    match rng.below(5) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = value as u8,
        2 if at + 4 <= bytes.len() => {
            let old = get32(bytes, at);
            put32(bytes, at, old.wrapping_add(value % 5).wrapping_sub(2));
        }
        _ if at + 4 <= bytes.len() => put32(bytes, at, value),
        _ => bytes[at] = value as u8,
    }
}

/// A place in an inode or node that means something.
fn place_in_inode(rng: &mut Rng) -> usize {
    let below = |rng: &mut Rng, n: usize| rng.below(n as u64) as usize;
    match rng.below(8) {
        0 => below(rng, 92),
        1 => field::EXTENT + below(rng, 12),
        2 => field::EXTRA_SIZE + below(rng, 36),
        3 | 4 => field::SLOT0 + 4 * below(rng, 80),
        5 => field::NIDS + 4 * below(rng, 5),
        6 => footer::NID + below(rng, 24),
        _ => below(rng, 4096),
    }
}

fn mutate_inode(rng: &mut Rng, image: &Image) {
    let nid = ino(PATHS[rng.below(PATHS.len() as u64) as usize]);
    let mut block = image.node(nid);
    for _ in 0..=rng.below(3) {
        let at = place_in_inode(rng);
        change(rng, &mut block[..], at);
    }
    if rng.below(5) > 0 {
        seal_inode(&mut block, &image.sb().uuid);
    }
    image.put(image.node_addr(nid), &block);
}

/// Any block of the main area that is in use: nodes, entries, compressed bytes.
fn mutate_block(rng: &mut Rng, image: &Image) {
    let intact = base();
    let nids: Vec<u32> = (0..5)
        .map(|n| get32(&intact.node(ino("/sparse"))[..], field::NIDS + 4 * n))
        .chain([get32(&intact.node(ino("/attrs"))[..], field::XATTR_NID)])
        .filter(|&nid| nid != 0)
        .collect();
    let many = intact.inode(ino("/many"));
    let packed = intact.inode(ino("/packed"));
    let addr = match rng.below(4) {
        0 | 1 => intact.node_addr(nids[rng.below(nids.len() as u64) as usize]),
        2 => many.slot(rng.below(8) as usize),
        _ => packed.slot(1 + rng.below(20) as usize),
    };
    if addr == 0 || addr >= 0xFFFF_FFFE {
        return mutate_inode(rng, image);
    }
    let mut block = image.block(addr);
    for _ in 0..=rng.below(8) {
        let at = match rng.below(4) {
            0 => footer::NID + rng.below(24) as usize,
            1 => rng.below(256) as usize,
            _ => rng.below(4096) as usize,
        };
        change(rng, &mut block[..], at);
    }
    image.put(addr, &block);
}

fn mutate_tables(rng: &mut Rng, image: &Image) {
    let nid = ino(PATHS[rng.below(PATHS.len() as u64) as usize]);
    match rng.below(4) {
        0 => {
            let (which, at) = (rng.below(2) as usize, rng.below(507) as usize);
            let (block, start) = image.journal(which);
            let mut bytes = image.block(block);
            change(rng, &mut bytes[..], start + at);
            image.put(block, &bytes);
        }
        1 => {
            let mut entry = image.nat(nid);
            entry.addr = value(rng);
            image.set_nat(nid, entry);
        }
        2 => {
            let segno = rng.below(20) as u32;
            let (block, start) = image.sit_place(segno);
            let mut bytes = image.block(block);
            let at = rng.below(74) as usize;
            change(rng, &mut bytes[..], start + at);
            if rng.below(2) == 0 {
                recount(&mut bytes[start..start + 74]);
            }
            image.put(block, &bytes);
        }
        _ => {
            let index = rng.below(4) as u32;
            image.edit_summary(index, |b| {
                let at = rng.below(4096) as usize;
                change(rng, &mut b[..], at);
            });
        }
    }
}

/// Makes a SIT entry agree with itself.
fn recount(entry: &mut [u8]) {
    let count: u32 = entry[2..66].iter().map(|b| b.count_ones()).sum();
    let kind = entry[1] >> 2;
    let value = u16::from(kind) << 10 | count as u16;
    entry[..2].copy_from_slice(&value.to_le_bytes());
}

fn mutate_checkpoint(rng: &mut Rng, image: &Image) {
    let at = rng.below(330) as usize;
    let mut header = image.block(image.sb().geometry().cp_pack(image.cp().1).get());
    change(rng, &mut header[..], at);
    let bytes: [u8; 4] = header[at..at + 4].try_into().unwrap();
    let edit = |b: &mut f2fs_format::Block| {
        let blocks = get32(b, 136);
        b[at..at + 4].copy_from_slice(&bytes);
        if keeps_length(at) {
            put32(b, 136, blocks);
        }
    };
    image.edit_cp(edit);
}

/// The number of blocks of a pack decides where its footer is: left alone.
fn keeps_length(at: usize) -> bool {
    (133..140).contains(&at)
}

fn mutate_super(rng: &mut Rng, image: &Image) {
    let at = 1024 + rng.below(110) as usize;
    let mut block = image.block(0);
    change(rng, &mut block[..], at);
    for copy in [0, 1] {
        image.put(copy, &block);
        image.edit_sb_copy(copy, |_| {});
    }
}

fn mutant(seed: u64) -> Arc<Image> {
    let mut rng = Rng::seeded(seed);
    let image = base();
    match rng.below(20) {
        0..=8 => mutate_inode(&mut rng, &image),
        9..=13 => mutate_block(&mut rng, &image),
        14..=16 => mutate_tables(&mut rng, &image),
        17 => mutate_checkpoint(&mut rng, &image),
        18 => mutate_super(&mut rng, &image),
        _ => {
            mutate_inode(&mut rng, &image);
            mutate_block(&mut rng, &image);
        }
    }
    image
}

/// Where all files lie, and what the segments hold.
fn look_at_places(volume: &Volume) {
    for path in PATHS {
        if let Ok(file) = volume.open_file(path) {
            let _ = file.layout().take_while(Result::is_ok).count();
        }
        let _ = volume.defragment(path, Defragment::Plan);
    }
    if let Ok(map) = volume.map(16) {
        assert!(map.totals.free_blocks() <= map.totals.blocks());
    }
}

/// Reads everything, then changes a few things. Any answer will do.
fn exercise(image: &Arc<Image>, seed: u64) {
    if let Ok(volume) = open(image, true) {
        drop(walk(&volume));
        look_at_places(&volume);
        assert_eq!(image.writes(), 0, "reading wrote");
    }
    let mut rng = Rng::seeded(!seed);
    let Ok(volume) = open(image, false) else {
        assert_eq!(image.writes(), 0, "a refused volume was written to");
        return;
    };
    let _ = create(&volume, "/dir/created", &[7; 5000]);
    for _ in 0..4 {
        let path = PATHS[1 + rng.below(PATHS.len() as u64 - 1) as usize];
        if let Ok(file) = volume.open_with(path, &OpenOptions::new().read(true).write(true)) {
            let _ = file.write_at(rng.below(1 << 20), &vec![1; 20_000]);
            let _ = file.set_len(rng.below(100_000));
            let _ = file.defragment(0..u64::MAX);
        }
        let _ = volume.set_xattr(path, "user.x", &[1; 500], SetXattr::Any);
        match rng.below(4) {
            0 => drop(volume.remove_file(path)),
            1 => drop(volume.remove_all(path)),
            2 => drop(volume.rename(path, "/dir/moved")),
            _ => drop(volume.rename(path, format!("{path}-2"))),
        }
    }
    let _ = volume.sync();
    let _ = workload(&volume);
    let _ = volume.close();
    if let Ok(volume) = open(image, true)
        && seed.is_multiple_of(4)
    {
        drop(walk(&volume));
    }
}

fn run(seeds: std::ops::Range<u64>) {
    count_panics();
    expected();
    let mut slowest = (Duration::ZERO, 0);
    for seed in seeds {
        let before = PANICS.load(Ordering::Relaxed);
        let started = Instant::now();
        within(&format!("mutant {seed}"), LIMIT, move || {
            exercise(&mutant(seed), seed);
        });
        slowest = slowest.max((started.elapsed(), seed));
        let panics = PANICS.load(Ordering::Relaxed) - before;
        assert_eq!(panics, 0, "mutant {seed}: a thread panicked");
    }
    println!("slowest: mutant {} in {:?}", slowest.1, slowest.0);
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < MEMORY_KIB, "{peak} KiB of memory");
}

#[test]
fn two_thousand_mutants_first_half() {
    let (from, to) = seeds();
    run(from..from + (to - from) / 2);
}

#[test]
fn two_thousand_mutants_second_half() {
    let (from, to) = seeds();
    run(from + (to - from) / 2..to);
}

/// `F2FS_MUTANTS=FROM..TO` runs others than CI does.
fn seeds() -> (u64, u64) {
    let asked = std::env::var("F2FS_MUTANTS").ok();
    let range = asked.as_deref().and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some((from.parse().ok()?, to.parse().ok()?))
    });
    range.unwrap_or((0, MUTANTS))
}
