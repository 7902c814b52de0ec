//! Class 22: forged and damaged chains of fsynced nodes. Recovery ends, says what it refused, and the last checkpoint
//! is still there to read; or the chain is none, and nothing changes.

use crate::base::{base, expected, ino, open, walk};
use crate::image::{Image, put32};
use crate::volume::{only_readable, survives};
use f2fs::Error;
use f2fs_format::node::NodeFooter;
use f2fs_format::node::dnode::set_slot;
use f2fs_format::{Block, CursegType, Nid};
use std::sync::Arc;

/// Where the slots of an inode of this volume start: behind 36 bytes of extra attributes.
const SLOTS: usize = 360 + 36;
const PINO: usize = 84;
const NAME_LEN: usize = 88;
const NAME: usize = 92;

/// One node of a chain: what it is a copy of, and what is changed in it.
struct Link<'a> {
    nid: u32,
    fsync: bool,
    edit: Box<dyn Fn(&mut Block) + 'a>,
}

fn link<'a>(nid: u32, edit: impl Fn(&mut Block) + 'a) -> Link<'a> {
    Link {
        nid,
        fsync: true,
        edit: Box::new(edit),
    }
}

/// The first block behind the last checkpoint.
fn start(image: &Image) -> u32 {
    let (checkpoint, _) = image.cp();
    let log = checkpoint.curseg(CursegType::WarmNode);
    image.sb().geometry().segment_start(log.segno).get() + u32::from(log.blkoff)
}

