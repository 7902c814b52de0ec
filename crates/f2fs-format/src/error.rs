//! What can be wrong with bytes from disk: one variant a check, with the ids that help to find it.

use thiserror::Error;

/// Bytes on disk that break a rule of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("{kind}")]
pub struct Corrupt {
    /// The rule that is broken.
    pub kind: CorruptKind,
}

impl From<CorruptKind> for Corrupt {
    fn from(kind: CorruptKind) -> Self {
        Self { kind }
    }
}

/// Shorthand for the result of every parse function.
pub type Result<T> = core::result::Result<T, Corrupt>;

/// Fails with `kind` unless `holds`.
pub(crate) fn ensure(holds: bool, kind: CorruptKind) -> Result<()> {
    if holds { Ok(()) } else { Err(kind.into()) }
}

/// The rule that is broken, with the values found.
#[expect(missing_docs, reason = "the message of a variant is its documentation")]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CorruptKind {
    #[error("{what}: {have} bytes given where {need} are needed")]
    Truncated {
        what: &'static str,
        need: usize,
        have: usize,
    },
    #[error("block address {addr} lies outside the MAIN area")]
    AddrOutsideMain { addr: u32 },
    #[error("nid {nid} is reserved or past the last nid {max_nid}")]
    NidOutOfRange { nid: u32, max_nid: u32 },
    #[error("segment {segno} is past the last of {segments} MAIN segments")]
    SegnoOutOfRange { segno: u32, segments: u32 },

    #[error("superblock: magic is {value:#010x}")]
    SbMagic { value: u32 },
    #[error("superblock: log_sectorsize {size} and log_sectors_per_block {per_block} do not fit")]
    SbSectorSize { size: u32, per_block: u32 },
    #[error("superblock: log_blocksize is {value}, only 12 is supported")]
    SbBlockSize { value: u32 },
    #[error("superblock: log_blocks_per_seg is {value}, not 9")]
    SbSegmentSize { value: u32 },
    #[error("superblock: checksum_offset is {value}, not 3068")]
    SbChecksumOffset { value: u32 },
    #[error("superblock: checksum is {stored:#010x}, computed {computed:#010x}")]
    SbChecksum { stored: u32, computed: u32 },
    #[error("superblock: segment_count {value} is out of range")]
    SbSegmentCount { value: u32 },
    #[error("superblock: segment_count {segments} does not fit in block_count {blocks}")]
    SbBlockCount { segments: u32, blocks: u64 },
    #[error("superblock: segs_per_sec {value} is zero or larger than the volume")]
    SbSegsPerSec { value: u32 },
    #[error("superblock: secs_per_zone {value} is zero or more than the {sections} sections")]
    SbSecsPerZone { value: u32, sections: u32 },
    #[error("superblock: section_count {sections} is out of range for {main} MAIN segments")]
    SbSectionCount { sections: u32, main: u32 },
    #[error("superblock: segment_count_main {main} is not {sections} sections of {per_section}")]
    SbMainSegments {
        main: u32,
        sections: u32,
        per_section: u32,
    },
    #[error("superblock: segment_count_ckpt is {value}, not 2")]
    SbCkptSegments { value: u32 },
    #[error("superblock: segment_count_sit {value} is odd or too small for {main} MAIN segments")]
    SbSitSegments { value: u32, main: u32 },
    #[error("superblock: segment_count_nat {value} is odd, zero or too large")]
    SbNatSegments { value: u32 },
    #[error("superblock: segment_count_ssa {value} is too small for {main} MAIN segments")]
    SbSsaSegments { value: u32, main: u32 },
    #[error("superblock: segment0_blkaddr {segment0} differs from cp_blkaddr {cp}")]
    SbSegment0 { segment0: u32, cp: u32 },
    #[error("superblock: the {area} area starts at block {found} where {expected} is due")]
    SbAreaStart {
        area: &'static str,
        expected: u64,
        found: u32,
    },
    #[error("superblock: the MAIN area ends at block {end}, past the volume's end {limit}")]
    SbMainEnd { end: u64, limit: u64 },
    #[error("superblock: the volume needs {need} blocks, the device has {have}")]
    SbDeviceTooSmall { need: u64, have: u64 },
    #[error("superblock: root, node and meta inos are {root}, {node}, {meta}, not 3, 1, 2")]
    SbReservedInos { root: u32, node: u32, meta: u32 },
    #[error("superblock: {cold} cold and {hot} hot extensions do not fit in 64")]
    SbExtensionCount { cold: u32, hot: u8 },
    #[error("superblock: cp_payload {value} leaves no room in the checkpoint pack")]
    SbCpPayload { value: u32 },
    #[error("superblock: the devices have {sum} segments in all, not segment_count {segments}")]
    SbDeviceSegments { sum: u64, segments: u32 },
    #[error("superblock: quota inode {index} is nid {ino}")]
    SbQuotaIno { index: usize, ino: u32 },

    #[error("checkpoint: checksum_offset {value} is out of range")]
    CpChecksumOffset { value: u32 },
    #[error("checkpoint: large NAT bitmap with checksum_offset {value}, not 192")]
    CpLargeNatChecksumOffset { value: u32 },
    #[error("checkpoint: checksum is {stored:#010x}, computed {computed:#010x}")]
    CpChecksum { stored: u32, computed: u32 },
    #[error("checkpoint: pack of {value} blocks")]
    CpPackBlocks { value: u32 },
    #[error("checkpoint: header has version {header}, footer has {footer}")]
    CpFooterVersion { header: u64, footer: u64 },
    #[error("checkpoint: cp_pack_start_sum {value} is out of range in a pack of {pack} blocks")]
    CpStartSum { value: u32, pack: u32 },
    #[error("checkpoint: log {log} is open in segment {segno} of {segments}")]
    CpCursegSegno { log: u8, segno: u32, segments: u32 },
    #[error("checkpoint: log {log} is open at block {blkoff} of its segment")]
    CpCursegOffset { log: u8, blkoff: u16 },
    #[error("checkpoint: two logs share segment {segno}")]
    CpCursegShared { segno: u32 },
    #[error("checkpoint: log {log} has alloc_type {value}")]
    CpAllocType { log: u8, value: u8 },
    #[error("checkpoint: SIT version bitmap of {have} bytes, {want} are due")]
    CpSitBitmapSize { have: u32, want: u32 },
    #[error("checkpoint: NAT version bitmap of {have} bytes, {want} are due")]
    CpNatBitmapSize { have: u32, want: u32 },
    #[error("checkpoint: version bitmaps end at byte {end}, past {limit}")]
    CpBitmapOverflow { end: usize, limit: usize },
    #[error("checkpoint: user_block_count {value} is zero or more than MAIN's {main} blocks")]
    CpUserBlocks { value: u64, main: u64 },
    #[error("checkpoint: valid_block_count {valid} is more than user_block_count {user}")]
    CpValidBlocks { valid: u64, user: u64 },
    #[error("checkpoint: valid_node_count {value} is more than the {max} nids")]
    CpValidNodes { value: u32, max: u32 },
    #[error("checkpoint: rsvd_segment_count {reserved}, overprov_segment_count {overprov}")]
    CpReserve { reserved: u32, overprov: u32 },

    #[error("summary: entry_type {value}")]
    SummaryType { value: u8 },
    #[error("summary: a log claims {value} entries of 512")]
    SummaryCount { value: u16 },
    #[error("NAT journal: {value} entries of at most 38")]
    NatJournalCount { value: u16 },
    #[error("NAT journal: entry {index} is for nid {nid}")]
    NatJournalNid { index: usize, nid: u32 },
    #[error("SIT journal: {value} entries of at most 6")]
    SitJournalCount { value: u16 },
    #[error("SIT journal: entry {index} is for segment {segno}")]
    SitJournalSegno { index: usize, segno: u32 },
    #[error("SIT: segment {segno} has type {value}")]
    SitType { segno: u32, value: u8 },
    #[error("SIT: segment {segno} counts {count} valid blocks, its map has {bits}")]
    SitCount { segno: u32, count: u16, bits: u16 },
    #[error("NAT: nid {nid} is at block {addr}, outside the MAIN area")]
    NatAddr { nid: u32, addr: u32 },
    #[error("NAT: nid {nid} is in use by ino {ino}")]
    NatIno { nid: u32, ino: u32 },

    #[error("orphan block: {value} entries of at most 1020")]
    OrphanCount { value: u32 },
    #[error("orphan block: ino {ino} is out of range")]
    OrphanIno { ino: u32 },

    #[error("node {nid}: its footer says nid {found}")]
    FooterNid { nid: u32, found: u32 },
    #[error("node {nid} of inode {ino}: its footer says ino {found}")]
    FooterIno { nid: u32, ino: u32, found: u32 },
    #[error("node {nid}: its footer says offset {found}, not {expected}")]
    FooterOffset { nid: u32, expected: u32, found: u32 },
    #[error("node {nid} is an inode where another node is due")]
    NodeIsInode { nid: u32 },
    #[error("file block {block} is past what the node tree can map")]
    FileBlockTooLarge { block: u64 },
    #[error("node offset {offset} is not that of a direct node")]
    NotADnode { offset: u32 },

    #[error("inode {ino}: checksum is {stored:#010x}, computed {computed:#010x}")]
    InodeChecksum {
        ino: u32,
        stored: u32,
        computed: u32,
    },
    #[error("inode {ino}: i_mode {mode:#o} has no file type")]
    InodeMode { ino: u32, mode: u16 },
    #[error("inode {ino}: i_blocks is {blocks}")]
    InodeBlocks { ino: u32, blocks: u64 },
    #[error("inode {ino}: i_namelen is {len}")]
    InodeNameLen { ino: u32, len: u32 },
    #[error("inode {ino}: i_size {size} is negative or past the largest file")]
    InodeSize { ino: u32, size: u64 },
    #[error("inode {ino}: extra attributes without the feature")]
    InodeExtraAttr { ino: u32 },
    #[error("inode {ino}: a feature needs extra attributes, which the volume does not have")]
    InodeNeedsExtraAttr { ino: u32 },
    #[error("inode {ino}: i_extra_isize is {value}")]
    InodeExtraSize { ino: u32, value: u16 },
    #[error("inode {ino}: i_inline_xattr_size is {words} words")]
    InodeInlineXattrSize { ino: u32, words: u16 },
    #[error("inode {ino}: i_xattr_nid is {nid}")]
    InodeXattrNid { ino: u32, nid: u32 },
    #[error("inode {ino}: i_nid[{index}] is {nid}")]
    InodeNid { ino: u32, index: usize, nid: u32 },
    #[error("inode {ino}: inline data in a file of mode {mode:#o}, which cannot have it")]
    InlineDataKind { ino: u32, mode: u16 },
    #[error("inode {ino}: inline data in an encrypted, sealed or compressed file")]
    InlineDataFlags { ino: u32 },
    #[error("inode {ino}: inline data but slot 0 holds {addr:#x}")]
    InlineDataSlot { ino: u32, addr: u32 },
    #[error("inode {ino}: inline data but i_nid[{index}] is {nid}")]
    InlineDataNid { ino: u32, index: usize, nid: u32 },
    #[error("inode {ino}: {size} bytes of inline data, room for {room}")]
    InlineDataSize { ino: u32, size: u64, room: usize },
    #[error("inode {ino}: inline dentries in a file of mode {mode:#o}")]
    InlineDentryKind { ino: u32, mode: u16 },
    #[error("inode {ino}: inline dentries but slot 0 holds {addr:#x}")]
    InlineDentrySlot { ino: u32, addr: u32 },
    #[error("inode {ino}: ignores case, but the volume or its type cannot")]
    InodeCasefold { ino: u32 },
    #[error("inode {ino}: i_compress_algorithm is {value}")]
    CompressAlgorithm { ino: u32, value: u8 },
    #[error("inode {ino}: i_log_cluster_size is {value}")]
    CompressClusterSize { ino: u32, value: u8 },
    #[error("inode {ino}: compression level {level} is not valid for algorithm {algorithm}")]
    CompressLevel { ino: u32, algorithm: u8, level: u8 },
    #[error("inode {ino}: i_compr_blocks {saved} of i_blocks {blocks}")]
    CompressBlocks { ino: u32, saved: u64, blocks: u64 },
    #[error("inode {ino}: the largest extent {block}+{len} leaves the MAIN area")]
    InodeExtent { ino: u32, block: u32, len: u32 },

    #[error("cluster: COMPRESS_ADDR in slot {slot}")]
    ClusterMarker { slot: usize },
    #[error("cluster: no block follows COMPRESS_ADDR")]
    ClusterEmpty,
    #[error("cluster: a block in slot {slot} follows the end of the compressed blocks")]
    ClusterGap { slot: usize },
    #[error("cluster: reserved and released slots are mixed")]
    ClusterMixedTail,
    #[error("cluster: {clen} compressed bytes in {room}")]
    ClusterLength { clen: u32, room: usize },

    #[error("dentry in slot {slot}: name length {len}")]
    DentryNameLen { slot: usize, len: u16 },
    #[error("dentry in slot {slot}: its name runs past the last slot or over a clear bit")]
    DentryNameSlots { slot: usize },
    #[error("dentry in slot {slot}: the name holds a slash or a NUL")]
    DentryName { slot: usize },
    #[error("dentry in slot {slot}: ino {ino}")]
    DentryIno { slot: usize, ino: u32 },
    #[error("dentry in slot {slot}: file type {value}")]
    DentryType { slot: usize, value: u8 },
    #[error("dentries: {len} bytes cannot hold the layout")]
    DentryArea { len: usize },

    #[error("quota file: magic is {value:#010x}")]
    QuotaMagic { value: u32 },
    #[error("quota file: version {value}, only 1 is supported")]
    QuotaVersion { value: u32 },
    #[error("quota file: {blocks} blocks of 1 KiB in {len} bytes")]
    QuotaBlocks { blocks: u32, len: usize },
    #[error("quota file: a reference to block {block}")]
    QuotaReference { block: u32 },
    #[error("quota file: block {block} has two uses")]
    QuotaShared { block: u32 },
    #[error("quota file: block {block} should hold the record of id {id}")]
    QuotaMissing { id: u32, block: u32 },
    #[error("quota file: leaf {block} counts {count} records and holds {used}")]
    QuotaCount { block: u32, count: u16, used: usize },
    #[error("quota file: block {block} is no leaf with room, or chained twice")]
    QuotaFreeEntry { block: u32 },

    #[error("xattr: magic is {value:#010x}")]
    XattrMagic { value: u32 },
    #[error("xattr: the entry at byte {offset} runs past the end {end}")]
    XattrEntry { offset: usize, end: usize },
}
