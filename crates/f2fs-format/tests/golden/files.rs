//! Reads every inode that can be reached, with its nodes, attributes, dentries and clusters.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use f2fs_format::nat::NAT_PLACEHOLDER;
use f2fs_format::node::{dnode, indirect};
use f2fs_format::path::first_block_of_dnode;
use f2fs_format::{
    Block, BlockAddr, Checkpoint, ClusterHeader, ClusterSlots, DentryView, F2FS_MAGIC, FileType,
    Geometry, InlineFlags, Ino, InodeBlock, InodeFlags, Layout, NatBlock, NatEntry, NatJournal,
    Nid, NodeFooter, NodePath, Slot, SuperBlock, XATTR_NODE_OFFSET, XattrEntry, bitmap, crc32,
    dentry_hash, hash, node, xattr,
};

use crate::store::Store;

/// One inode with all that hangs on it.
pub(crate) struct File {
    pub(crate) inode: InodeBlock,
    pub(crate) slots: BTreeMap<u64, u32>,
    pub(crate) xattrs: Vec<XattrEntry>,
    /// Name, inode and type of the entries of a directory, without the dots.
    pub(crate) entries: Vec<(Vec<u8>, Ino, FileType)>,
    /// Bytes of a symlink's target.
    pub(crate) target: Vec<u8>,
    pub(crate) node_blocks: u64,
    pub(crate) clusters: u64,
}

/// Who holds the pointer to a block.
#[derive(Clone, Copy)]
pub(crate) enum Owner {
    Node(Nid),
    Slot(Nid, u16),
}

/// The walk through the files.
pub(crate) struct Walker<'a> {
    pub(crate) store: &'a mut Store,
    pub(crate) sb: SuperBlock,
    pub(crate) geometry: Geometry,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) nat_journal: NatJournal,
    /// Blocks in use and who the summary should name.
    pub(crate) seen: BTreeMap<u32, Owner>,
    pub(crate) checked_summaries: usize,
}

