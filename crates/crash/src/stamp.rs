//! Bytes that say where they belong: every sector names the file, the operation and its place, so that a sector
//! of another file, time or place is known for what it is.

use runtime::rng::Rng;

/// Bytes of a sector, the unit that carries a stamp.
const SECTOR: u64 = 512;
/// Bytes of the stamp itself.
const STAMP: usize = 34;

/// How well the bytes compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texture {
    /// To a small part.
    Text,
    /// Not at all.
    Noise,
}

/// The bytes that operation `op` writes into file `file` at byte `pos`.
pub fn stamped(file: u32, op: u32, pos: u64, len: usize, texture: Texture) -> Vec<u8> {
    let end = pos + len as u64;
    let first = pos / SECTOR;
    let mut bytes = Vec::with_capacity(len + 2 * SECTOR as usize);
    for sector in first..end.div_ceil(SECTOR) {
        push_sector(&mut bytes, file, op, sector, texture);
    }
    let start = (pos - first * SECTOR) as usize;
    bytes.drain(..start);
    bytes.truncate(len);
    bytes
}

fn push_sector(bytes: &mut Vec<u8>, file: u32, op: u32, sector: u64, texture: Texture) {
    let end = bytes.len() + SECTOR as usize;
    let stamp = format!("file {file:06} op {op:06} at {sector:08}\n");
    debug_assert_eq!(stamp.len(), STAMP, "all of it is there");
    bytes.extend_from_slice(stamp.as_bytes());
    match texture {
        Texture::Text => {
            let letter = b'a' + ((op + file) % 26) as u8;
            bytes.resize(end, letter);
        }
        Texture::Noise => {
            let mut rng = Rng::seeded(u64::from(file) << 40 ^ u64::from(op) << 20 ^ sector);
            while bytes.len() < end {
                bytes.extend_from_slice(&rng.next_u64().to_le_bytes());
            }
            bytes.truncate(end);
        }
    }
}

/// What a piece of a file looks like, for a message.
pub fn describe(bytes: &[u8]) -> String {
    if bytes.iter().all(|&byte| byte == 0) {
        return "zeros".to_owned();
    }
    let head = &bytes[..STAMP.min(bytes.len())];
    format!("{:?}", String::from_utf8_lossy(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_parts_of_the_whole() {
        for texture in [Texture::Text, Texture::Noise] {
            let whole = stamped(3, 7, 0, 5000, texture);
            assert_eq!(whole.len(), 5000);
            assert_eq!(stamped(3, 7, 700, 2000, texture), whole[700..2700]);
        }
    }

    #[test]
    fn every_sector_tells_file_operation_and_place() {
        let sector = |file, op, pos| stamped(file, op, pos, 512, Texture::Text);
        let one = sector(1, 1, 0);
        assert!(one != sector(2, 1, 0) && one != sector(1, 2, 0));
        assert!(one != sector(1, 1, 512));
        assert!(describe(&one).contains("op 000001"));
    }
}
