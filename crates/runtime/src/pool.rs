//! Page-aligned buffers of 2^order pages.
//!
//! Chunks of 2 MiB come from the system, aligned so that huge pages can back them, and are split by a buddy
//! allocator. A [`Buffer`] is reached only through [`ReadSlice`] and [`WriteSlice`], which claim their bytes in
//! the buffer's [`RangeLock`]; that makes concurrent use from many threads sound without a copy.
//!
//! # Invariants
//! 1. Memory comes from anonymous mappings, so every byte is initialised; a reused buffer holds old bytes, never
//!    undefined ones.
//! 2. Two live buffers never overlap: a block leaves the free lists when it is handed out and returns on drop.
//!
//! # Locking
//! The buddy lists are one leaf lock, taken once for each buffer made or dropped.
#![expect(
    unsafe_code,
    reason = "the one place that turns mapped memory into slices"
)]

use crate::range_lock::{Access, RangeLock};
use crate::sync::{Mutex, Rank};
use crate::{MAX_ORDER, PAGE_SIZE};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;
use std::sync::Arc;

const CHUNK: usize = PAGE_SIZE << MAX_ORDER;
/// Free chunks kept for the next buffer instead of going back to the system.
const IDLE_CHUNKS: usize = 16;

/// Where buffers come from. Clones share one pool.
#[derive(Clone, Debug)]
pub struct BufferPool {
    buddy: Arc<Mutex<Buddy>>,
}

/// Free blocks by order, as addresses. A block's buddy is at its address xor its size, since chunks are aligned
/// to their own size.
#[derive(Debug, Default)]
struct Buddy {
    free: [BTreeSet<usize>; MAX_ORDER as usize + 1],
}

impl Default for BufferPool {
    fn default() -> Self {
        Self {
            buddy: Arc::new(Mutex::new(Rank::LEAF, Buddy::default())),
        }
    }
}

impl BufferPool {
    /// A buffer of `PAGE_SIZE << order` bytes with arbitrary content.
    ///
    /// # Errors
    /// The system's, when it has no memory.
    ///
    /// # Panics
    /// If `order` is above [`MAX_ORDER`].
    pub fn alloc(&self, order: u8) -> std::io::Result<Buffer> {
        assert!(order <= MAX_ORDER);
        let mut buddy = self.buddy.lock();
        let addr = if let Some(addr) = buddy.take(order) {
            addr
        } else {
            let chunk = map_chunk()?;
            buddy.free[MAX_ORDER as usize].insert(chunk);
            buddy.take(order).expect("a whole chunk was just added")
        };
        drop(buddy);
        let start = NonNull::new(addr as *mut u8).expect("mappings are never at address 0");
        Ok(Buffer {
            start,
            order,
            pool: self.clone(),
            claims: RangeLock::default(),
        })
    }
}

impl Buddy {
    fn take(&mut self, order: u8) -> Option<usize> {
        let from = (order..=MAX_ORDER).find(|&o| !self.free[o as usize].is_empty())?;
        let addr = self.free[from as usize].pop_first()?;
        for o in order..from {
            self.free[o as usize].insert(addr + (PAGE_SIZE << o));
        }
        Some(addr)
    }

    /// Returns a block; gives back the address of a chunk to unmap if too many are idle.
    fn put(&mut self, mut addr: usize, mut order: u8) -> Option<usize> {
        while order < MAX_ORDER && self.free[order as usize].remove(&(addr ^ (PAGE_SIZE << order)))
        {
            addr &= !(PAGE_SIZE << order);
            order += 1;
        }
        let idle = &mut self.free[MAX_ORDER as usize];
        if order == MAX_ORDER && idle.len() >= IDLE_CHUNKS {
            return Some(addr);
        }
        self.free[order as usize].insert(addr);
        None
    }
}

impl Drop for Buddy {
    fn drop(&mut self) {
        // Every buffer holds the pool, so all blocks are back and merged.
        for &chunk in &self.free[MAX_ORDER as usize] {
            unmap(chunk, CHUNK);
        }
    }
}

fn map_chunk() -> std::io::Result<usize> {
    // Twice the size always contains an aligned chunk; the rest goes back at once.
    // SAFETY: an anonymous mapping at an address of the system's choice touches no existing memory.
    let base = unsafe {
        mmap_anonymous(
            std::ptr::null_mut(),
            2 * CHUNK,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE,
        )?
    } as usize;
    let chunk = base.next_multiple_of(CHUNK);
    if chunk > base {
        unmap(base, chunk - base);
    }
    unmap(chunk + CHUNK, base + CHUNK - chunk);
    // SAFETY: the range was mapped above; the advice changes no content. Systems without huge pages refuse it,
    // which costs speed only.
    let _ = unsafe { madvise(chunk as *mut _, CHUNK, Advice::LinuxHugepage) };
    Ok(chunk)
}

fn unmap(addr: usize, len: usize) {
    if len == 0 {
        return;
    }
    // SAFETY: callers pass ranges of their own mappings that nothing refers to any more.
    let done = unsafe { munmap(addr as *mut _, len) };
    debug_assert!(done.is_ok());
}

