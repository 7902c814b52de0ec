//! Measuring: one set-up, its workloads, and the limits to compare with.
//!
//! Every figure is the median of several rounds in one process. Rounds of all set-ups alternate, so that a slow
//! moment of the machine meets them all; ratios of one run may be compared, absolute figures of two runs not.

pub mod limits;
pub mod set_up;
pub mod table;
