//! The kernel goes on where we stop, and we where it stops.

use super::*;
use crate::error::Result;
use crate::meta::Metadata;
use crate::meta::tests::{Node, open_file, read_node, rewrite, used_nids};
use crate::recovery::is_needed;
use f2fs_format::checkpoint::AllocType;
use f2fs_format::dentry::FileType;
use f2fs_format::node::{dnode, is_direct};
use f2fs_format::summary::SummaryEntry;
use f2fs_format::{CursegType, InlineFlags, Slot};
use std::path::Path;
use testkit::{fsck, oracle};

/// Mounts, checks what `sums` says, changes something, unmounts. `$PRE` is a folder of this mount's
/// own.
const CHECK_AND_GO_ON: &str = r#"
set -e
mkdir /tmp/m; mount -t f2fs /dev/ubda /tmp/m; cd /tmp/m
if [[ -e sums ]]; then sha256sum --quiet -c sums; fi
n=$(ls -d pre* 2>/dev/null | wc -l); mkdir pre$n
for i in $(seq 300); do echo "$n $i" >pre$n/$i; done
rm -f pre0/1?
head -c 3000000 /dev/urandom >pre$n/big
find . -type f ! -name sums -exec sha256sum {} + >sums
cd /; umount /tmp/m
"#;

/// A tree of small and large files that nearly fills a volume of 100 MiB.
const FILL: &str = r"
set -e
mkdir /tmp/m; mount -t f2fs -o noinline_data /dev/ubda /tmp/m; cd /tmp/m
mkdir a b
for i in $(seq 300); do head -c $((i * 7)) /dev/urandom >a/$i; done
i=0
while [[ $(df --output=avail -k . | tail -1) -gt 8000 ]]; do
  i=$((i+1)); head -c 3333333 /dev/urandom >b/$i; sync
done
ln -s a/1 link; mkfifo fifo
find . -type f -exec sha256sum {} + >/tmp/sums; cp /tmp/sums sums
cd /; umount /tmp/m
";

#[test]
fn kernel_and_engine_take_turns() {
    for args in WRITABLE {
        let image = tools::mkfs(args, 200 * MIB);
        for round in 0..3 {
            if oracle::run(CHECK_AND_GO_ON, &[image.path()]).is_none() {
                return;
            }
            let meta = open_file(image.path());
            assert!(!is_needed(&meta).unwrap());
            touch(&meta, Nid::ROOT).unwrap();
            meta.write_checkpoint(if round == 0 { Sync } else { Umount })
                .unwrap();
            drop(meta);
            fsck::assert_clean(image.path());
        }
    }
}

/// Moves two thirds of the data blocks that a node points at, and the node. Each pass leaves others.
fn migrate(meta: &Metadata, nid: Nid, pass: usize) -> Result<()> {
    let mut node = read_node(meta, nid)?;
    let slots = match &mut node {
        Node::Inode(inode) => {
            inode.clear_ext();
            let has_slots = matches!(
                inode.file_type(),
                FileType::Regular | FileType::Directory | FileType::Symlink
            );
            let inline = InlineFlags::INLINE_DATA | InlineFlags::INLINE_DENTRY;
            if has_slots && !inode.inline().intersects(inline) {
                inode.addrs_in_inode()
            } else {
                0
            }
        }
        Node::Other(block) => {
            if is_direct(f2fs_format::node::NodeFooter::read(block).offset) {
                1018
            } else {
                0
            }
        }
    };
    let version = meta.nat.version(nid)?;
    for index in (0..slots as usize).filter(|index| !(index + pass).is_multiple_of(3)) {
        let raw = match &node {
            Node::Inode(inode) => inode.slot(index),
            Node::Other(block) => dnode::slot(block, index),
        };
        let Slot::Block(old) = Slot::from_raw(raw) else {
            continue;
        };
        assert_eq!(meta.segments.owner_of(old)?.nid, nid.get());
        let owner = SummaryEntry {
            nid: nid.get(),
            version,
            ofs_in_node: index as u16,
        };
        let log = [CursegType::WarmData, CursegType::ColdData][index % 2];
        let new = meta.segments.allocate(log, &[owner])?[0].start;
        meta.device
            .write_meta(new, &meta.device.read_block(old)?[..])?;
        meta.segments.invalidate(old)?;
        match &mut node {
            Node::Inode(inode) => inode.set_slot(index, new.get()),
            Node::Other(block) => dnode::set_slot(block, index, new.get()),
        }
    }
    rewrite(meta, nid, node)
}

