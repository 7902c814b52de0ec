//! Damage that concerns one file: that file is refused, all others are as they were.

use crate::base::{base, expected, ino, open, read, walk, workload};
use crate::image::{Image, footer, get32, ino as field, put16, put32, put64};
use crate::volume::{Judge, corrupt, inconsistent};
use f2fs::{Error, FileType, OpenOptions, Result, SetXattr, Volume};
use f2fs_format::dentry::{DentryView, Layout};
use f2fs_format::{BlockAddr, NatEntry};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Longer than any of this takes on the slowest machine.
const HANG: Duration = Duration::from_mins(1);

/// Runs `job` to its end, which must come.
pub(crate) fn within(name: &str, limit: Duration, job: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel();
    let thread = std::thread::spawn(move || {
        job();
        let _ = done.send(());
    });
    match wait.recv_timeout(limit) {
        Ok(()) => {}
        Err(RecvTimeoutError::Timeout) => panic!("{name} hangs"),
        Err(RecvTimeoutError::Disconnected) => {
            if let Err(panic) = thread.join() {
                eprintln!("in {name}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Everything that reading can ask of one path.
fn touch(volume: &Volume, path: &str) -> Result<()> {
    let metadata = volume.symlink_metadata(path)?;
    match metadata.file_type() {
        FileType::Regular => {
            read(volume, Path::new(path))?;
        }
        FileType::Directory => {
            for entry in volume.read_dir(path)? {
                volume.symlink_metadata(Path::new(path).join(entry?.file_name()))?;
            }
        }
        FileType::Symlink => {
            volume.read_link(path)?;
        }
        _ => {}
    }
    for name in volume.list_xattrs(path)? {
        volume.get_xattr(path, &name.to_string_lossy())?;
    }
    Ok(())
}

/// Changes to the damaged file: any answer will do, but an answer it must be.
fn abuse(volume: &Volume, path: &str) {
    let _ = volume.set_xattr(path, "user.new", &[1; 3000], SetXattr::Any);
    if let Ok(file) = volume.open_with(path, &OpenOptions::new().read(true).write(true)) {
        let _ = file.write_at(100, &[1; 9000]);
        let _ = file.write_at(20_000_000, b"far");
        let _ = file.sync_all();
        let _ = file.set_len(5000);
        let _ = file.set_len(0);
    }
    let _ = volume.rename(path, format!("{path}-moved"));
    let _ = volume.remove_file(format!("{path}-moved"));
    let _ = volume.remove_all(path);
    let _ = volume.sync();
}

fn assert_others(image: &Arc<Image>, name: &str, path: &str) {
    let volume = open(image, true).unwrap_or_else(|e| panic!("{name}: {e}"));
    let seen = walk(&volume);
    for (at, data) in expected() {
        if at.starts_with(path) || (path == "/other" && at.ends_with("link")) {
            continue;
        }
        match seen.contents.get(at) {
            Some(found) => assert!(found == data, "{name}: {} differs", at.display()),
            None => panic!("{name}: {} is lost: {:?}", at.display(), seen.errors),
        }
    }
}

/// `path` is refused with the right error, by a reader and by a writer; nothing else suffers.
fn row(
    name: &'static str,
    path: &'static str,
    damage: impl FnOnce(&Image) + Send + 'static,
    judge: Judge,
) {
    within(name, HANG, move || {
        let image = base();
        damage(&image);
        for read_only in [true, false] {
            let volume = open(&image, read_only).unwrap_or_else(|e| panic!("{name}: {e}"));
            match touch(&volume, path) {
                Ok(()) => panic!("{name}: {path} is not refused"),
                Err(error) => assert!(judge(&error), "{name}: wrong error: {error:?}"),
            }
            assert!(
                matches!(touch(&volume, path), Err(e) if judge(&e)),
                "{name}: second time"
            );
        }
        assert_eq!(image.writes(), 0, "{name}: reading wrote");
        assert_others(&image, name, path);
        let volume = open(&image, false).unwrap();
        workload(&volume).unwrap_or_else(|e| panic!("{name}: others cannot be written: {e}"));
        volume.close().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_others(&image, name, path);
        let volume = open(&image, false).unwrap();
        abuse(&volume, path);
        let _ = volume.close();
        assert_others(&image, name, path);
    });
}

/// Damage of an inode block.
fn inode(
    name: &'static str,
    path: &'static str,
    damage: impl FnOnce(&mut [u8]) + Send + 'static,
    judge: Judge,
) {
    row(
        name,
        path,
        move |i| i.edit_inode(ino(path), |b| damage(b)),
        judge,
    );
}

/// The nid at an index of an inode's list.
fn child(image: &Image, path: &str, index: usize) -> u32 {
    get32(&image.node(ino(path))[..], field::NIDS + 4 * index)
}

#[test]
fn row_11_footers() {
    inode(
        "nid",
        "/plain",
        |b| put32(b, footer::NID, 99),
        corrupt!(FooterNid),
    );
    inode(
        "ino",
        "/plain",
        |b| put32(b, footer::INO, 99),
        corrupt!(FooterIno),
    );
    inode(
        "offset",
        "/plain",
        |b| put32(b, footer::FLAG, 7 << 3),
        corrupt!(FooterOffset),
    );
    inode(
        "no blocks",
        "/plain",
        |b| put64(b, field::BLOCKS, 0),
        corrupt!(InodeBlocks),
    );
    let checksum = |i: &Image| i.edit_node(ino("/plain"), |b| b[1000] ^= 1);
    row("checksum", "/plain", checksum, corrupt!(InodeChecksum));
    let zeros = |i: &Image| i.edit_node(ino("/plain"), |b| b.fill(0));
    row("zeros", "/plain", zeros, corrupt!(FooterNid));
    for (name, at, value, judge) in [
        (
            "nid of dnode",
            footer::NID,
            99,
            corrupt!(FooterNid) as Judge,
        ),
        ("ino of dnode", footer::INO, 99, corrupt!(FooterIno)),
        (
            "offset of dnode",
            footer::FLAG,
            7 << 3,
            corrupt!(FooterOffset),
        ),
    ] {
        let damage = move |i: &Image| i.edit_node(child(i, "/sparse", 0), |b| put32(b, at, value));
        row(name, "/sparse", damage, judge);
    }
}

#[test]
fn row_12_cross_linked_and_looping_nodes() {
    let link = |index: usize, target: fn(&Image) -> u32| {
        move |i: &Image| {
            let nid = target(i);
            i.edit_inode(ino("/sparse"), |b| put32(b, field::NIDS + 4 * index, nid));
        }
    };
    let other = |_: &Image| ino("/plain");
    row(
        "another inode",
        "/sparse",
        link(0, other),
        corrupt!(NodeIsInode),
    );
    let own = |_: &Image| ino("/sparse");
    row("itself", "/sparse", link(0, own), corrupt!(InodeNid));
    let wild = |_: &Image| 1 << 30;
    row("out of range", "/sparse", link(1, wild), corrupt!(InodeNid));
    let free = |_: &Image| 20_000;
    row(
        "a free nid",
        "/sparse",
        link(0, free),
        inconsistent!(NidFree),
    );
    let twice = |i: &Image| child(i, "/sparse", 1);
    row(
        "linked twice",
        "/sparse",
        link(0, twice),
        corrupt!(FooterOffset),
    );
    let xattr = |i: &Image| get32(&i.node(ino("/attrs"))[..], field::XATTR_NID);
    row(
        "another file's node",
        "/sparse",
        link(0, xattr),
        corrupt!(FooterIno),
    );
    let looping = |i: &Image| {
        let nid = child(i, "/sparse", 2);
        i.edit_node(nid, |b| {
            b[..4072].copy_from_slice(&nid.to_le_bytes().repeat(1018));
        });
    };
    row("a loop", "/sparse", looping, corrupt!(FooterOffset));
    let deep = |i: &Image| {
        let (top, nid) = (child(i, "/sparse", 3), child(i, "/sparse", 2));
        let at = if top == 0 {
            child(i, "/sparse", 4)
        } else {
            top
        };
        i.edit_node(at, |b| {
            b[..4072].copy_from_slice(&nid.to_le_bytes().repeat(1018));
        });
    };
    row("a crossing", "/sparse", deep, corrupt!(FooterOffset));
    let wild = |i: &Image| i.edit_node(child(i, "/sparse", 2), |b| b[..4072].fill(0xEE));
    row("wild nids", "/sparse", wild, corrupt!(NidOutOfRange));
}

#[test]
fn row_13_xattr_nid() {
    let set = |nid: fn(&Image) -> u32| {
        move |i: &Image| {
            let nid = nid(i);
            i.edit_inode(ino("/attrs"), |b| put32(b, field::XATTR_NID, nid));
        }
    };
    row("range", "/attrs", set(|_| 1 << 30), corrupt!(InodeXattrNid));
    row("reserved", "/attrs", set(|_| 2), corrupt!(InodeXattrNid));
    row(
        "itself",
        "/attrs",
        set(|_| ino("/attrs")),
        corrupt!(InodeXattrNid),
    );
    row(
        "another inode",
        "/attrs",
        set(|_| ino("/plain")),
        corrupt!(NodeIsInode),
    );
    row(
        "another's node",
        "/attrs",
        set(|i| child(i, "/sparse", 0)),
        corrupt!(FooterIno),
    );
    row("free", "/attrs", set(|_| 20_000), inconsistent!(NidFree));
}

#[test]
fn row_14_extra_attributes() {
    inode(
        "odd",
        "/plain",
        |b| put16(b, field::EXTRA_SIZE, 35),
        corrupt!(InodeExtraSize),
    );
    inode(
        "large",
        "/plain",
        |b| put16(b, field::EXTRA_SIZE, 4000),
        corrupt!(InodeExtraSize),
    );
    inode(
        "zero",
        "/plain",
        |b| put16(b, field::EXTRA_SIZE, 0),
        corrupt!(InodeExtraSize),
    );
    let words = corrupt!(InodeInlineXattrSize);
    inode(
        "xattr words",
        "/plain",
        |b| put16(b, field::XATTR_WORDS, 5),
        words,
    );
    inode(
        "xattr words+",
        "/plain",
        |b| put16(b, field::XATTR_WORDS, 904),
        words,
    );
    inode("no extra", "/plain", |b| b[field::INLINE] &= !0x20, words);
}

#[test]
fn row_15_inline() {
    inode(
        "slot",
        "/inline",
        |b| put32(b, field::SLOT0, 9000),
        corrupt!(InlineDataSlot),
    );
    inode(
        "nid",
        "/inline",
        |b| put32(b, field::NIDS, 9),
        corrupt!(InlineDataNid),
    );
    inode(
        "size",
        "/inline",
        |b| put64(b, field::SIZE, 4000),
        corrupt!(InlineDataSize),
    );
    let flag = |bit: u8| move |b: &mut [u8]| b[field::INLINE] |= bit;
    inode(
        "data with blocks",
        "/plain",
        flag(2),
        corrupt!(InlineDataSlot),
    );
    inode(
        "data in a directory",
        "/dir",
        flag(2),
        corrupt!(InlineDataKind),
    );
    inode(
        "data in a device",
        "/device",
        flag(2),
        corrupt!(InlineDataKind),
    );
    inode(
        "data when compressed",
        "/packed",
        flag(2),
        corrupt!(InlineDataFlags),
    );
    inode(
        "entries in a file",
        "/inline",
        flag(4),
        corrupt!(InlineDentryKind),
    );
    inode(
        "entries with blocks",
        "/many",
        flag(4),
        corrupt!(InlineDentrySlot),
    );
    inode(
        "entries and slot",
        "/dir",
        |b| put32(b, field::SLOT0, 7),
        corrupt!(InlineDentrySlot),
    );
}

#[test]
fn other_fields_of_inodes() {
    inode(
        "no type",
        "/plain",
        |b| put16(b, field::MODE, 0o644),
        corrupt!(InodeMode),
    );
    inode(
        "name",
        "/plain",
        |b| put32(b, field::NAME_LEN, 256),
        corrupt!(InodeNameLen),
    );
    inode(
        "size",
        "/plain",
        |b| put64(b, field::SIZE, u64::MAX),
        corrupt!(InodeSize),
    );
    let extent = |b: &mut [u8]| {
        put32(b, field::EXTENT, 0);
        put32(b, field::EXTENT + 4, 1 << 28);
        put32(b, field::EXTENT + 8, 100);
    };
    inode("extent", "/plain", extent, corrupt!(InodeExtent));
    let other_type: Judge = |e| matches!(e, Error::Invalid(_) | Error::Corrupt(_));
    inode(
        "another type",
        "/dir",
        |b| put16(b, field::MODE, 0o100_644),
        other_type,
    );
    inode(
        "long link",
        "/symlink",
        |b| put64(b, field::SIZE, 1 << 20),
        corrupt!(InlineDataSize),
    );
}

#[test]
fn row_16_addresses() {
    let slot = |value: u32| move |b: &mut [u8]| put32(b, field::SLOT0 + 4 * 3, value);
    inode("superblock", "/plain", slot(1), corrupt!(AddrOutsideMain));
    inode("table", "/plain", slot(5000 / 4), corrupt!(AddrOutsideMain));
    inode(
        "past the end",
        "/plain",
        slot(0xFFFF_0000),
        corrupt!(AddrOutsideMain),
    );
    let in_node = |i: &Image| i.edit_node(child(i, "/sparse", 0), |b| b[..4072].fill(0x77));
    row("in a node", "/sparse", in_node, corrupt!(AddrOutsideMain));
    let marker: Judge = |e| matches!(e, Error::Invalid(_) | Error::Corrupt(_));
    inode(
        "a cluster in a plain file",
        "/plain",
        slot(0xFFFF_FFFE),
        marker,
    );
    let nat = |i: &Image| {
        let nid = ino("/plain");
        i.set_nat(
            nid,
            NatEntry {
                addr: 77,
                ..i.nat(nid)
            },
        );
    };
    row("node outside MAIN", "/plain", nat, corrupt!(NatAddr));
    let free = |i: &Image| i.set_nat(ino("/plain"), NatEntry::default());
    row("free inode", "/plain", free, inconsistent!(NidFree));
}

#[test]
fn row_16_a_block_that_the_sit_calls_free() {
    let data = |i: &Image| i.clear_sit_bit(i.inode(ino("/plain")).slot(3));
    row("data", "/plain", data, inconsistent!(BlockFree));
    let packed = |i: &Image| i.clear_sit_bit(i.inode(ino("/packed")).slot(1));
    row(
        "compressed data",
        "/packed",
        packed,
        inconsistent!(BlockFree),
    );
}

#[test]
fn row_19_extended_attributes() {
    let node = |damage: fn(&mut [u8])| {
        move |i: &Image| {
            let nid = get32(&i.node(ino("/attrs"))[..], field::XATTR_NID);
            i.edit_node(nid, |b| damage(b));
        }
    };
    // The inline area is 200 bytes before the nids; entries go on in the node.
    let inline = field::NIDS - 200;
    inode(
        "magic",
        "/attrs",
        move |b| put32(b, inline, 7),
        corrupt!(XattrMagic),
    );
    let value = move |b: &mut [u8]| put16(b, inline + 26, u16::MAX);
    inode("value past the end", "/attrs", value, corrupt!(XattrEntry));
    let name = move |b: &mut [u8]| b[inline + 24..inline + 200].fill(0xFF);
    inode("name past the end", "/attrs", name, corrupt!(XattrEntry));
    row(
        "no end",
        "/attrs",
        node(|b| b[..4072].fill(0xFF)),
        corrupt!(XattrEntry),
    );
    let offset = node(|b| put32(b, footer::FLAG, 3 << 3));
    row("offset", "/attrs", offset, corrupt!(FooterOffset));
}

/// Changes the bytes that hold the entry `name` of a directory: area, first byte of the entry,
/// first byte of its name.
fn edit_dentry(i: &Image, dir: &str, name: &str, f: impl Fn(&mut [u8], usize, usize)) {
    edit_dentry_in(i, ino(dir), name, f);
}

/// As [`edit_dentry`], in the directory of an inode number.
pub(crate) fn edit_dentry_in(i: &Image, dir: u32, name: &str, f: impl Fn(&mut [u8], usize, usize)) {
    let inode = i.inode(dir);
    let find = |area: &[u8], layout: Layout| {
        let view = DentryView::new(area, layout).unwrap();
        let found = view
            .entries()
            .flatten()
            .find(|d| d.name == name.as_bytes())?;
        let slot = found.slot;
        Some((
            layout.entries_offset() + 11 * slot,
            layout.names_offset() + 8 * slot,
        ))
    };
    let area = inode.inline_data_area();
    if inode
        .inline()
        .contains(f2fs_format::InlineFlags::INLINE_DENTRY)
    {
        let (entry, text) = find(area, inode.inline_dentry_layout()).unwrap();
        i.edit_inode(dir, |b| f(&mut b[field::SLOT0 + 4..], entry, text));
        return;
    }
    for index in 0..200 {
        let addr = BlockAddr::new(inode.slot(index)).get();
        if addr == 0 || addr == u32::MAX {
            continue;
        }
        if let Some((entry, text)) = find(&i.block(addr)[..], Layout::BLOCK) {
            i.edit(addr, |b| f(&mut b[..], entry, text));
            return;
        }
    }
    panic!("inode {dir} has no {name}");
}

#[test]
fn row_20_entries() {
    type Damage = fn(&mut [u8], usize, usize);
    // Where the slots behind it are in use, the name swallows the next ones.
    let past: Judge = |e| corrupt!(DentryNameSlots)(e) || corrupt!(DentryName)(e);
    let damages: [(&'static str, Damage, Judge); 8] = [
        (
            "name of no length",
            |b, e, _| put16(b, e + 8, 0),
            corrupt!(DentryNameLen),
        ),
        (
            "name too long",
            |b, e, _| put16(b, e + 8, 256),
            corrupt!(DentryNameLen),
        ),
        ("name past its slots", |b, e, _| put16(b, e + 8, 255), past),
        ("slash", |b, _, n| b[n] = b'/', corrupt!(DentryName)),
        ("NUL", |b, _, n| b[n] = 0, corrupt!(DentryName)),
        ("ino 0", |b, e, _| put32(b, e + 4, 0), corrupt!(DentryIno)),
        (
            "ino past the end",
            |b, e, _| put32(b, e + 4, 1 << 30),
            corrupt!(NidOutOfRange),
        ),
        ("type", |b, e, _| b[e + 10] = 9, corrupt!(DentryType)),
    ];
    for (name, damage, judge) in damages {
        row(
            name,
            "/dir",
            move |i| edit_dentry(i, "/dir", "a", damage),
            judge,
        );
        let entry = "name-with-some-length-023";
        row(
            name,
            "/many",
            move |i| edit_dentry(i, "/many", entry, damage),
            judge,
        );
    }
    let free = |i: &Image| edit_dentry(i, "/dir", "a", |b, e, _| put32(b, e + 4, 20_000));
    row("free ino", "/dir", free, inconsistent!(NidFree));
    let node = |i: &Image| {
        let nid = child(i, "/sparse", 0);
        edit_dentry(i, "/dir", "a", |b, e, _| put32(b, e + 4, nid));
    };
    row("ino of a node", "/dir", node, corrupt!(FooterIno));
}

/// Damage that the engine reads around: nothing at all is refused.
fn harmless(name: &'static str, path: &'static str, damage: impl FnOnce(&Image) + Send + 'static) {
    within(name, HANG, move || {
        let image = base();
        damage(&image);
        assert_others(&image, name, "/nothing");
        let volume = open(&image, false).unwrap();
        workload(&volume).unwrap();
        abuse(&volume, path);
        volume.close().unwrap();
        assert_others(&image, name, path);
    });
}

#[test]
fn row_21_depth_size_and_links_of_directories() {
    harmless("depth", "/many", |i| {
        i.edit_inode(ino("/many"), |b| put32(b, field::DEPTH, u32::MAX));
    });
    harmless("depth 0", "/dir", |i| {
        i.edit_inode(ino("/dir"), |b| put32(b, field::DEPTH, 0));
    });
    harmless("huge", "/many", |i| {
        i.edit_inode(ino("/many"), |b| put64(b, field::SIZE, 3 << 40));
    });
    harmless("level", "/many/name-with-some-length-000", |i| {
        i.edit_inode(ino("/dir"), |b| b[347] = 255);
    });
    let links = |value: u32| move |b: &mut [u8]| put32(b, field::LINKS, value);
    inode("no links", "/plain", links(0), inconsistent!(NoLinks));
    inode(
        "directory without links",
        "/dir",
        links(0),
        inconsistent!(NoLinks),
    );
    harmless("many links", "/other", |i| {
        i.edit_inode(ino("/other"), |b| put32(b, field::LINKS, u32::MAX));
    });
}

#[test]
fn directories_that_contain_themselves() {
    for (name, target) in [
        ("itself", "/dir"),
        ("its parent", "/"),
        ("elsewhere", "/many"),
    ] {
        let damage = move |i: &Image| {
            edit_dentry(i, "/dir", "sub", |b, e, _| put32(b, e + 4, ino(target)));
        };
        within(name, HANG, move || {
            let image = base();
            damage(&image);
            let volume = open(&image, false).unwrap();
            let _ = volume.remove_dir("/dir/sub");
            let _ = volume.rename("/dir/sub", "/dir/sub/sub");
            let _ = volume.rename("/dir", "/dir/sub/x");
            let _ = volume.rename("/many", "/dir/sub/y");
            let _ = volume.rename("/dir/sub", "/z");
            volume.sync().unwrap();
            drop(walk(&volume));
            let _ = volume.close();
        });
        within(name, HANG, move || {
            let image = base();
            damage(&image);
            let volume = open(&image, false).unwrap();
            let _ = volume.remove_all("/dir");
            let _ = volume.close();
            drop(walk(&open(&image, true).unwrap()));
        });
    }
}

#[test]
fn row_23_clusters() {
    let at = field::SLOT0;
    inode(
        "algorithm",
        "/packed",
        |b| b[field::ALGORITHM] = 4,
        corrupt!(CompressAlgorithm),
    );
    inode(
        "size 9",
        "/packed",
        |b| b[field::LOG_CLUSTER] = 9,
        corrupt!(CompressClusterSize),
    );
    inode(
        "size 1",
        "/packed",
        |b| b[field::LOG_CLUSTER] = 1,
        corrupt!(CompressClusterSize),
    );
    inode(
        "level",
        "/packed",
        |b| b[field::COMPRESS_FLAG + 1] = 77,
        corrupt!(CompressLevel),
    );
    let saved = |b: &mut [u8]| put64(b, field::COMPR_BLOCKS, 1 << 40);
    inode("saved blocks", "/packed", saved, corrupt!(CompressBlocks));
    let marker = move |b: &mut [u8]| put32(b, at + 8, 0xFFFF_FFFE);
    inode("marker inside", "/packed", marker, corrupt!(ClusterMarker));
    let empty = move |b: &mut [u8]| b[at + 4..at + 16].fill(0);
    inode("no block", "/packed", empty, corrupt!(ClusterEmpty));
    let gap = move |b: &mut [u8]| {
        let block = get32(b, at + 4);
        put32(b, at + 8, 0);
        put32(b, at + 12, block);
    };
    inode("gap", "/packed", gap, corrupt!(ClusterGap));
    let outside = move |b: &mut [u8]| put32(b, at + 4, 9);
    inode("outside", "/packed", outside, corrupt!(AddrOutsideMain));
}

#[test]
fn row_23_clusters_that_do_not_decode() {
    let bytes = |damage: fn(&mut [u8])| {
        move |i: &Image| {
            let addr = i.inode(ino("/packed")).slot(1);
            i.edit(addr, |b| damage(b));
        }
    };
    let cluster: Judge = |e| matches!(e, Error::Cluster { cluster: 0, .. });
    row(
        "length",
        "/packed",
        bytes(|b| put32(b, 0, u32::MAX)),
        cluster,
    );
    row("no length", "/packed", bytes(|b| put32(b, 0, 0)), cluster);
    row("length-", "/packed", bytes(|b| put32(b, 0, 40)), cluster);
    row("checksum", "/packed", bytes(|b| put32(b, 4, 1)), cluster);
    row(
        "bytes",
        "/packed",
        bytes(|b| b[100..200].fill(0xA5)),
        cluster,
    );
    row("zeros", "/packed", bytes(|b| b.fill(0)), cluster);
    // Valid for lz4, with the right checksum, but for another size than the cluster's.
    let short = |b: &mut [u8]| {
        let token = [0x50, b'h', b'e', b'l', b'l', b'o'];
        b[24..30].copy_from_slice(&token);
        put32(b, 0, token.len() as u32);
        put32(b, 4, f2fs_format::crc32(f2fs_format::F2FS_MAGIC, &token));
    };
    row("another size", "/packed", bytes(short), cluster);
}

#[test]
fn a_bad_cluster_leaves_the_others_readable() {
    let image = base();
    let inode = image.inode(ino("/packed"));
    image.edit(inode.slot(8 * 4 + 1), |b| b[..8].fill(0xFF));
    let volume = open(&image, true).unwrap();
    let file = volume.open_file("/packed").unwrap();
    let good = &expected()[Path::new("/packed")];
    for cluster in 0..good.len() / 16384 {
        let mut bytes = vec![0; 16384];
        let pos = cluster * 16384;
        match file.read_at(pos as u64, &mut bytes) {
            Err(Error::Cluster { cluster: 8, .. }) => assert_eq!(cluster, 8),
            Err(error) => panic!("cluster {cluster}: {error}"),
            Ok(n) => {
                assert_ne!(cluster, 8, "the bad cluster is read as {n} bytes");
                assert!(bytes[..n] == good[pos..pos + n], "cluster {cluster}");
                assert_eq!(n, 16384);
            }
        }
    }
}