/// A page-aligned piece of memory, reached through [`Buffer::read`] and [`Buffer::write`].
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    order: u8,
    pool: BufferPool,
    claims: RangeLock,
}

// SAFETY: the memory belongs to this buffer alone (module invariant 2) and every access claims its range first.
unsafe impl Send for Buffer {}
// SAFETY: as above; claims are taken under a lock.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Its order: it holds `PAGE_SIZE << order` bytes.
    pub fn order(&self) -> u8 {
        self.order
    }

    /// Its length in bytes, never 0.
    #[expect(clippy::len_without_is_empty, reason = "a buffer is never empty")]
    pub fn len(&self) -> usize {
        PAGE_SIZE << self.order
    }

    /// Claims `range` for reading; waits for writers of the same bytes.
    ///
    /// # Panics
    /// If the range is not inside the buffer.
    pub fn read(self: &Arc<Self>, range: Range<usize>) -> ReadSlice {
        self.claim(&range, Access::Shared);
        ReadSlice {
            buffer: Arc::clone(self),
            range,
        }
    }

    /// Claims `range` for writing; waits for everybody else at the same bytes.
    ///
    /// # Panics
    /// If the range is not inside the buffer.
    pub fn write(self: &Arc<Self>, range: Range<usize>) -> WriteSlice {
        self.claim(&range, Access::Exclusive);
        WriteSlice {
            buffer: Arc::clone(self),
            range,
        }
    }

    fn claim(&self, range: &Range<usize>, access: Access) {
        assert!(
            range.start <= range.end && range.end <= self.len(),
            "range inside the buffer"
        );
        self.claims.claim(range.clone(), access);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let idle = self
            .pool
            .buddy
            .lock()
            .put(self.start.as_ptr() as usize, self.order);
        if let Some(chunk) = idle {
            unmap(chunk, CHUNK);
        }
    }
}

/// Bytes of a buffer, shared with other readers; released on drop.
#[derive(Debug)]
pub struct ReadSlice {
    buffer: Arc<Buffer>,
    range: Range<usize>,
}

impl Deref for ReadSlice {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: 1. the range lies inside the live buffer (checked in `claim`); 2. it is initialised (module
        // invariant 1); 3. the claim held by self keeps writers away until drop.
        unsafe {
            let start = self.buffer.start.as_ptr().add(self.range.start);
            std::slice::from_raw_parts(start, self.range.len())
        }
    }
}

impl Drop for ReadSlice {
    fn drop(&mut self) {
        self.buffer.claims.release(&self.range, Access::Shared);
    }
}

/// Bytes of a buffer, owned alone; released on drop.
#[derive(Debug)]
pub struct WriteSlice {
    buffer: Arc<Buffer>,
    range: Range<usize>,
}

impl Deref for WriteSlice {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: as for ReadSlice; the claim is exclusive.
        unsafe {
            let start = self.buffer.start.as_ptr().add(self.range.start);
            std::slice::from_raw_parts(start, self.range.len())
        }
    }
}

impl DerefMut for WriteSlice {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for ReadSlice; the claim is exclusive and self is borrowed mutably.
        unsafe {
            let start = self.buffer.start.as_ptr().add(self.range.start);
            std::slice::from_raw_parts_mut(start, self.range.len())
        }
    }
}

impl Drop for WriteSlice {
    fn drop(&mut self) {
        self.buffer.claims.release(&self.range, Access::Exclusive);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_disjoint() {
        let pool = BufferPool::default();
        let buffers: Vec<_> = (0..40)
            .map(|n| Arc::new(pool.alloc(n % (MAX_ORDER + 1)).unwrap()))
            .collect();
        for (n, buffer) in buffers.iter().enumerate() {
            assert_eq!(buffer.start.as_ptr() as usize % buffer.len(), 0);
            buffer.write(0..buffer.len()).fill(n as u8);
        }
        for (n, buffer) in buffers.iter().enumerate() {
            assert!(buffer.read(0..buffer.len()).iter().all(|&b| b == n as u8));
        }
    }

    #[test]
    fn freed_blocks_merge_into_whole_chunks() {
        let pool = BufferPool::default();
        let pages: Vec<_> = (0..1024).map(|_| pool.alloc(0).unwrap()).collect();
        drop(pages);
        let buddy = pool.buddy.lock();
        assert!(
            buddy.free[..MAX_ORDER as usize]
                .iter()
                .all(BTreeSet::is_empty)
        );
        assert_eq!(buddy.free[MAX_ORDER as usize].len(), 2);
    }

    #[test]
    fn disjoint_ranges_are_written_at_once() {
        let buffer = Arc::new(BufferPool::default().alloc(1).unwrap());
        let mut low = buffer.write(0..4096);
        let mut high = buffer.write(4096..8192);
        low.fill(1);
        high.fill(2);
        drop((low, high));
        assert_eq!(&buffer.read(4095..4097)[..], &[1, 2]);
    }
}
