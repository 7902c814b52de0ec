//! Progress on standard error while long work runs, if a terminal is there to see it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::Path;

const WITH_TOTAL: &str =
    "{bar:20} {bytes:>10}/{total_bytes} {bytes_per_sec:>12} {eta:>4} left  {wide_msg}";
const WITHOUT_TOTAL: &str = "{spinner} {bytes:>10} {bytes_per_sec:>12}  {wide_msg}";

/// A progress bar in bytes, and the place where problems are told meanwhile.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    problems: u64,
}

impl Progress {
    /// A bar that ends at `total` bytes; a moving mark if the total is unknown.
    pub(crate) fn new(total: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = if total.is_some() {
            WITH_TOTAL
        } else {
            WITHOUT_TOTAL
        };
        let style = ProgressStyle::with_template(template).expect("the templates are valid");
        bar.set_style(style);
        Self { bar, problems: 0 }
    }

    /// Whether anybody sees it.
    pub(crate) fn is_visible(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Sets the total once it is known.
    pub(crate) fn set_total(&self, bytes: u64) {
        self.bar.set_length(bytes);
        let style = ProgressStyle::with_template(WITH_TOTAL).expect("the templates are valid");
        self.bar.set_style(style);
    }

    /// The file at work.
    pub(crate) fn at(&self, path: &Path) {
        if self.is_visible() {
            self.bar.set_message(crate::text::shown(path));
        }
    }

    /// Some bytes are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Tells something that is no failure.
    pub(crate) fn note(&self, message: &str) {
        self.bar
            .suspend(|| crate::errors::complain(format_args!("f2fs: note: {message}")));
    }

    /// Tells a problem; the command goes on and fails at its end.
    pub(crate) fn problem(&mut self, message: &impl std::fmt::Display) {
        self.problems += 1;
        self.bar
            .suspend(|| crate::errors::complain(format_args!("f2fs: {message}")));
    }

    /// Problems told so far.
    pub(crate) fn problems(&self) -> u64 {
        self.problems
    }

    /// Takes the bar away, before something else is printed.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
