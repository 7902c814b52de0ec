//! A database that does what SQLite does to its files, and the invariant it lives by: after recovery from its own
//! journal, all pages are those of one transaction, which is not older than the last one that was durable.

use super::bases::{Bases, Start};
use crate::check::Window;
use crate::observe::Observed;
use crate::op::{Durable, Layout, Op};
use crate::record::{Case, Invariant};
use crate::stamp::{Texture, stamped};
use crate::timeline::Moment;
use anyhow::Result;
use f2fs::FsyncMode;
use runtime::rng::Rng;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Cases with a rollback journal.
pub const JOURNALS: u64 = 12;
/// Cases with a write-ahead log.
pub const LOGS: u64 = 6;

const DB: &str = "/db";
const JOURNAL: &str = "/db-journal";
const WAL: &str = "/db-wal";
const PAGES: u64 = 24;
const PAGE: usize = 4096;
const TRANSACTIONS: u64 = 12;
/// Transactions between two checkpoints of the write-ahead log.
const CHECKPOINT: u64 = 4;
/// Marks the pages' stamps.
const FILE: u32 = 900_001;

/// Head of a journal: whose it is and how many records it has.
const HEAD: usize = 512;
/// Page number, page, checksum.
const RECORD: usize = 8 + PAGE + 8;
/// Head of a write-ahead log: its salt.
const WAL_HEAD: usize = 32;
/// Page number, whether it commits, salt, checksum, page.
const FRAME: usize = 32 + PAGE;

/// How a rollback journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Delete,
    DeleteAndSync,
    Truncate,
    Zero,
}

/// When a transaction may be found, and when it must be: moments of operations.
#[derive(Clone, Debug, Default)]
struct Commits {
    begun: Vec<Moment>,
    durable: Vec<Option<Moment>>,
}

impl Commits {
    /// Newest transaction that must be there, and newest that may be.
    fn range(&self, window: &Window) -> (u64, u64) {
        let is_acknowledged =
            |at: &&Option<Moment>| at.is_some_and(|at| window.acknowledged.contains(&at));
        let durable = self.durable.iter().rposition(|at| is_acknowledged(&at));
        let begun = self.begun.iter().rposition(|&at| at <= window.begun);
        let number = |position: Option<usize>| position.map_or(0, |n| n as u64 + 1);
        (number(durable), number(begun))
    }
}

/// The database, all pages as of transaction 0.
pub fn setup() -> Vec<Op> {
    let pages = (0..PAGES).flat_map(|page| page_bytes(0, page)).collect();
    vec![
        Op::Create(DB.into(), Layout::Plain),
        Op::put(DB, 0, pages),
        Op::SYNC,
    ]
}

fn page_bytes(transaction: u64, page: u64) -> Vec<u8> {
    let pos = page * PAGE as u64;
    stamped(FILE, transaction as u32, pos, PAGE, Texture::Text)
}

/// Pages that a transaction changes.
fn pages_of(variant: u64, transaction: u64) -> BTreeSet<u64> {
    let mut rng = Rng::seeded(variant << 32 ^ transaction);
    (0..4).map(|_| rng.below(PAGES)).collect()
}

/// A page after a transaction.
fn page_after(variant: u64, transaction: u64, page: u64) -> Vec<u8> {
    let mut changed = (1..=transaction).rev();
    let last = changed.find(|&t| pages_of(variant, t).contains(&page));
    page_bytes(last.unwrap_or(0), page)
}

fn checksum(bytes: &[u8], salt: u64) -> u64 {
    bytes.iter().fold(salt ^ 0xD8, |sum, &byte| {
        sum.rotate_left(5) ^ u64::from(byte)
    })
}

fn number_at(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
    word.map_or(0, u64::from_le_bytes)
}

/// A case of a rollback journal.
pub fn journal(bases: &Bases, number: u64) -> Result<Case> {
    let end = [End::Delete, End::DeleteAndSync, End::Truncate, End::Zero][(number % 4) as usize];
    let variant = number / 4;
    let mut ops = Vec::new();
    let mut commits = Commits::default();
    for transaction in 1..=TRANSACTIONS {
        push_journal(&mut ops, variant, transaction);
        if end == End::Delete {
            // The new journal's name is durable, so the old journal is gone.
            let fsync = ops.iter().rposition(|op| *op == Op::fsync(JOURNAL));
            if let Some(previous) = commits.durable.last_mut() {
                *previous = fsync.map(|at| at as Moment + 1);
            }
        }
        for page in pages_of(variant, transaction) {
            let pos = page * PAGE as u64;
            ops.push(Op::put(DB, pos, page_bytes(transaction, page)));
        }
        ops.push(Op::Sync(Durable::Data(DB.into())));
        push_end(&mut ops, end, &mut commits);
    }
    let mode = if variant == 2 {
        FsyncMode::Strict
    } else {
        FsyncMode::Posix
    };
    let invariant: Invariant = Arc::new(move |tree, window| {
        let journal = tree.content(JOURNAL).unwrap_or(&[]);
        let db = rolled_back(db_of(tree)?, journal);
        check_pages(&db, variant, commits.range(window))
    });
    case(bases, mode, ops, invariant)
}

