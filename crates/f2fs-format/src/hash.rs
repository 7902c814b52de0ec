//! The hash of names, and the levels and buckets that it sorts dentry blocks into.

/// Most levels of a directory.
pub const MAX_DIR_HASH_DEPTH: u32 = 63;

/// Most blocks that one directory's hash levels span, as a bound for callers' arithmetic.
const MAX_BUCKETS: u32 = 1 << 30;

const DELTA: u32 = 0x9E37_79B9;
const ROUNDS: u32 = 16;
/// Bytes of a name that one pass takes.
const STEP: usize = 16;

/// The hash of a name as it is stored; `.` and `..` have 0. Names of directories that ignore case
/// are to be folded first.
pub fn dentry_hash(name: &[u8]) -> u32 {
    if matches!(name, b"." | b"..") {
        return 0;
    }
    let mut state = [0x6745_2301, 0xEFCD_AB89];
    let mut rest = name;
    loop {
        tea(&mut state, key(rest));
        match rest.get(STEP..) {
            Some(next) if !next.is_empty() => rest = next,
            _ => return state[0],
        }
    }
}

/// Packs the next 16 bytes of a name into a key; what is missing is padded with the remaining
/// length.
fn key(rest: &[u8]) -> [u32; 4] {
    let len = rest.len() as u32;
    let pad = len | len << 8;
    let pad = pad | pad << 16;
    let mut words = [pad; 4];
    for (word, bytes) in words.iter_mut().zip(rest.chunks(4)) {
        for &byte in bytes {
            *word = (*word << 8).wrapping_add(u32::from(byte));
        }
    }
    words
}

fn tea(state: &mut [u32; 2], key: [u32; 4]) {
    let [mut x, mut y] = *state;
    let mut sum = 0u32;
    for _ in 0..ROUNDS {
        sum = sum.wrapping_add(DELTA);
        x = x.wrapping_add(mix(y, key[0], key[1], sum));
        y = y.wrapping_add(mix(x, key[2], key[3], sum));
    }
    state[0] = state[0].wrapping_add(x);
    state[1] = state[1].wrapping_add(y);
}

const fn mix(word: u32, left: u32, right: u32, sum: u32) -> u32 {
    (word << 4).wrapping_add(left) ^ word.wrapping_add(sum) ^ (word >> 5).wrapping_add(right)
}

/// Buckets of a level in a directory with this `i_dir_level`.
pub const fn buckets(level: u32, dir_level: u8) -> u32 {
    let bits = level.saturating_add(dir_level as u32);
    if bits < MAX_DIR_HASH_DEPTH / 2 {
        1 << bits
    } else {
        MAX_BUCKETS
    }
}

/// Blocks of each bucket of a level.
pub const fn bucket_blocks(level: u32) -> u32 {
    if level < MAX_DIR_HASH_DEPTH / 2 { 2 } else { 4 }
}

/// The directory block where a bucket starts. `level` is below [`MAX_DIR_HASH_DEPTH`].
pub fn first_block(level: u32, dir_level: u8, bucket: u32) -> u64 {
    let blocks = |level| u64::from(buckets(level, dir_level)) * u64::from(bucket_blocks(level));
    let before: u64 = (0..level.min(MAX_DIR_HASH_DEPTH)).map(blocks).sum();
    before + u64::from(bucket) * u64::from(bucket_blocks(level))
}

/// The level and bucket that a directory block belongs to.
pub fn bucket_at(block: u64, dir_level: u8) -> (u32, u32) {
    let mut start = 0;
    for level in 0..MAX_DIR_HASH_DEPTH {
        let blocks = u64::from(bucket_blocks(level));
        let end = start + u64::from(buckets(level, dir_level)) * blocks;
        if block < end {
            return (level, ((block - start) / blocks) as u32);
        }
        start = end;
    }
    (MAX_DIR_HASH_DEPTH, 0)
}

/// The bucket of a level where names with this hash live.
pub const fn bucket_of(hash: u32, level: u32, dir_level: u8) -> u32 {
    hash % buckets(level, dir_level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors() {
        let forty = [b'x'; 40];
        for (name, hash) in [
            (&b"a.txt"[..], 0xF067_D98C),
            (b"lost+found", 0x2DBF_9E80),
            (b"hello", 0x6F5B_B1A8),
            (b"abcd", 0x5A24_112E),
            (b"0123456789abcdef", 0x5A07_88B2),
            (&forty, 0xB3F4_BBFC),
            (b"file_with_long_name_0", 0x134B_BD02),
            (b".", 0),
            (b"..", 0),
        ] {
            assert_eq!(dentry_hash(name), hash, "{name:?}");
        }
    }

    #[test]
    fn levels_follow_each_other() {
        assert_eq!(first_block(0, 0, 0), 0);
        assert_eq!(first_block(1, 0, 0), 2);
        assert_eq!(first_block(1, 0, 1), 4);
        assert_eq!(first_block(2, 0, 0), 6);
        assert_eq!(first_block(2, 3, 0), 2 * 8 + 2 * 16);
        for level in 0..MAX_DIR_HASH_DEPTH - 1 {
            let last =
                first_block(level, 0, buckets(level, 0) - 1) + u64::from(bucket_blocks(level));
            assert_eq!(last, first_block(level + 1, 0, 0));
            assert_eq!(bucket_at(last, 0), (level + 1, 0));
            assert_eq!(bucket_at(last - 1, 0), (level, buckets(level, 0) - 1));
        }
        assert_eq!(bucket_at(first_block(2, 3, 7) + 1, 3), (2, 7));
        assert_eq!(bucket_at(u64::MAX, 0), (MAX_DIR_HASH_DEPTH, 0));
        assert_eq!(buckets(30, 0), 1 << 30);
        assert_eq!(buckets(31, 255), 1 << 30);
        assert_eq!((bucket_blocks(30), bucket_blocks(31)), (2, 4));
    }
}
