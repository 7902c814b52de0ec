//! How far to read ahead of a reader.
//!
//! One state for each open file. A reader that goes on where it stopped doubles its window up to the limit; any
//! other read closes the window. The next window is asked for when half of the last one is used up, so that the
//! device and the decoders work while the reader copies.

use crate::PageIndex;
use std::ops::Range;

/// Pages of the first window of a sequential reader (128 KiB).
const FIRST_WINDOW: u64 = 32;

/// Readahead state of one open file.
#[derive(Clone, Debug)]
pub struct Readahead {
    window_max: u64,
    window: u64,
    next: PageIndex,
    ahead_end: PageIndex,
}

impl Readahead {
    /// A state with windows of at most `window_max` pages; 0 turns readahead off.
    pub fn new(window_max: u64) -> Self {
        Self {
            window_max,
            window: 0,
            next: 0,
            ahead_end: 0,
        }
    }

    /// Tells of a read of `pages` in a file of `file_pages`; answers the pages to start reading now, which may be
    /// empty. Pages of the request itself are included where they were not asked for before.
    pub fn on_read(&mut self, pages: Range<PageIndex>, file_pages: u64) -> Range<PageIndex> {
        // A reader of less than a page comes back to the same page.
        let sequential = pages.start == self.next || pages.start + 1 == self.next;
        self.next = pages.end;
        if !sequential || self.window_max == 0 {
            self.window = 0;
            self.ahead_end = pages.end;
            return pages.start..pages.end.min(file_pages);
        }
        self.window = (self.window * 2).clamp(FIRST_WINDOW, FIRST_WINDOW.max(self.window_max));
        self.window = self.window.min(self.window_max);
        let start = self.ahead_end.max(pages.start);
        if self.ahead_end > pages.end + self.window / 2 {
            return start..start;
        }
        // Cut at half a window, so that the next one starts aligned and gets large folios.
        let cut = (self.window / 2).max(1);
        let end = ((pages.end + self.window) / cut * cut).max(pages.end);
        let end = end.min(file_pages).max(start);
        self.ahead_end = end.max(pages.end);
        start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_grow_with_sequential_reading_and_close_on_a_jump() {
        let mut ra = Readahead::new(256);
        let mut longest = 0;
        let mut asked = 0;
        for n in 0..64 {
            let ahead = ra.on_read(n * 4..n * 4 + 4, 10_000);
            assert!(
                ahead.is_empty() || ahead.start == asked,
                "no page twice, none left out"
            );
            asked = asked.max(ahead.end);
            assert!(asked >= n * 4 + 4);
            longest = longest.max(ahead.end - ahead.start);
        }
        assert!(longest >= 128);
        assert_eq!(ra.on_read(5000..5001, 10_000), 5000..5001);
        assert_eq!(ra.on_read(9000..9001, 10_000), 9000..9001);
    }

    #[test]
    fn never_past_the_end() {
        let mut ra = Readahead::new(256);
        assert_eq!(ra.on_read(0..3, 3), 0..3);
        assert_eq!(ra.on_read(3..4, 3).end.max(3), 3);
    }

    #[test]
    fn off_means_only_the_request() {
        let mut ra = Readahead::new(0);
        assert_eq!(ra.on_read(0..4, 100), 0..4);
        assert_eq!(ra.on_read(4..8, 100), 4..8);
    }
}