/// Moves everything, with a checkpoint whenever one is due.
fn migrate_all(image: &Path, pass: usize) -> bool {
    let meta = open_file(image);
    let mut filled_holes = false;
    for nid in used_nids(&meta) {
        if meta.segments.wants_checkpoint(0) {
            meta.write_checkpoint(Sync).unwrap();
        }
        migrate(&meta, nid, pass).unwrap();
        filled_holes |= meta
            .segments
            .counts()
            .logs
            .iter()
            .any(|log| log.alloc == AllocType::Ssr);
    }
    meta.write_checkpoint(if pass.is_multiple_of(2) { Sync } else { Umount })
        .unwrap();
    filled_holes
}

#[test]
fn everything_moves_and_the_kernel_finds_it() {
    for args in [
        &["-O", "extra_attr,inode_checksum"][..],
        &["-s", "2"],
        &["-i"],
    ] {
        let image = tools::mkfs(args, 120 * MIB);
        if oracle::run(FILL, &[image.path()]).is_none() {
            return;
        }
        let mut filled_holes = false;
        for pass in 0..3 {
            filled_holes |= migrate_all(image.path(), pass);
            fsck::assert_clean(image.path());
        }
        assert!(
            filled_holes,
            "{args:?}: the volume is full enough to fill holes"
        );
        let check = "set -e; mkdir /tmp/m; mount -t f2fs /dev/ubda /tmp/m; cd /tmp/m
            sha256sum --quiet -c sums; [[ $(readlink link) == a/1 ]]; rm b/1 a/1?; cp b/2 b/1
            cd /; umount /tmp/m";
        oracle::run(check, &[image.path()]);
        fsck::assert_clean(image.path());
        migrate_all(image.path(), 3);
        fsck::assert_clean(image.path());
    }
}

/// Ends the kernel's use of the volume without a checkpoint, as a power cut does.
const SHUTDOWN: &str = r#"
python3 -c 'import fcntl,os,struct; fcntl.ioctl(os.open("/tmp/m", 0), 0x8004587d, struct.pack("I", 2))'
cd /; umount /tmp/m
"#;

#[test]
fn volumes_that_were_not_unmounted_open() {
    let start = "set -e; mkdir /tmp/m; mount -t f2fs /dev/ubda /tmp/m; cd /tmp/m
        mkdir d; for i in $(seq 200); do echo $i >d/$i; done; sync";
    let fsynced = "dd if=/dev/urandom of=d/new bs=4k count=9 conv=fsync status=none";
    for (more, has_chain) in [("", false), (fsynced, true)] {
        let image = tools::mkfs(&[], 100 * MIB);
        let script = format!("{start}\n{more}\n{SHUTDOWN}");
        if oracle::run(&script, &[image.path()]).is_none() {
            return;
        }
        let device = load(image.path());
        let meta = open(&device);
        assert!(!meta.checkpoint_info().flags.contains(CpFlags::UMOUNT));
        assert_eq!(is_needed(&meta).unwrap(), has_chain);
        for nid in used_nids(&meta) {
            let addr = meta.nat.node_addr(nid).unwrap();
            assert_eq!(meta.segments.owner_of(addr).unwrap().nid, nid.get());
        }
        // Dropping the chain is the caller's choice; any checkpoint does it.
        touch(&meta, Nid::ROOT).unwrap();
        meta.write_checkpoint(Umount).unwrap();
        assert_clean(&device);
        assert!(!is_needed(&open(&device)).unwrap());
    }
}

#[test]
fn a_volume_with_orphans_lists_them() {
    let script = format!(
        "set -e; mkdir /tmp/m; mount -t f2fs /dev/ubda /tmp/m; cd /tmp/m
        echo x >gone; exec 7<gone; rm gone; sync; exec 7<&-
        {SHUTDOWN}"
    );
    let image = tools::mkfs(&[], 100 * MIB);
    if oracle::run(&script, &[image.path()]).is_none() {
        return;
    }
    let meta = open_file(image.path());
    let orphans = meta.orphans.list();
    assert_eq!(orphans.len(), 1);
    meta.nat.node_addr(orphans[0]).unwrap();
    meta.write_checkpoint(Sync).unwrap();
    drop(meta);
    fsck::assert_clean(image.path());
    let again = oracle::run(CHECK_AND_GO_ON, &[image.path()]);
    assert!(again.is_some());
    assert!(open_file(image.path()).orphans.list().is_empty());
}
