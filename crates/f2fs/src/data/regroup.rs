//! The content of a file in clusters of another size.
//!
//! Which slots a node holds depends on the size of the clusters, so other clusters need other nodes. They are made for
//! an inode without a name (it vanishes with a crash), then the file takes over its slots and nodes in one operation.
//! Blocks behind the slots of the inode itself are copied once more for that, since their summaries name the inode.
//!
//! # Locking
//! The caller holds the file's lock exclusively; nobody else knows the other inode.

use crate::data::copies::write_copies;
use crate::data::ops::DataOps;
use crate::data::policy;
use crate::data::writeback::{addrs_of, free_old};
use crate::error::Result;
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::Tree;
use f2fs_format::{BlockAddr, CompressInfo, InlineFlags, Slot, SummaryEntry};
use std::sync::Arc;

/// Makes an inode without a name that a file can take over: as the file, empty, with another compression. It stands in
/// the list of orphans.
pub(crate) fn make_twin(fs: &Fs, inode: &Arc<Inode>, info: CompressInfo) -> Result<Arc<Inode>> {
    let op = fs.start_op();
    let ino = fs.take_nid()?;
    let mut block = inode.tree.lock().inode.without_content();
    let mut footer = block.footer();
    footer.nid = ino;
    footer.ino = ino;
    block.set_footer(&footer);
    block.set_compress(Some(info));
    block.set_name(b"");
    let twin = Inode::adopt(fs, &op, block)?;
    if let Err(error) = fs.meta.orphans.add(ino) {
        twin.free(fs, &op)?;
        return Err(error);
    }
    twin.tree.lock().inode_mut().set_links(0);
    Ok(twin)
}

/// Gives the content of `twin` to the file, whose own is freed. Neither has anything dirty.
pub(crate) fn take_over(fs: &Fs, inode: &Arc<Inode>, twin: &Arc<Inode>) -> Result<()> {
    let mut nodes = inode.tree.lock().load_all(fs)?;
    nodes += twin.tree.lock().load_all(fs)?;
    fs.make_room(0)?;
    fs.check_room(nodes)?;
    let _op = fs.start_op();
    fs.note_dirty(inode);
    fs.note_dirty(twin);
    // Clean, and nobody makes new ones.
    inode.mapping.truncate(0);
    twin.mapping.truncate(0);
    let mut tree = inode.tree.lock();
    let mut other = twin.tree.lock();
    // A checkpoint may have dropped some again.
    tree.load_all(fs)?;
    other.load_all(fs)?;
    let old: Vec<u32> = (0..other.inode.addrs_in_inode())
        .map(|index| other.inode.slot(index as usize))
        .collect();
    let direct = copy_blocks(&DataOps::new(fs, inode), &tree, &old)?;
    if let Err(error) = exchange(fs, (&mut tree, &mut other), &old, &direct) {
        // Slots and valid maps may disagree now; no checkpoint must ever say so.
        fs.meta.device.stop(format!("changing clusters: {error}"));
        return Err(error);
    }
    twin.set_size(0);
    other.inode_mut().set_size(0);
    inode.reload_layout(fs, &tree)?;
    inode.bump_cookie();
    Ok(())
}

fn exchange(
    fs: &Fs,
    (tree, other): (&mut Tree, &mut Tree),
    old: &[u32],
    direct: &[u32],
) -> Result<()> {
    tree.truncate(fs, 0)?;
    tree.note_unfit(fs);
    if tree.inode.ext().is_some() {
        tree.inode_mut().clear_ext();
    }
    let inline = tree.inode.inline() - InlineFlags::COMPRESS_RELEASED;
    tree.inode_mut().set_inline(inline);
    tree.adopt(other, direct);
    old.iter().try_for_each(|&raw| free_old(fs, raw))
}

/// Copies of the blocks behind slots that the file's inode is to hold; the slots that name them.
fn copy_blocks(ops: &DataOps<'_>, tree: &Tree, slots: &[u32]) -> Result<Vec<u32>> {
    let segments = &ops.fs.meta.segments;
    let mut owners = Vec::new();
    let mut bytes = Vec::new();
    let version = ops.fs.meta.nat.version(ops.inode.ino)?;
    for (index, &raw) in slots.iter().enumerate() {
        if Slot::from_raw(raw).block().is_some() {
            let addr = ops.fs.meta.geometry.main_addr(raw)?;
            bytes.extend(ops.fs.meta.device.read_blocks(addr, 1)?);
            owners.push(SummaryEntry {
                nid: ops.inode.ino.get(),
                version,
                ofs_in_node: index as u16,
            });
        }
    }
    let runs = segments.allocate(policy::data_log(&tree.inode), &owners)?;
    let new: Vec<BlockAddr> = runs.iter().copied().flat_map(addrs_of).collect();
    if let Err(error) = write_copies(ops.fs, &bytes, &runs) {
        for &addr in &new {
            segments.invalidate(addr)?;
        }
        return Err(error);
    }
    let mut new = new.into_iter();
    let renamed = slots.iter().map(|&raw| match Slot::from_raw(raw).block() {
        Some(_) => new.next().expect("each block has its copy").get(),
        None => raw,
    });
    Ok(renamed.collect())
}
