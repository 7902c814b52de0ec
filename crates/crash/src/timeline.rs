//! A value over time.

/// A moment: how many operations have begun, counted over the whole workload.
pub type Moment = u32;

/// The values something had, each from a moment on.
#[derive(Clone, Debug)]
pub struct Timeline<T>(Vec<(Moment, T)>);

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Timeline<T> {
    /// Changes the value at a moment, which is not before the last one.
    pub fn set(&mut self, moment: Moment, value: T) {
        match self.0.last_mut() {
            Some(last) if last.0 == moment => last.1 = value,
            _ => self.0.push((moment, value)),
        }
    }

    /// The value now.
    pub fn last(&self) -> Option<&T> {
        self.0.last().map(|(_, value)| value)
    }

    /// The values from one moment to another, both included; the newest first.
    pub fn between(&self, from: Moment, to: Moment) -> impl Iterator<Item = &T> {
        let end = self.0.partition_point(|&(at, _)| at <= to);
        let start = self.0.partition_point(|&(at, _)| at <= from);
        let values = &self.0[start.saturating_sub(1).min(end)..end];
        values.iter().rev().map(|(_, value)| value)
    }

    /// Whether there was no value yet at a moment.
    pub fn is_unset_at(&self, moment: Moment) -> bool {
        self.0.first().is_none_or(|&(at, _)| at > moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_between_moments_are_found() {
        let mut line = Timeline::default();
        for (at, value) in [(2, 'a'), (5, 'b'), (5, 'c'), (9, 'd')] {
            line.set(at, value);
        }
        let between = |from, to| line.between(from, to).collect::<String>();
        assert_eq!(between(2, 4), "a");
        assert_eq!(between(3, 5), "ca");
        assert_eq!(between(5, 9), "dc");
        assert_eq!(between(0, 1), "");
        assert_eq!(between(9, 20), "d");
        assert!(line.is_unset_at(1) && !line.is_unset_at(2));
    }
}