/// Puts nodes behind the last checkpoint, as an fsync leaves them.
fn chain(image: &Image, links: &[Link<'_>]) {
    let (checkpoint, _) = image.cp();
    for (at, link) in (start(image)..).zip(links) {
        let mut block = image.node(link.nid);
        let mut footer = NodeFooter::read(&block);
        footer.cp_ver = checkpoint.node_version();
        footer.fsync = link.fsync;
        footer.next_blkaddr = at + 1;
        footer.write(&mut block);
        (link.edit)(&mut block);
        image.put(at, &block);
        if NodeFooter::read(&block).is_inode() {
            image.edit(at, |b| crate::image::seal_inode(b, &image.sb().uuid));
        }
    }
}

fn footer(edit: impl Fn(&mut NodeFooter)) -> impl Fn(&mut Block) {
    move |block| {
        let mut footer = NodeFooter::read(block);
        edit(&mut footer);
        footer.write(block);
    }
}

/// Reading shows the last checkpoint, writing is refused for this reason.
fn refused(name: &str, links: &[Link<'_>], reason: &str) {
    let image = base();
    chain(&image, links);
    match open(&image, false) {
        Ok(_) => panic!("{name}: the volume opens"),
        Err(Error::ReadOnly(text)) => assert!(text.contains(reason), "{name}: {text}"),
        Err(error) => panic!("{name}: {error:?}"),
    }
    only_readable(
        name,
        |i| chain(i, links),
        |e| matches!(e, Error::ReadOnly(_)),
    );
    let reader = open(&image, true).unwrap();
    let told = reader.unrecovered().unwrap().to_string();
    assert!(told.contains(reason), "{name}: {told}");
}

#[test]
fn a_chain_that_changes_nothing_is_recovered() {
    survives("the inode as it is", |i| {
        chain(i, &[link(ino("/plain"), |_| ())]);
    });
}

#[test]
fn chains_that_loop() {
    let image = base();
    let first = start(&image);
    let back = move |to: u32| footer(move |f| f.next_blkaddr = to);
    refused("at itself", &[link(ino("/plain"), back(first))], "returns");
    let three = [
        link(ino("/plain"), |_| ()),
        link(ino("/other"), |_| ()),
        link(ino("/plain"), back(first + 1)),
    ];
    refused("behind its start", &three, "returns");
    let mut unmarked = [link(ino("/plain"), back(first))];
    unmarked[0].fsync = false;
    refused("without a mark", &unmarked, "returns");
}

/// The way out: a volume whose chain cannot even be followed.
#[test]
fn a_chain_that_loops_can_be_given_up() {
    let image = base();
    let first = start(&image);
    chain(
        &image,
        &[link(ino("/plain"), footer(move |f| f.next_blkaddr = first))],
    );
    let options = f2fs::VolumeOptions {
        roll_forward: f2fs::RollForward::Discard,
        ..crate::base::options()
    };
    drop(f2fs::Volume::open_device(Arc::clone(&image) as _, &options).unwrap());
    let seen = walk(&open(&image, false).unwrap());
    assert!(seen.errors.is_empty() && seen.contents == *expected());
}

#[test]
fn chains_that_are_none() {
    let outside = |to: u32| footer(move |f| f.next_blkaddr = to);
    for to in [0, 1, 511, u32::MAX, u32::MAX - 1] {
        survives("leads outside", |i| {
            chain(i, &[link(ino("/plain"), outside(to))]);
        });
    }
    for (name, change) in [("stale", 1u64), ("forged", 1 << 40)] {
        let version = footer(move |f| f.cp_ver = f.cp_ver.wrapping_sub(change));
        survives(name, |i| chain(i, &[link(ino("/plain"), &version)]));
    }
    // A direct node of a new file whose inode never became durable.
    let nobody = footer(|f| (f.ino, f.nid) = (Nid::new(20_000), Nid::new(20_001)));
    survives("no inode", |i| chain(i, &[link(ino("/plain"), &nobody)]));
    let unnamed = footer(|f| (f.ino, f.nid) = (Nid::new(20_000), Nid::new(20_000)));
    survives("no name", |i| chain(i, &[link(ino("/plain"), &unnamed)]));
}

#[test]
fn blocks_that_belong_to_somebody_else() {
    let image = base();
    let other = image.inode(ino("/other")).slot(0);
    let node = image.node_addr(ino("/other"));
    let dentries = image.inode(ino("/many")).slot(0);
    let chained = start(&image);
    let cases = [
        ("another file's", other),
        ("a node", node),
        ("a directory's", dentries),
        ("a block of the chain", chained),
    ];
    for (name, addr) in cases.into_iter().filter(|(_, addr)| *addr != 0) {
        let steal = move |b: &mut Block| put32(b, SLOTS, addr);
        refused(name, &[link(ino("/plain"), steal)], "in use");
    }
    for addr in [1, 511, u32::MAX - 5] {
        let outside = move |b: &mut Block| put32(b, SLOTS, addr);
        refused("outside of MAIN", &[link(ino("/plain"), outside)], "MAIN");
    }
}

#[test]
fn a_block_may_move_within_its_file() {
    let image = base();
    let plain = ino("/plain");
    let (first, second) = (image.inode(plain).slot(0), image.inode(plain).slot(1));
    chain(
        &image,
        &[link(plain, |b| {
            put32(b, SLOTS, second);
            put32(b, SLOTS + 4, first);
        })],
    );
    let seen = walk(&open(&image, false).unwrap());
    let mut wanted = expected().clone();
    wanted.get_mut(std::path::Path::new("/plain")).unwrap()[..8192].rotate_left(4096);
    assert!(
        seen.errors.is_empty() && seen.contents == wanted,
        "{:?}",
        seen.errors
    );
    testkit::fsck::assert_clean(image.dump().path());
}

#[test]
fn inodes_that_break_the_rules() {
    refused(
        "a directory",
        &[link(ino("/dir"), |_| ())],
        "no regular file",
    );
    refused(
        "a symbolic link",
        &[link(ino("/symlink"), |_| ())],
        "no regular file",
    );
    let device = link(ino("/device"), |_| ());
    refused("a device", &[device], "no regular file");
    let long = |b: &mut Block| put32(b, NAME_LEN, 256);
    refused("a long name", &[link(ino("/plain"), long)], "name");
    let indirect = footer(|f| (f.nid, f.offset) = (Nid::new(20_001), 3));
    refused(
        "an indirect node",
        &[link(ino("/plain"), indirect)],
        "indirect",
    );
    let nid = footer(|f| (f.ino, f.nid) = (Nid::new(u32::MAX), Nid::new(u32::MAX)));
    refused(
        "a nid that does not exist",
        &[link(ino("/plain"), nid)],
        "nid",
    );
    let far = footer(|f| (f.nid, f.offset) = (Nid::new(20_001), 0x1FFF_FFFE));
    refused(
        "an offset that does not exist",
        &[link(ino("/plain"), far)],
        "node",
    );
}

#[test]
fn a_checksum_that_does_not_match() {
    let damage = |image: &Image| {
        chain(image, &[link(ino("/plain"), |_| ())]);
        image.edit(start(image), |b| b[4000] ^= 1);
    };
    only_readable(
        "checksum",
        damage,
        |e| matches!(e, Error::ReadOnly(text) if text.contains("checksum")),
    );
}

/// A copy of an inode under another number, to be made anew.
fn new_file(edit: impl Fn(&mut Block)) -> impl Fn(&mut Block) {
    move |block| {
        let mut footer = NodeFooter::read(block);
        (footer.ino, footer.nid) = (Nid::new(20_000), Nid::new(20_000));
        footer.dentry = true;
        footer.write(block);
        (0..64).for_each(|n| put32(block, SLOTS + 4 * n, 0));
        edit(block);
    }
}

fn name(block: &mut Block, name: &[u8]) {
    put32(block, NAME_LEN, name.len() as u32);
    block[NAME..NAME + name.len()].copy_from_slice(name);
}

#[test]
fn names_of_new_files() {
    let image = base();
    chain(
        &image,
        &[link(ino("/other"), new_file(|b| name(b, b"new")))],
    );
    let volume = open(&image, false).unwrap();
    assert_eq!(volume.metadata("/new").unwrap().links(), 1);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.dump().path());

    let other = ino("/other");
    for bad in [&b"."[..], b"..", b"a/b", b"nul\0", b""] {
        refused(
            "a name that cannot be",
            &[link(other, new_file(|b| name(b, bad)))],
            "name",
        );
    }
    let dir = new_file(|b| name(b, b"dir"));
    refused("a directory's name", &[link(other, dir)], "directory");
    let pino = |ino: u32| new_file(move |b| put32(b, PINO, ino));
    let plain = ino("/plain");
    refused(
        "a parent that is a file",
        &[link(other, pino(plain))],
        "not a directory",
    );
    refused("a parent that is free", &[link(other, pino(30_000))], "nid");
    refused(
        "a parent that cannot be",
        &[link(other, pino(u32::MAX))],
        "nid",
    );
}

/// The kernel may write a direct node before the inode that it belongs to.
#[test]
fn an_inode_may_come_after_its_nodes() {
    let image = base();
    let sparse = ino("/sparse");
    let dnode = image.inode(sparse).nid(0).unwrap().get();
    let orphaned = footer(|f| {
        (f.ino, f.nid) = (Nid::new(20_000), Nid::new(20_001));
    });
    let nodes = [
        link(dnode, |b| {
            orphaned(b);
            (0..1018).for_each(|slot| set_slot(b, slot, 0));
            set_slot(b, 5, u32::MAX);
        }),
        link(ino("/other"), new_file(|b| name(b, b"late"))),
    ];
    chain(&image, &nodes);
    let volume = open(&image, false).unwrap();
    // Its direct node, and the block that is reserved in it.
    assert_eq!(volume.metadata("/late").unwrap().blocks(), 2);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.dump().path());
}