fn case(bases: &Bases, mode: FsyncMode, ops: Vec<Op>, invariant: Invariant) -> Result<Case> {
    Ok(Case {
        name: String::new(),
        base: bases.get(Start::Database)?,
        mode,
        threads: vec![ops],
        invariant: Some(invariant),
        lies: Vec::new(),
    })
}

/// Old pages go to the journal, which says how many they are only when they are durable.
fn push_journal(ops: &mut Vec<Op>, variant: u64, transaction: u64) {
    let is_there = ops.iter().rev().find_map(|op| match op {
        Op::Create(path, _) if path == JOURNAL => Some(true),
        Op::Unlink(path) if path == JOURNAL => Some(false),
        _ => None,
    });
    if is_there != Some(true) {
        ops.push(Op::Create(JOURNAL.into(), Layout::Plain));
    }
    let pages = pages_of(variant, transaction);
    ops.push(Op::put(JOURNAL, 0, head(transaction, 0)));
    for (n, &page) in pages.iter().enumerate() {
        let pos = (HEAD + n * RECORD) as u64;
        ops.push(Op::put(JOURNAL, pos, record(variant, transaction, page)));
    }
    ops.push(Op::fsync(JOURNAL));
    ops.push(Op::put(JOURNAL, 0, head(transaction, pages.len() as u64)));
    ops.push(Op::Sync(Durable::Data(JOURNAL.into())));
}

fn head(transaction: u64, count: u64) -> Vec<u8> {
    let mut head = b"journal ".to_vec();
    head.extend(transaction.to_le_bytes());
    head.extend(count.to_le_bytes());
    head.extend(checksum(&head, 0).to_le_bytes());
    head.resize(HEAD, 0);
    head
}

fn record(variant: u64, transaction: u64, page: u64) -> Vec<u8> {
    let mut record = page.to_le_bytes().to_vec();
    record.extend(page_after(variant, transaction - 1, page));
    record.extend(checksum(&record, transaction).to_le_bytes());
    record
}

/// The operation that commits, and what makes that durable.
fn push_end(ops: &mut Vec<Op>, end: End, commits: &mut Commits) {
    let commit = match end {
        End::Delete | End::DeleteAndSync => Op::Unlink(JOURNAL.into()),
        End::Truncate => Op::Truncate(JOURNAL.into(), 0),
        End::Zero => Op::put(JOURNAL, 0, vec![0; 28]),
    };
    ops.push(commit);
    commits.begun.push(ops.len() as Moment);
    match end {
        End::Delete => {
            commits.durable.push(None);
            return;
        }
        End::DeleteAndSync => ops.push(Op::Sync(Durable::Directory("/".into()))),
        End::Truncate | End::Zero => ops.push(Op::fsync(JOURNAL)),
    }
    commits.durable.push(Some(ops.len() as Moment));
}

fn db_of(tree: &Observed) -> Result<Vec<u8>, String> {
    let db = tree.content(DB).ok_or("the database is gone")?;
    if db.len() != PAGES as usize * PAGE {
        return Err(format!("the database has {} bytes", db.len()));
    }
    Ok(db.to_vec())
}

/// What the database does when it finds a journal.
fn rolled_back(mut db: Vec<u8>, journal: &[u8]) -> Vec<u8> {
    let transaction = number_at(journal, 8);
    let is_valid =
        journal.starts_with(b"journal ") && checksum(&journal[..24], 0) == number_at(journal, 24);
    let count = if is_valid { number_at(journal, 16) } else { 0 };
    for n in 0..count as usize {
        let start = HEAD + n * RECORD;
        let Some(record) = journal.get(start..start + RECORD) else {
            break;
        };
        let (bytes, sum) = record.split_at(RECORD - 8);
        if checksum(bytes, transaction) != number_at(sum, 0) {
            break;
        }
        let at = number_at(bytes, 0) as usize * PAGE;
        db[at..at + PAGE].copy_from_slice(&bytes[8..]);
    }
    db
}

