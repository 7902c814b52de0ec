//! Bytes that follow from the file, the version and the place: about half of them compress.

use runtime::rng::Rng;

/// Bytes that have one version.
pub const GRAIN: u64 = 1024;
/// Every so manieth file does not compress at all.
const NOISY: u32 = 8;

/// Fills `out` with what `version` of a file has at byte `pos`.
pub fn fill(out: &mut [u8], file: u32, version: u32, pos: u64) {
    let mut done = 0;
    while done < out.len() {
        let at = pos + done as u64;
        let grain = grain(file, version, at / GRAIN);
        let start = (at % GRAIN) as usize;
        let len = (grain.len() - start).min(out.len() - done);
        out[done..done + len].copy_from_slice(&grain[start..start + len]);
        done += len;
    }
}

/// One grain: noise, then a letter to its end.
fn grain(file: u32, version: u32, index: u64) -> [u8; GRAIN as usize] {
    let stamp = u64::from(file) << 40 ^ u64::from(version) << 16 ^ index;
    let mut rng = Rng::seeded(stamp);
    let mut bytes = [b'a' + (version % 26) as u8; GRAIN as usize];
    let noise = if file % NOISY == NOISY - 1 {
        bytes.len()
    } else {
        320 + rng.below(32) as usize * 8
    };
    for word in bytes[..noise].chunks_exact_mut(8) {
        word.copy_from_slice(&rng.next_u64().to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_parts_of_the_whole() {
        let mut whole = vec![0; 5000];
        fill(&mut whole, 3, 9, 700);
        let mut piece = vec![0; 1500];
        fill(&mut piece, 3, 9, 2200);
        assert!(piece == whole[1500..3000]);
    }

    #[test]
    fn files_versions_and_places_differ() {
        let of = |file, version, index| grain(file, version, index);
        let all = [of(1, 1, 1), of(2, 1, 1), of(1, 2, 1), of(1, 1, 2)];
        for (n, one) in all.iter().enumerate() {
            assert!(all[n + 1..].iter().all(|other| other[..64] != one[..64]));
        }
    }
}
