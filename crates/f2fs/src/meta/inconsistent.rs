//! Contradictions between two tables of a volume, each of which parses on its own.

use f2fs_format::{BlockAddr, Nid, SegmentNo};

/// Two places of the volume that do not agree. Only a checker can tell which one is right.
#[expect(missing_docs, reason = "the message of a variant is its documentation")]
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Inconsistent {
    #[error("SIT: block {addr} is freed but not valid")]
    BlockNotValid { addr: BlockAddr },
    #[error("SIT: block {addr} is referred to but not valid")]
    BlockFree { addr: BlockAddr },
    #[error("inode {ino} has a name but no links")]
    NoLinks { ino: Nid },
    #[error("directory {ino} contains itself")]
    DirLoop { ino: Nid },
    #[error("directory {ino} has more than one name")]
    DirNames { ino: Nid },
    #[error("SSA: block {addr} is said to belong to node {nid}, which does not name it")]
    SummaryOwner { addr: BlockAddr, nid: Nid },
    #[error("SSA: node {nid} is said to have blocks of its own")]
    NoSlots { nid: Nid },
    #[error("NAT: node {nid} is not one of the inode that it is said to belong to")]
    NodeNotLinked { nid: Nid },
    #[error("NAT: nid {nid} is referred to but free")]
    NidFree { nid: Nid },
    #[error("NAT: nid {nid} is in use already")]
    NidInUse { nid: Nid },
    #[error("SIT: {sit} valid node blocks, the checkpoint counts {checkpoint}")]
    NodeTotal { sit: u64, checkpoint: u64 },
    #[error("SIT: {sit} valid blocks, the checkpoint counts only {checkpoint}")]
    BlockTotal { sit: u64, checkpoint: u64 },
    #[error("checkpoint: the next block {blkoff} of open segment {segno} is not free")]
    CursegNotFree { segno: SegmentNo, blkoff: u16 },
    #[error("checkpoint: open segment {segno} has SIT type {kind}, not {log}")]
    CursegKind { segno: SegmentNo, kind: u8, log: u8 },
    #[error("checkpoint: the counter {what} would fall below zero")]
    CounterUnderflow { what: &'static str },
    #[error("quota inode {ino} is not a plain file with all its blocks")]
    QuotaInode { ino: Nid },
    #[error("roll-forward: the chain of nodes returns to block {addr}")]
    ChainLoop { addr: BlockAddr },
    #[error("roll-forward: block {addr} is in use already")]
    ChainBlockInUse { addr: BlockAddr },
    #[error("roll-forward: a new file has the name of directory {ino}")]
    ChainNameOfDir { ino: Nid },
}