fn check_pages(db: &[u8], variant: u64, (from, to): (u64, u64)) -> Result<(), String> {
    let is_after = |transaction: &u64| {
        let mut pages = db.chunks(PAGE).zip(0..);
        pages.all(|(bytes, page)| bytes == page_after(variant, *transaction, page))
    };
    if (from..=to).any(|transaction| is_after(&transaction)) {
        return Ok(());
    }
    let other = (0..=TRANSACTIONS).find(is_after);
    let found = other.map_or("of no transaction".to_owned(), |t| {
        format!("of transaction {t}")
    });
    Err(format!(
        "after its own recovery, the database is {found}; {from} was durable and {to} had begun to commit"
    ))
}

/// A case of a write-ahead log.
pub fn wal(bases: &Bases, number: u64) -> Result<Case> {
    let variant = number / 2;
    let mode = [FsyncMode::Posix, FsyncMode::Strict][(number % 2) as usize];
    let mut ops = vec![Op::Create(WAL.into(), Layout::Plain)];
    let mut commits = Commits::default();
    let mut frames = 0;
    for transaction in 1..=TRANSACTIONS {
        let salt = (transaction - 1) / CHECKPOINT + 1;
        if (transaction - 1).is_multiple_of(CHECKPOINT) {
            frames = 0;
            ops.push(Op::put(WAL, 0, wal_head(salt)));
        }
        let pages = pages_of(variant, transaction);
        let last = pages.last().copied();
        for page in pages {
            let pos = (WAL_HEAD + frames * FRAME) as u64;
            let frame = frame(salt, transaction, page, last == Some(page));
            ops.push(Op::put(WAL, pos, frame));
            frames += 1;
        }
        commits.begun.push(ops.len() as Moment);
        ops.push(Op::fsync(WAL));
        commits.durable.push(Some(ops.len() as Moment));
        if transaction.is_multiple_of(CHECKPOINT) {
            push_checkpoint(&mut ops, variant, transaction);
        }
    }
    let invariant: Invariant = Arc::new(move |tree, window| {
        let log = tree.content(WAL).unwrap_or(&[]);
        let db = with_frames(db_of(tree)?, log);
        check_pages(&db, variant, commits.range(window))
    });
    case(bases, mode, ops, invariant)
}

fn wal_head(salt: u64) -> Vec<u8> {
    let mut head = b"wal     ".to_vec();
    head.extend(salt.to_le_bytes());
    head.extend(checksum(&head, 0).to_le_bytes());
    head.resize(WAL_HEAD, 0);
    head
}

fn frame(salt: u64, transaction: u64, page: u64, is_commit: bool) -> Vec<u8> {
    let bytes = page_bytes(transaction, page);
    let mut frame = Vec::with_capacity(FRAME);
    for word in [
        page,
        u64::from(is_commit),
        salt,
        checksum(&bytes, salt ^ page),
    ] {
        frame.extend(word.to_le_bytes());
    }
    frame.extend(bytes);
    frame
}

/// All pages that changed go to the database.
fn push_checkpoint(ops: &mut Vec<Op>, variant: u64, transaction: u64) {
    let changed: BTreeSet<u64> = (transaction - CHECKPOINT + 1..=transaction)
        .flat_map(|t| pages_of(variant, t))
        .collect();
    for page in changed {
        let pos = page * PAGE as u64;
        ops.push(Op::put(DB, pos, page_after(variant, transaction, page)));
    }
    ops.push(Op::Sync(Durable::Data(DB.into())));
}

/// The database as a reader with this log sees it.
fn with_frames(mut db: Vec<u8>, log: &[u8]) -> Vec<u8> {
    let salt = number_at(log, 8);
    if !log.starts_with(b"wal     ") || checksum(&log[..16], 0) != number_at(log, 16) {
        return db;
    }
    let mut open: Vec<(usize, &[u8])> = Vec::new();
    for frame in log[WAL_HEAD..].chunks_exact(FRAME) {
        let (head, bytes) = frame.split_at(FRAME - PAGE);
        let page = number_at(head, 0);
        let is_ours = number_at(head, 16) == salt && page < PAGES;
        if !is_ours || number_at(head, 24) != checksum(bytes, salt ^ page) {
            break;
        }
        open.push((page as usize * PAGE, bytes));
        if number_at(head, 8) == 1 {
            for (at, bytes) in open.drain(..) {
                db[at..at + PAGE].copy_from_slice(bytes);
            }
        }
    }
    db
}
