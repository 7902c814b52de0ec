//! What a checker compares: counters, the SIT and the summaries against what the tree uses.

use std::collections::BTreeMap;

use f2fs_format::{
    BlockAddr, CursegType, Features, Ino, SegmentNo, SitEntry, SummaryBlock, SummaryKind, bitmap,
};

use crate::files::{File, Owner, Walker};

impl Walker<'_> {
    pub(crate) fn compare_counts(&self, files: &BTreeMap<Ino, File>, sit: &[SitEntry]) {
        let nodes: u64 = files.values().map(|file| file.node_blocks).sum();
        assert_eq!(nodes, u64::from(self.checkpoint.valid_nodes));
        assert_eq!(files.len(), self.checkpoint.valid_inodes as usize);
        let blocks: u64 = files.values().map(|file| file.inode.blocks()).sum();
        assert_eq!(blocks, self.checkpoint.valid_block_count);
        for (ino, file) in files {
            assert_eq!(
                file.inode.blocks(),
                file.node_blocks + file.slots.len() as u64,
                "{ino}"
            );
        }
        let in_sit = |kind: fn(CursegType) -> bool| -> u64 {
            sit.iter()
                .filter(|e| kind(e.kind))
                .map(|e| u64::from(e.valid_blocks))
                .sum()
        };
        assert_eq!(in_sit(CursegType::is_node), nodes);
        assert_eq!(in_sit(|_| true), self.seen.len() as u64);
        for &addr in self.seen.keys() {
            let addr = BlockAddr::new(addr);
            let segno = self.geometry.segno_of(addr);
            let offset = self.geometry.offset_in_segment(addr);
            let map = &sit[segno.get() as usize].valid_map;
            assert!(
                bitmap::msb::test(map, usize::from(offset)),
                "block {addr} is valid"
            );
            let start = self.geometry.segment_start(segno).get();
            assert_eq!(start + u32::from(offset), addr.get());
        }
    }

    /// Every block in use must be named rightly by the summary of its segment.
    pub(crate) fn compare_summaries(&mut self, open: &[SummaryBlock]) {
        if self.sb.features.contains(Features::RO) {
            return;
        }
        let logs: BTreeMap<SegmentNo, usize> = CursegType::ALL
            .map(|kind| (self.checkpoint.curseg(kind).segno, kind.index()))
            .into();
        for (addr, owner) in self.seen.clone() {
            let addr = BlockAddr::new(addr);
            let segno = self.geometry.segno_of(addr);
            let from_ssa;
            let summary = match logs.get(&segno) {
                Some(&log) if log < open.len() => &open[log],
                // Without an unmount the summaries of open node logs are nowhere.
                Some(_) => continue,
                None => {
                    let block = self.store.read(self.geometry.ssa_block(segno));
                    from_ssa = SummaryBlock::parse(&block[..]).unwrap();
                    &from_ssa
                }
            };
            let entry = summary.entries[usize::from(self.geometry.offset_in_segment(addr))];
            match owner {
                Owner::Node(nid) => {
                    assert_eq!((summary.kind, entry.nid), (SummaryKind::Node, nid.get()));
                }
                Owner::Slot(nid, ofs) => {
                    let version = self.nat_entry(nid).version;
                    let found = (summary.kind, entry.nid, entry.version, entry.ofs_in_node);
                    assert_eq!(found, (SummaryKind::Data, nid.get(), version, ofs));
                }
            }
            self.checked_summaries += 1;
        }
    }
}