/// Chains of random nodes: whatever comes of it, nothing panics, a reader always sees something, and a writer writes
/// nothing unless it recovers.
#[test]
fn random_chains() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = move |n: u32| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as u32 % n
    };
    let inos: Vec<u32> = [
        "/plain", "/inline", "/packed", "/other", "/sparse", "/attrs", "/dir/a",
    ]
    .map(ino)
    .to_vec();
    let mut recovered = 0;
    for round in 0..400 {
        let image = base();
        let mut links = Vec::new();
        for _ in 0..=next(3) {
            let nid = inos[next(inos.len() as u32) as usize];
            let changes: Vec<(usize, u8)> = (0..next(4))
                .map(|_| (next(4072) as usize, next(256) as u8))
                .collect();
            let slot = (next(8) == 0).then(|| (next(900), next(40_000)));
            links.push(link(nid, move |b| {
                for &(at, byte) in &changes {
                    b[at] = byte;
                }
                if let Some((slot, addr)) = slot {
                    set_slot(b, slot as usize, addr);
                }
            }));
        }
        chain(&image, &links);
        drop(walk(
            &open(&image, true).unwrap_or_else(|e| panic!("round {round}: {e}")),
        ));
        let writes = image.writes();
        match open(&image, false) {
            Ok(volume) => {
                recovered += 1;
                let _ = volume.close();
            }
            Err(error) => {
                assert!(
                    matches!(error, Error::ReadOnly(_)),
                    "round {round}: {error:?}"
                );
                assert_eq!(
                    image.writes(),
                    writes,
                    "round {round}: a refused volume was written to"
                );
            }
        }
        let again = Arc::new((*image).clone());
        drop(open(&again, true).unwrap_or_else(|e| panic!("round {round}, again: {e}")));
    }
    assert!(recovered > 50, "{recovered}");
}
