//! Directories from inside: positions and hashes.

mod folded;
mod listing;

use super::block;
use crate::data::DataOps;
use crate::device::Device;
use crate::fs::Fs;
use crate::inode::{Inode, NewFile};
use crate::meta::{Metadata, OpenMode};
use crate::ops::handle::OpenInode;
use crate::ops::{namei, path};
use crate::options::VolumeOptions;
use blockdev::{BlockDevice, MemDevice};
use f2fs_format::FileType;
use f2fs_format::dentry::{DentryView, Layout};
use f2fs_offline::FormatOptions;
use std::sync::Arc;

const MIB: u64 = 1 << 20;

/// The volume on a device.
fn open(device: Arc<dyn BlockDevice>) -> Arc<Fs> {
    let meta = Metadata::open(Arc::new(Device::new(device)), OpenMode::ReadWrite).unwrap();
    Fs::new(meta, VolumeOptions::default()).unwrap()
}

/// A fresh volume in memory.
fn fresh(size: u64) -> (Arc<MemDevice>, Arc<Fs>) {
    let device = Arc::new(MemDevice::new(size));
    f2fs_offline::format(&*device, &FormatOptions::new(size)).unwrap();
    (Arc::clone(&device), open(device))
}

fn make(fs: &Arc<Fs>, parent: &Arc<Inode>, name: &[u8], file_type: FileType) -> OpenInode {
    let new = NewFile {
        umask: 0,
        file_type,
        permissions: 0o755,
        uid: 0,
        gid: 0,
        device: None,
        name,
    };
    namei::create(fs, parent, &new, b"").unwrap()
}

fn find(fs: &Arc<Fs>, path: &str) -> OpenInode {
    path::resolve(fs, path.as_bytes(), path::Final::Keep).unwrap()
}

/// Every entry as it is stored, with its hash.
fn stored(fs: &Fs, dir: &Arc<Inode>) -> Vec<(Vec<u8>, u32)> {
    let entries = |view: DentryView<'_>| -> Vec<_> {
        let entries = view.entries().map(Result::unwrap);
        let named = entries.filter(|d| !d.is_dot());
        named.map(|d| (d.name.to_vec(), d.hash)).collect()
    };
    if block::is_inline(dir) {
        let (area, layout) = block::inline_area(dir);
        return entries(DentryView::new(&area, layout).unwrap());
    }
    let ops = DataOps::new(fs, dir);
    let mut out = Vec::new();
    let mut next = 0;
    while let Some(index) = block::next_used(&ops, next).unwrap() {
        let area = block::read(&ops, index).unwrap();
        out.extend(entries(DentryView::new(&area[..], Layout::BLOCK).unwrap()));
        next = index + 1;
    }
    out
}
