//! The content of a device as shared blocks: a copy costs one pointer for each MiB.

use runtime::rng::Rng;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::{Arc, LazyLock};

/// Bytes of a block, the unit that copies share.
const BLOCK: usize = 4096;
/// Blocks of a group, the unit that a copy counts.
const GROUP: usize = 256;
/// Bytes of a group.
const GROUP_BYTES: u64 = (BLOCK * GROUP) as u64;

type Block = Arc<[u8; BLOCK]>;
type Group = Arc<Vec<Option<Block>>>;

/// Bytes of a device. What was never written reads as zeros. Clones share what neither changes.
#[derive(Clone, Debug, Default)]
pub struct Image {
    size: u64,
    groups: Vec<Option<Group>>,
}

impl Image {
    /// All zeros, `size` bytes.
    pub fn new(size: u64) -> Self {
        let groups = vec![None; size.div_ceil(GROUP_BYTES) as usize];
        Self { size, groups }
    }

    /// The content of an image file.
    pub fn load(file: &mut impl io::Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut image = Self::new(bytes.len() as u64);
        for (n, block) in bytes.chunks(BLOCK).enumerate() {
            if block.iter().any(|&byte| byte != 0) {
                image.write((n * BLOCK) as u64, block);
            }
        }
        Ok(image)
    }

    /// Writes it into an empty file, leaving holes where nothing was written, or whole blocks were spoiled.
    pub fn store(&self, file: &mut (impl Write + Seek)) -> io::Result<()> {
        let written = self
            .blocks()
            .filter(|(_, block)| !Arc::ptr_eq(block, &NOISE));
        for (pos, block) in written {
            file.seek(SeekFrom::Start(pos))?;
            file.write_all(&block[..BLOCK.min((self.size - pos) as usize)])?;
        }
        Ok(())
    }

    fn blocks(&self) -> impl Iterator<Item = (u64, &Block)> {
        self.groups.iter().enumerate().flat_map(|(g, group)| {
            let blocks = group.iter().flat_map(|group| group.iter().enumerate());
            blocks.filter_map(move |(b, block)| {
                let pos = g as u64 * GROUP_BYTES + (b * BLOCK) as u64;
                block.as_ref().map(|block| (pos, block))
            })
        })
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads `buf.len()` bytes at `pos`, which are inside.
    pub fn read(&self, pos: u64, buf: &mut [u8]) {
        for (group, block, inside, at, bytes) in pieces(pos, buf.len()) {
            let found = self.groups[group].as_ref().and_then(|g| g[block].as_ref());
            let target = &mut buf[at..at + bytes];
            match found {
                Some(data) => target.copy_from_slice(&data[inside..inside + bytes]),
                None => target.fill(0),
            }
        }
    }

    /// Writes `data` at `pos`; all of it is inside.
    pub fn write(&mut self, pos: u64, data: &[u8]) {
        for (group, block, inside, at, bytes) in pieces(pos, data.len()) {
            let group = self.groups[group].get_or_insert_with(|| Arc::new(vec![None; GROUP]));
            let slot = &mut Arc::make_mut(group)[block];
            let source = &data[at..at + bytes];
            if bytes == BLOCK {
                // The usual case: nothing of the old block is kept, so nothing is copied.
                let mut whole = [0; BLOCK];
                whole.copy_from_slice(source);
                *slot = Some(Arc::new(whole));
            } else {
                let target = slot.get_or_insert_with(|| Arc::new([0; BLOCK]));
                Arc::make_mut(target)[inside..inside + bytes].copy_from_slice(source);
            }
        }
    }

    /// Makes a range read as noise, as a device may let a discarded one.
    pub fn spoil(&mut self, pos: u64, len: u64) {
        for (group, block, inside, _, bytes) in pieces(pos, len as usize) {
            let group = self.groups[group].get_or_insert_with(|| Arc::new(vec![None; GROUP]));
            let slot = &mut Arc::make_mut(group)[block];
            if bytes == BLOCK {
                *slot = Some(Arc::clone(&NOISE));
            } else {
                let target = slot.get_or_insert_with(|| Arc::new([0; BLOCK]));
                let part = inside..inside + bytes;
                Arc::make_mut(target)[part.clone()].copy_from_slice(&NOISE[part]);
            }
        }
    }
}

/// What discarded blocks read as: nothing that could be taken for a block of a volume.
static NOISE: LazyLock<Block> = LazyLock::new(|| {
    let mut rng = Rng::seeded(0x0D15_CA2D);
    Arc::new(std::array::from_fn(|_| rng.next_u32() as u8))
});

/// Cuts `[pos, pos + len)` at block borders: (group, block in it, offset in that, offset in the buffer, bytes).
fn pieces(pos: u64, len: usize) -> impl Iterator<Item = (usize, usize, usize, usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        (at < len).then(|| {
            let here = pos + at as u64;
            let inside = (here % BLOCK as u64) as usize;
            let bytes = (BLOCK - inside).min(len - at);
            let block = (here % GROUP_BYTES) as usize / BLOCK;
            let piece = ((here / GROUP_BYTES) as usize, block, inside, at, bytes);
            at += bytes;
            piece
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(image: &Image, pos: u64, len: usize) -> Vec<u8> {
        let mut buf = vec![0xEE; len];
        image.read(pos, &mut buf);
        buf
    }

    #[test]
    fn bytes_come_back_across_blocks_and_groups() {
        let mut image = Image::new(3 << 20);
        let data: Vec<u8> = (0..9000u32).map(|n| (n % 251) as u8).collect();
        let pos = (1 << 20) - 4500;
        image.write(pos, &data);
        assert_eq!(read(&image, pos, 9000), data);
        assert_eq!(read(&image, pos - 1, 1), [0]);
        assert_eq!(read(&image, pos + 9000, 1), [0]);
    }

    #[test]
    fn a_copy_does_not_see_later_writes() {
        let mut image = Image::new(1 << 20);
        image.write(0, &[1; 8192]);
        let copy = image.clone();
        image.write(4000, &[2; 200]);
        assert_eq!(read(&copy, 0, 8192), [1; 8192]);
        assert_eq!(read(&image, 4000, 200), [2; 200]);
        assert_eq!(read(&image, 3999, 1), [1]);
    }

    #[test]
    fn spoiled_ranges_keep_nothing() {
        let mut image = Image::new(1 << 20);
        image.write(0, &[1; 12288]);
        let copy = image.clone();
        image.spoil(4000, 4200);
        for (pos, len) in [(4000, 96), (4096, 4096), (8192, 8)] {
            let spoiled = read(&image, pos, len);
            assert!(spoiled.iter().filter(|&&byte| byte <= 1).count() < len / 2);
        }
        assert_eq!(
            (read(&image, 3999, 1), read(&image, 8200, 1)),
            (vec![1], vec![1])
        );
        assert_eq!(read(&copy, 0, 12288), [1; 12288]);
    }

    #[test]
    fn files_hold_the_same_bytes() {
        let mut image = Image::new(10_000);
        image.write(5000, &[7; 5000]);
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(image.size()).unwrap();
        image.store(&mut file).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let back = Image::load(&mut file).unwrap();
        assert_eq!(back.size(), 10_000);
        assert_eq!(read(&back, 0, 10_000), read(&image, 0, 10_000));
    }
}
