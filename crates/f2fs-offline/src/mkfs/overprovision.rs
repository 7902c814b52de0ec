//! How many segments a volume keeps back so that cleaning always finds room.
//!
//! The kernel and the tools of Linux expect the share that `mkfs.f2fs` would choose, so the search
//! below follows its formulas, rounding errors of the running sum included.

/// Below this many segments the search takes large steps.
const SMALL_VOLUME_SEGMENTS: u32 = 256;

/// Segments that users cannot fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overprovision {
    /// Segments only the cleaner may take (`rsvd_segment_count`).
    pub reserved: u32,
    /// All segments kept back, the reserved ones included (`overprov_segment_count`).
    pub total: u32,
}

/// The split that leaves users the most of `main` segments; `None` if it would leave them nothing.
#[expect(
    clippy::cast_sign_loss,
    reason = "both are sums and products of positive numbers"
)]
pub(super) fn best(main: u32, sections: u32) -> Option<Overprovision> {
    let segments = f64::from(main);
    let per_section = main.div_ceil(sections);
    let usable = |percent: f64| {
        let rest = segments - reserved(percent, per_section);
        rest - rest * percent / 100.0
    };
    let mut best_percent = None;
    let mut best_usable = 0.0;
    for percent in candidates(main) {
        let space = usable(percent);
        if space > best_usable {
            (best_percent, best_usable) = (Some(percent), space);
        }
    }
    let percent = best_percent?;
    let reserved = reserved(percent, per_section) as u32;
    let share = f64::from(main - reserved) * percent / 100.0;
    Some(Overprovision {
        reserved,
        total: share as u32 + reserved,
    })
}

/// The cleaner moves a section's worth of valid blocks for each `percent` of slack, twice over; six
/// logs stay open.
fn reserved(percent: f64, segments_per_section: u32) -> f64 {
    (2.0 * (100.0 / percent + 1.0) + 6.0) * f64::from(segments_per_section)
}

/// The percentages tried, ascending, as a running sum.
fn candidates(main: u32) -> impl Iterator<Item = f64> {
    let (first, last, step) = if main < SMALL_VOLUME_SEGMENTS {
        (10.0, 95.0, 5.0)
    } else {
        (0.01, 10.0, 0.01)
    };
    std::iter::successors(Some(first), move |percent| Some(percent + step))
        .take_while(move |&percent| percent <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_volumes() {
        let cases = [
            (24, 24, 13, 16),
            (56, 56, 18, 25),
            (120, 120, 21, 35),
            (488, 122, 112, 149),
            (2_092_783, 2_092_783, 2008, 4098),
        ];
        for (main, sections, reserved, total) in cases {
            assert_eq!(
                best(main, sections),
                Some(Overprovision { reserved, total }),
                "{main}"
            );
        }
    }

    #[test]
    fn nothing_is_left_of_a_tiny_volume() {
        assert_eq!(best(10, 10), None);
    }
}
