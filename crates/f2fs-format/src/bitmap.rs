//! Bit access in the two orders of the format. SIT valid maps and the checkpoint's version bitmaps
//! are MSB first; dentry bitmaps are LSB first.
//!
//! # Invariants
//! No call panics: a bit outside the map reads as clear and cannot be changed.

/// The number of set bits.
pub fn count_ones(map: &[u8]) -> u32 {
    map.iter().map(|byte| byte.count_ones()).sum()
}

fn test_mask(map: &[u8], n: usize, mask: u8) -> bool {
    map.get(n >> 3).is_some_and(|byte| byte & mask != 0)
}

fn set_mask(map: &mut [u8], n: usize, mask: u8) -> bool {
    map.get_mut(n >> 3).is_some_and(|byte| {
        let old = *byte & mask != 0;
        *byte |= mask;
        old
    })
}

fn clear_mask(map: &mut [u8], n: usize, mask: u8) -> bool {
    map.get_mut(n >> 3).is_some_and(|byte| {
        let old = *byte & mask != 0;
        *byte &= !mask;
        old
    })
}

/// Bit `n` is mask `0x80 >> (n & 7)` of byte `n >> 3`.
pub mod msb {
    const fn mask(n: usize) -> u8 {
        0x80 >> (n & 7)
    }

    /// Whether bit `n` is set.
    pub fn test(map: &[u8], n: usize) -> bool {
        super::test_mask(map, n, mask(n))
    }

    /// Sets bit `n` and returns what it was.
    pub fn set(map: &mut [u8], n: usize) -> bool {
        super::set_mask(map, n, mask(n))
    }

    /// Clears bit `n` and returns what it was.
    pub fn clear(map: &mut [u8], n: usize) -> bool {
        super::clear_mask(map, n, mask(n))
    }

    /// The first clear bit at or after `from`, or `None` if all the rest of the map is set.
    pub fn find_zero_from(map: &[u8], from: usize) -> Option<usize> {
        find(map, from, 0xFF)
    }

    /// The first set bit at or after `from`.
    pub fn find_one_from(map: &[u8], from: usize) -> Option<usize> {
        find(map, from, 0)
    }

    /// The first bit that differs from those of `flip` (all ones or all zeros).
    fn find(map: &[u8], from: usize, flip: u8) -> Option<usize> {
        let first = from >> 3;
        for (i, byte) in map.iter().enumerate().skip(first) {
            let mut wanted = byte ^ flip;
            if i == first {
                wanted &= 0xFF >> (from & 7);
            }
            if wanted != 0 {
                return Some(i * 8 + wanted.leading_zeros() as usize);
            }
        }
        None
    }
}

/// Bit `n` is mask `1 << (n & 7)` of byte `n >> 3`.
pub mod lsb {
    const fn mask(n: usize) -> u8 {
        1 << (n & 7)
    }

    /// Whether bit `n` is set.
    pub fn test(map: &[u8], n: usize) -> bool {
        super::test_mask(map, n, mask(n))
    }

    /// Sets bit `n` and returns what it was.
    pub fn set(map: &mut [u8], n: usize) -> bool {
        super::set_mask(map, n, mask(n))
    }

    /// Clears bit `n` and returns what it was.
    pub fn clear(map: &mut [u8], n: usize) -> bool {
        super::clear_mask(map, n, mask(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_differ() {
        let mut map = [0u8; 2];
        assert!(!msb::set(&mut map, 0));
        assert!(!lsb::set(&mut map, 9));
        assert_eq!(map, [0x80, 0x02]);
        assert!(msb::test(&map, 14) && lsb::test(&map, 7));
        assert!(msb::clear(&mut map, 0) && lsb::clear(&mut map, 9));
        assert_eq!(count_ones(&map), 0);
    }

    #[test]
    fn out_of_range_is_inert() {
        let mut map = [0xFFu8];
        assert!(!msb::test(&map, 8) && !msb::set(&mut map, 8) && !lsb::clear(&mut map, usize::MAX));
        assert_eq!(msb::find_zero_from(&map, 0), None);
        assert_eq!(msb::find_one_from(&map, 100), None);
    }

    #[test]
    fn find_agrees_with_a_scan() {
        let map = [0xFF, 0x00, 0xA5, 0x7F, 0xFE];
        for from in 0..48 {
            let zero = (from..40).find(|&n| !msb::test(&map, n));
            let one = (from..40).find(|&n| msb::test(&map, n));
            assert_eq!(msb::find_zero_from(&map, from), zero);
            assert_eq!(msb::find_one_from(&map, from), one);
        }
    }
}
