//! Writeback errors of a mapping, told once to each open file.

use crate::folio_sync::FolioError;
use runtime::sync::{Mutex, Rank};

#[derive(Debug, Default)]
struct Record {
    count: u64,
    last: Option<FolioError>,
}

/// The errors of one mapping.
#[derive(Debug)]
pub struct ErrSeq {
    record: Mutex<Record>,
}

/// What one open file has seen of an [`ErrSeq`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrSeqCursor(u64);

impl Default for ErrSeq {
    fn default() -> Self {
        Self {
            record: Mutex::new(Rank::LEAF, Record::default()),
        }
    }
}

impl ErrSeq {
    /// Notes an error.
    pub fn record(&self, error: FolioError) {
        let mut record = self.record.lock();
        record.count += 1;
        record.last = Some(error);
    }

    /// A cursor for a file opened now: it sees only later errors.
    pub fn cursor(&self) -> ErrSeqCursor {
        ErrSeqCursor(self.record.lock().count)
    }

    /// The last error since the cursor's last check, once.
    pub fn check(&self, cursor: &mut ErrSeqCursor) -> Result<(), FolioError> {
        let record = self.record.lock();
        if cursor.0 == record.count {
            return Ok(());
        }
        cursor.0 = record.count;
        record.last.clone().map_or(Ok(()), Err)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_open_file_is_told_once() {
        let errors = ErrSeq::default();
        let (mut a, mut b) = (errors.cursor(), errors.cursor());
        errors.record(std::sync::Arc::new(std::fmt::Error));
        let mut late = errors.cursor();
        assert!(errors.check(&mut a).is_err());
        assert!(errors.check(&mut a).is_ok());
        assert!(errors.check(&mut b).is_err());
        assert!(errors.check(&mut late).is_ok());
    }
}
