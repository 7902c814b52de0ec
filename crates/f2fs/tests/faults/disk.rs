//! A disk with a volatile cache, whose copies cost nothing: what a power cut leaves is what was flushed.

use blockdev::{Bio, BlockDevice, DeviceError, DeviceOp};
use std::collections::HashMap;
use std::io::{Seek, SeekFrom, Write};
use std::sync::{Arc, LazyLock, Mutex};

const BLOCK: usize = 4096;

type Blocks = HashMap<u64, Arc<[u8; BLOCK]>>;

/// What discarded blocks read as.
static NOISE: LazyLock<Arc<[u8; BLOCK]>> =
    LazyLock::new(|| Arc::new(std::array::from_fn(|n| (n * n + 7 * n + 13) as u8)));

#[derive(Clone, Debug, Default)]
struct Content {
    /// What survives a power cut.
    flushed: Blocks,
    /// What may not.
    cached: Blocks,
}

impl Content {
    fn block(&self, index: u64, base: &Blocks) -> [u8; BLOCK] {
        let late = self.cached.get(&index).or_else(|| self.flushed.get(&index));
        late.or_else(|| base.get(&index))
            .map_or([0; BLOCK], |b| **b)
    }

    fn write(&mut self, pos: u64, data: &[u8], base: &Blocks) {
        let mut at = pos;
        let mut rest = data;
        while !rest.is_empty() {
            let (index, inside) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let len = rest.len().min(BLOCK - inside);
            let mut block = self.block(index, base);
            block[inside..inside + len].copy_from_slice(&rest[..len]);
            self.cached.insert(index, Arc::new(block));
            at += len as u64;
            rest = &rest[len..];
        }
    }

    fn flush(&mut self) {
        self.flushed.extend(self.cached.drain());
    }
}

/// The disk.
#[derive(Debug)]
pub(crate) struct Disk {
    size: u64,
    base: Arc<Blocks>,
    content: Mutex<Content>,
}

impl Disk {
    fn with(size: u64, base: Arc<Blocks>, content: Content) -> Arc<Self> {
        let content = Mutex::new(content);
        Arc::new(Self {
            size,
            base,
            content,
        })
    }

    /// All zeros.
    pub(crate) fn new(size: u64) -> Arc<Self> {
        Self::with(size, Arc::default(), Content::default())
    }

    /// Writes an image to it.
    pub(crate) fn load(&self, image: &[u8]) {
        let mut content = self.content.lock().unwrap();
        for (index, block) in (0..).zip(image.chunks(BLOCK)) {
            if block.iter().any(|&b| b != 0) {
                content.write(index * BLOCK as u64, block, &self.base);
            }
        }
        content.flush();
    }

    /// What is on it now, as the start of many runs.
    pub(crate) fn freeze(&self) -> Arc<Self> {
        let content = self.content.lock().unwrap();
        let mut base = Blocks::clone(&self.base);
        base.extend(content.flushed.clone());
        base.extend(content.cached.clone());
        Self::with(self.size, Arc::new(base), Content::default())
    }

    /// A copy with everything that was written.
    pub(crate) fn fork(&self) -> Arc<Self> {
        let mut content = self.content.lock().unwrap().clone();
        content.flush();
        Self::with(self.size, Arc::clone(&self.base), content)
    }

    /// A copy with what a power cut leaves at worst.
    pub(crate) fn cut(&self) -> Arc<Self> {
        let flushed = self.content.lock().unwrap().flushed.clone();
        let content = Content {
            flushed,
            cached: Blocks::new(),
        };
        Self::with(self.size, Arc::clone(&self.base), content)
    }

    /// Asserts that `fsck.f2fs` finds nothing wrong.
    pub(crate) fn assert_clean(&self, name: &str) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(self.size).unwrap();
        let content = self.content.lock().unwrap().clone();
        let late = content.flushed.keys().chain(content.cached.keys());
        for &index in self.base.keys().chain(late) {
            if content.block(index, &self.base) == **NOISE {
                continue;
            }
            file.seek(SeekFrom::Start(index * BLOCK as u64)).unwrap();
            file.write_all(&content.block(index, &self.base)).unwrap();
        }
        if let Some(text) = testkit::fsck::complaints(file.path()) {
            panic!("{name}: {text}");
        }
    }

    fn check(&self, op: DeviceOp, pos: u64, len: u64) -> Result<(), DeviceError> {
        match pos.checked_add(len) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(DeviceError::past_end(op, pos, len, self.size)),
        }
    }
}

impl BlockDevice for Disk {
    fn size_bytes(&self) -> u64 {
        self.size
    }

    fn is_read_only(&self) -> bool {
        false
    }

    fn submit(&self, bio: Bio) {
        bio.transfer(self);
    }

    fn read_at(&self, pos: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.check(DeviceOp::Read, pos, buf.len() as u64)?;
        assert!(pos.is_multiple_of(BLOCK as u64) || buf.len() < BLOCK);
        let content = self.content.lock().unwrap();
        let inside = (pos % BLOCK as u64) as usize;
        for (index, piece) in (pos / BLOCK as u64..).zip(buf.chunks_mut(BLOCK)) {
            let block = content.block(index, &self.base);
            piece.copy_from_slice(&block[inside..inside + piece.len()]);
        }
        Ok(())
    }

    fn write_at(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.check(DeviceOp::Write, pos, data.len() as u64)?;
        self.content.lock().unwrap().write(pos, data, &self.base);
        Ok(())
    }

    fn write_durable(&self, pos: u64, data: &[u8]) -> Result<(), DeviceError> {
        self.write_at(pos, data)?;
        let mut content = self.content.lock().unwrap();
        let first = pos / BLOCK as u64;
        for index in first..first + data.len() as u64 / BLOCK as u64 {
            if let Some(block) = content.cached.remove(&index) {
                content.flushed.insert(index, block);
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.content.lock().unwrap().flush();
        Ok(())
    }

    /// As bad as can be: nothing is left, at once and for good.
    fn discard(&self, pos: u64, len: u64) -> Result<(), DeviceError> {
        self.check(DeviceOp::Discard, pos, len)?;
        let mut content = self.content.lock().unwrap();
        let block = BLOCK as u64;
        for index in pos.div_ceil(block)..(pos + len) / block {
            content.cached.remove(&index);
            content.flushed.insert(index, Arc::clone(&NOISE));
        }
        Ok(())
    }
}
