//! The one checksum of the format: reflected CRC-32 (polynomial 0xEDB88320) whose seed is the
//! starting register, with no inversion at either end.

/// Marks a superblock and seeds the superblock, checkpoint and cluster checksums.
pub const F2FS_MAGIC: u32 = 0xF2F5_2010;

/// Bytes taken in one step of the table walk.
const SLICE: usize = 16;

/// `TABLES[k][b]` is byte `b` pushed through the register and then followed by `k` zero bytes.
static TABLES: [[u32; 256]; SLICE] = make_tables();

const fn make_tables() -> [[u32; 256]; SLICE] {
    let mut tables = [[0u32; 256]; SLICE];
    let mut byte = 0;
    while byte < 256 {
        let mut reg = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            reg = if reg & 1 == 1 {
                (reg >> 1) ^ 0xEDB8_8320
            } else {
                reg >> 1
            };
            bit += 1;
        }
        tables[0][byte] = reg;
        byte += 1;
    }
    let mut slice = 1;
    while slice < SLICE {
        let mut byte = 0;
        while byte < 256 {
            let prev = tables[slice - 1][byte];
            tables[slice][byte] = (prev >> 8) ^ tables[0][(prev & 0xFF) as usize];
            byte += 1;
        }
        slice += 1;
    }
    tables
}

/// Four bytes pushed through the register and then followed by `zeros` zero bytes.
fn step(word: u32, zeros: usize) -> u32 {
    let [a, b, c, d] = word.to_le_bytes().map(usize::from);
    TABLES[zeros + 3][a] ^ TABLES[zeros + 2][b] ^ TABLES[zeros + 1][c] ^ TABLES[zeros][d]
}

/// The checksum of `bytes` from the register value `seed`; chain calls by passing the result on.
pub fn crc32(seed: u32, bytes: &[u8]) -> u32 {
    let (chunks, tail) = bytes.as_chunks::<SLICE>();
    let mut reg = seed;
    for chunk in chunks {
        let word = |at: usize| u32::from_le_bytes(*chunk[at..].first_chunk().expect("in chunk"));
        reg = step(reg ^ word(0), 12) ^ step(word(4), 8) ^ step(word(8), 4) ^ step(word(12), 0);
    }
    for &byte in tail {
        reg = (reg >> 8) ^ TABLES[0][usize::from(reg as u8 ^ byte)];
    }
    reg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors() {
        assert_eq!(crc32(F2FS_MAGIC, b"123456789"), 0x1657_A0C3);
        assert_eq!(crc32(0xFFFF_FFFF, b"123456789"), 0x340B_C6D9);
        assert_eq!(crc32(F2FS_MAGIC, &[0; 4096]), 0xA6AE_8BAD);
        let mut uuid = [0x11; 16];
        uuid[4..6].fill(0x22);
        uuid[6..8].fill(0x33);
        uuid[8..10].fill(0x44);
        uuid[10..].fill(0x55);
        assert_eq!(crc32(0xFFFF_FFFF, &uuid), 0x7176_1039);
    }

    #[test]
    fn chaining_at_any_cut_gives_the_same_sum() {
        let bytes: [u8; 100] = core::array::from_fn(|i| (i * 37) as u8);
        let whole = crc32(7, &bytes);
        for cut in 0..bytes.len() {
            assert_eq!(crc32(crc32(7, &bytes[..cut]), &bytes[cut..]), whole);
        }
    }
}
