//! Blocks that tell by themselves whether they are whole: a tag, and bytes that follow from it.

use anyhow::{Result, ensure};
use fastrand::Rng;

/// Bytes of a block. Shared files are only written, cut and punched at its multiples.
pub(crate) const BLOCK: usize = 4096;
/// Bytes of the tag.
const TAG: usize = 8;

/// A block of this tag, which is never 0. Odd tags make noise, even ones compress.
pub(crate) fn block(tag: u64) -> Vec<u8> {
    let tag = tag.max(1);
    let mut bytes = vec![0; BLOCK];
    bytes[..TAG].copy_from_slice(&tag.to_le_bytes());
    if tag % 2 == 1 {
        Rng::with_seed(tag).fill(&mut bytes[TAG..]);
    } else {
        let line = tag.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        for part in bytes[TAG..].chunks_mut(line.len()) {
            part.copy_from_slice(&line[..part.len()]);
        }
    }
    bytes
}

/// Fails unless each block is zero or whole.
pub(crate) fn check(bytes: &[u8]) -> Result<()> {
    ensure!(
        bytes.len().is_multiple_of(BLOCK),
        "the size {} is no multiple of a block",
        bytes.len()
    );
    for (n, found) in bytes.chunks(BLOCK).enumerate() {
        let tag = u64::from_le_bytes(found[..TAG].try_into()?);
        let expected = if tag == 0 { vec![0; BLOCK] } else { block(tag) };
        ensure!(found == expected, "block {n} is torn, its tag is {tag:#x}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_is_found() {
        for tag in [1, 2, 77, u64::MAX] {
            let mut bytes = [block(tag), vec![0; BLOCK]].concat();
            check(&bytes).unwrap();
            for at in [TAG, BLOCK - 1, BLOCK, 2 * BLOCK - 1] {
                bytes[at] ^= 1;
                assert!(check(&bytes).is_err(), "tag {tag}, byte {at}");
                bytes[at] ^= 1;
            }
        }
    }
}