impl Walker<'_> {
    pub(crate) fn nat_entry(&mut self, nid: Nid) -> NatEntry {
        if let Some(entry) = self.nat_journal.get(nid) {
            return entry;
        }
        let index = self.geometry.nat_index(nid);
        let second = bitmap::msb::test(&self.checkpoint.nat_bitmap, index as usize);
        let mut block = self.store.read(self.geometry.nat_block(index, second));
        let entry = NatBlock::entry(&block, nid);
        let before = block.clone();
        NatBlock::put(&mut block, nid, entry);
        assert!(block == before, "an entry round trips");
        entry
    }

    fn node(&mut self, nid: Nid, ino: Ino) -> Box<Block> {
        let entry = self.nat_entry(nid);
        let (owner, addr) = entry
            .check(nid, &self.geometry)
            .unwrap()
            .expect("the nid is in use");
        assert_eq!(owner, ino);
        self.claim(addr.get(), Owner::Node(nid));
        self.store.read(addr)
    }

    /// Notes that a block is in use, which may happen once.
    fn claim(&mut self, addr: u32, owner: Owner) {
        let addr = self.geometry.main_addr(addr).unwrap();
        assert!(
            self.seen.insert(addr.get(), owner).is_none(),
            "block {addr} is used twice"
        );
    }

    pub(crate) fn files(&mut self, orphans: &[Ino]) -> BTreeMap<Ino, File> {
        for nid in [Nid::NODE, Nid::META] {
            assert_eq!(self.nat_entry(nid).addr, NAT_PLACEHOLDER);
        }
        let mut files = BTreeMap::new();
        let mut todo = vec![Nid::ROOT];
        todo.extend(orphans);
        todo.extend(self.sb.qf_ino.iter().flatten());
        while let Some(ino) = todo.pop() {
            if let Entry::Vacant(place) = files.entry(ino) {
                let file = place.insert(self.file(ino));
                todo.extend(file.entries.iter().map(|(_, ino, _)| *ino));
            }
        }
        files
    }

    fn file(&mut self, ino: Ino) -> File {
        let block = self.node(ino, ino);
        let inode = InodeBlock::parse(block, ino, &self.sb).unwrap();
        let mut file = File {
            inode,
            slots: BTreeMap::new(),
            xattrs: Vec::new(),
            entries: Vec::new(),
            target: Vec::new(),
            node_blocks: 1,
            clusters: 0,
        };
        self.xattrs(&mut file);
        self.slots(&mut file);
        self.content(&mut file);
        file
    }

    fn xattrs(&mut self, file: &mut File) {
        let mut stream = file.inode.inline_xattr().unwrap_or(&[]).to_vec();
        if let Some(nid) = file.inode.xattr_nid() {
            let block = self.node(nid, file.inode.ino());
            let footer = NodeFooter::read(&block);
            footer
                .check_node(nid, file.inode.ino(), XATTR_NODE_OFFSET)
                .unwrap();
            stream.extend(&block[..xattr::XATTR_NODE_CAPACITY]);
            file.node_blocks += 1;
        }
        file.xattrs = xattr::parse(&stream).unwrap();
        if !file.xattrs.is_empty() {
            assert_eq!(xattr::encode(&file.xattrs, stream.len()).unwrap(), stream);
        }
    }

    /// Collects every slot that is not a hole.
    fn slots(&mut self, file: &mut File) {
        let inode = &file.inode;
        let is_inline = uses_inline_area(inode) || has_no_content(inode.file_type());
        if is_inline {
            return;
        }
        let ino = inode.ino();
        for index in 0..inode.addrs_in_inode() as usize {
            let raw = file.inode.slot(index);
            self.slot(file, index as u64, raw, Owner::Slot(ino, index as u16));
        }
        for index in 0..5 {
            if let Some(nid) = file.inode.nid(index) {
                let offset = match index {
                    0 | 1 => node::DIRECT_NODE_1 + index as u32,
                    2 => node::INDIRECT_NODE_1,
                    3 => node::INDIRECT_NODE_2,
                    _ => node::DOUBLE_INDIRECT_NODE,
                };
                let depth = [0, 0, 1, 1, 2][index];
                self.subtree(file, nid, offset, depth);
            }
        }
    }

    fn slot(&mut self, file: &mut File, block: u64, raw: u32, owner: Owner) {
        if raw != 0 {
            file.slots.insert(block, raw);
        }
        if let Slot::Block(addr) = Slot::from_raw(raw) {
            self.claim(addr.get(), owner);
        }
    }

    fn subtree(&mut self, file: &mut File, nid: Nid, offset: u32, depth: u32) {
        let ino = file.inode.ino();
        let block = self.node(nid, ino);
        NodeFooter::read(&block)
            .check_node(nid, ino, offset)
            .unwrap();
        file.node_blocks += 1;
        assert_eq!(node::is_direct(offset), depth == 0);
        let per_child = if depth == 2 {
            node::NIDS_PER_BLOCK as u32 + 1
        } else {
            1
        };
        for index in 0..node::NIDS_PER_BLOCK {
            let raw = indirect::nid(&block, index);
            if depth > 0 && raw != 0 {
                let nid = self.geometry.nid(raw).unwrap();
                self.subtree(file, nid, offset + 1 + index as u32 * per_child, depth - 1);
            }
        }
        if depth == 0 {
            let (a0, an) = (file.inode.addrs_in_inode(), file.inode.addrs_per_dnode());
            let first = first_block_of_dnode(offset, a0, an).unwrap();
            let path = NodePath::of(first, a0, an).unwrap();
            assert_eq!((path.leaf_offset(), path.slot), (offset, 0));
            for index in 0..an as usize {
                let owner = Owner::Slot(nid, index as u16);
                self.slot(
                    file,
                    first + index as u64,
                    dnode::slot(&block, index),
                    owner,
                );
            }
        }
    }

    fn content(&mut self, file: &mut File) {
        match file.inode.file_type() {
            FileType::Directory => self.directory(file),
            FileType::Symlink => {
                let size = file.inode.size() as usize;
                let block;
                let bytes = if uses_inline_area(&file.inode) {
                    file.inode.inline_data_area()
                } else {
                    block = self.store.read(BlockAddr::new(file.slots[&0]));
                    &block[..]
                };
                file.target = bytes[..size].to_vec();
            }
            FileType::Regular if file.inode.is_compressed() => self.clusters(file),
            _ => {}
        }
    }

    fn directory(&mut self, file: &mut File) {
        let folds = file.inode.flags().contains(InodeFlags::CASEFOLD);
        if file.inode.inline().contains(InlineFlags::INLINE_DENTRY) {
            let layout = file.inode.inline_dentry_layout();
            let view = DentryView::new(file.inode.inline_data_area(), layout).unwrap();
            assert_eq!(file.inode.size(), layout.area_len() as u64);
            file.entries = entries(view, folds, |_| true);
            return;
        }
        let (depth, dir_level) = (file.inode.current_depth(), file.inode.dir_level());
        for (&index, &raw) in &file.slots {
            let block = self.store.read(BlockAddr::new(raw));
            let view = DentryView::new(&block[..], Layout::BLOCK).unwrap();
            file.entries.extend(entries(view, folds, |hash| {
                (0..depth).any(|level| {
                    let bucket = hash::bucket_of(hash, level, dir_level);
                    let first = hash::first_block(level, dir_level, bucket);
                    (first..first + u64::from(hash::bucket_blocks(level))).contains(&index)
                })
            }));
        }
    }

    fn clusters(&mut self, file: &mut File) {
        let info = file.inode.compress().unwrap();
        let size = u64::from(info.cluster_blocks());
        let starts: BTreeSet<u64> = file.slots.keys().map(|block| block / size * size).collect();
        let mut saved = 0;
        for start in starts {
            let slot = |block| file.slots.get(&block).copied().unwrap_or(0);
            let slots: Vec<u32> = (start..start + size).map(slot).collect();
            let ClusterSlots::Compressed { blocks, released } =
                ClusterSlots::classify(&slots).unwrap()
            else {
                continue;
            };
            file.clusters += 1;
            saved += if released { 0 } else { size - blocks as u64 };
            let read = |raw: &u32| *self.store.read(BlockAddr::new(*raw));
            let bytes: Vec<u8> = slots[1..=blocks].iter().flat_map(read).collect();
            let header = ClusterHeader::parse(&bytes, bytes.len()).unwrap();
            let payload = &bytes[24..24 + header.clen as usize];
            if info.has_checksum() {
                assert_eq!(header.checksum, crc32(F2FS_MAGIC, payload));
            }
        }
        assert_eq!(saved, info.compr_blocks);
    }
}

/// The entries of one area without the dots; `place` tells whether a hash may lie there.
fn entries(
    view: DentryView<'_>,
    folds: bool,
    place: impl Fn(u32) -> bool,
) -> Vec<(Vec<u8>, Ino, FileType)> {
    let mut list = Vec::new();
    for entry in view.entries() {
        let dentry = entry.unwrap();
        dentry.check_name().unwrap();
        if !folds || dentry.is_dot() {
            assert_eq!(dentry.hash, dentry_hash(dentry.name));
        }
        assert_eq!(view.find(dentry.name, dentry.hash), Some(dentry));
        if !dentry.is_dot() {
            assert!(place(dentry.hash), "the name lies in its bucket");
            list.push((dentry.name.to_vec(), dentry.ino, dentry.file_type));
        }
    }
    list
}

/// Whether data or dentries lie in the inode.
fn uses_inline_area(inode: &InodeBlock) -> bool {
    inode
        .inline()
        .intersects(InlineFlags::INLINE_DATA | InlineFlags::INLINE_DENTRY)
}

/// Whether a file has no content of its own.
fn has_no_content(kind: FileType) -> bool {
    kind.is_device() || matches!(kind, FileType::Fifo | FileType::Socket)
}
