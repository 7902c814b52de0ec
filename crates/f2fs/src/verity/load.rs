//! From an inode to its descriptor, and the blocks behind the end of a file.

use super::Verity;
use super::descriptor::{Descriptor, Location};
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::{Span, Tree};
use crate::xattr;
use f2fs_format::xattr::INDEX_VERITY;
use f2fs_format::{BLOCK_SIZE, BlockAddr, Slot};

const BLOCK: u64 = BLOCK_SIZE as u64;
/// The name of the attribute that says where the descriptor lies.
const NAME: &[u8] = b"v";
/// What lies behind the end of the file starts at a multiple of this.
const METADATA_ALIGN: u64 = 65_536;

/// First byte of the Merkle tree of a file of `size` bytes.
pub(super) fn tree_pos(size: u64) -> u64 {
    size.next_multiple_of(METADATA_ALIGN)
}

/// Reads and checks the descriptor of a sealed file.
pub(super) fn load(fs: &Fs, inode: &Inode) -> Result<Verity> {
    let (ino, size) = (inode.ino, inode.size());
    let metadata = tree_pos(size);
    let error = |pos: u64, reason| Error::Verity {
        ino,
        block: pos / BLOCK,
        reason,
    };
    let value = location(fs, inode)?
        .ok_or_else(|| error(metadata, "nothing says where the descriptor is"))?;
    let place = Location::parse(&value, metadata).map_err(|e| error(metadata, e))?;
    let bytes = read_bytes(fs, inode, place)?;
    let descriptor = Descriptor::parse(&bytes, size).map_err(|e| error(place.pos, e))?;
    let shape = Shape::new(size, descriptor.log_block, descriptor.hash.digest_len())
        .ok_or_else(|| error(place.pos, "the file is too large for a Merkle tree"))?;
    Ok(Verity::new(ino, size, descriptor, shape))
}

fn location(fs: &Fs, inode: &Inode) -> Result<Option<Vec<u8>>> {
    let entries = xattr::load(fs, &mut inode.tree.lock())?;
    let entry = entries
        .into_iter()
        .find(|entry| entry.index == INDEX_VERITY && entry.name == NAME);
    Ok(entry.map(|entry| entry.value))
}

/// A descriptor of at most a few blocks, wherever in its blocks it starts.
fn read_bytes(fs: &Fs, inode: &Inode, place: Location) -> Result<Vec<u8>> {
    let (first, skip) = (place.pos / BLOCK, (place.pos % BLOCK) as usize);
    let end = skip + place.len as usize;
    let mut bytes = Vec::new();
    while bytes.len() < end {
        let block = first + (bytes.len() / BLOCK_SIZE) as u64;
        bytes.extend(read_run(fs, inode, block, 1)?);
    }
    Ok(bytes[skip..end].to_vec())
}

/// Blocks of the file from `block` on, at least one and at most `max`: as far as they lie together on the device.
/// What has no block reads as zeros.
pub(super) fn read_run(fs: &Fs, inode: &Inode, block: u64, max: usize) -> Result<Vec<u8>> {
    let run = find_run(fs, &mut inode.tree.lock(), block, max)?;
    match run {
        Some((start, len)) => fs.meta.device.read_blocks(start, len),
        None => Ok(vec![0; BLOCK_SIZE]),
    }
}

fn find_run(fs: &Fs, tree: &mut Tree, block: u64, max: usize) -> Result<Option<(BlockAddr, u32)>> {
    let slots = match tree.slots(fs, block, max) {
        Ok(Span::Slots(slots)) => slots,
        // Nothing lies where no node reaches.
        Ok(Span::Hole(_)) | Err(Error::TooLarge) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Slot::Block(first) = Slot::from_raw(slots[0]) else {
        return Ok(None);
    };
    let follows = |&(i, &raw): &(usize, &u32)| raw == first.get().wrapping_add(i as u32);
    let len = slots.iter().enumerate().take_while(follows).count() as u32;
    let start = fs.meta.geometry.main_run(first.get(), len)?;
    fs.meta.segments.check_valid(start, len)?;
    Ok(Some((start, len)))
}
