//! Word-wise reading and comparing of the encoder's input.

/// Reads four bytes at `at`, which must lie inside `bytes`.
#[inline]
pub(super) fn word_at(bytes: &[u8], at: usize) -> u32 {
    let chunk = bytes[at..]
        .first_chunk()
        .expect("the caller left room for a word");
    u32::from_le_bytes(*chunk)
}

/// Counts the leading bytes that `bytes[a..]` and `bytes[b..]` have in common; `a < b`.
#[inline]
pub(super) fn common_prefix(bytes: &[u8], a: usize, b: usize) -> usize {
    let right = &bytes[b..];
    let left = &bytes[a..a + right.len()];
    let mut at = 0;
    while let (Some(x), Some(y)) = (left[at..].first_chunk(), right[at..].first_chunk()) {
        let differing = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differing != 0 {
            return at + differing.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + left[at..]
        .iter()
        .zip(&right[at..])
        .take_while(|(x, y)| x == y)
        .count()
}

/// Counts the bytes before `a` and `b` that are equal, at most `max`, which is at most `b`; `a < b`.
#[inline]
pub(super) fn common_suffix(bytes: &[u8], a: usize, b: usize, max: usize) -> usize {
    let mut count = 0;
    while count < max.min(a) && bytes[a - count - 1] == bytes[b - count - 1] {
        count += 1;
    }
    count
}

/// Counts the leading zero bytes.
#[inline]
pub(super) fn zero_prefix(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        if word != 0 {
            return at + word.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|byte| **byte == 0).count()
}
