//! Hand-made power cuts, each about one rule of recovery. A script says `mark cut` where the power goes; the flushes
//! before the last of them are tried as well.
//!
//! Before the mark everything is flushed once more: the kernel does not wait for the node that is the first and only
//! one of an fsync after a checkpoint (its number is 0, which `f2fs_wait_on_node_pages_writeback` takes for none), so
//! the flush of that fsync may come before the node. What is fsynced makes files longer, to a size that is no multiple
//! of a block: otherwise the kernel may leave the inode out of the chain (`f2fs_skip_inode_update`), even after a
//! chmod, until its clock ticks.

use crate::crash::{Cut, replay};
use crate::judge::{BATCH, Case, Verdict, assert_agreed, judge};
use crate::log::{Action, Entry};
use crate::manifest::{Manifest, sha256};
use crate::pool::POOL;
use crate::random::PLAIN;
use crate::record::{Setup, record};
use std::fmt::Write as _;

/// Cuts at the marks of a script, and at the flushes before the last of them.
fn cuts_of(entries: &[Entry]) -> Vec<Cut> {
    let is_cut = |entry: &Entry| matches!(&entry.action, Action::Mark(text) if text == "cut");
    let positions = |what: &dyn Fn(&Entry) -> bool| -> Vec<usize> {
        let all = entries.iter().enumerate();
        all.filter(|(_, entry)| what(entry))
            .map(|(n, _)| n)
            .collect()
    };
    let marks = positions(&is_cut);
    let last = *marks.last().unwrap();
    let flushes = positions(&|entry| entry.is_flush);
    // A flush right before a mark is the same image.
    let mut all: Vec<usize> = flushes.iter().map(|n| n + 1).collect();
    all.retain(|&n| n < last && !marks.contains(&n));
    let room = BATCH.saturating_sub(marks.len());
    let mut all = all.split_off(all.len().saturating_sub(room));
    all.extend(marks);
    all.sort_unstable();
    let cut = |upto| Cut {
        upto,
        lost: 0,
        seed: 0,
    };
    all.into_iter().map(cut).collect()
}

/// What the kernel recovers at the last cut of a script, on which the engine must agree. None without a kernel.
fn recovered(name: &str, setup: &Setup, script: &str) -> Option<Manifest> {
    let mut verdicts = judged(name, setup, script)?;
    assert_agreed(name, &verdicts);
    Some(verdicts.pop()?.tree)
}

/// Of all cuts of a script; the last one has a chain.
fn judged(name: &str, setup: &Setup, script: &str) -> Option<Vec<Verdict>> {
    let recording = record(setup, &script.replace("mark cut", "settle\nmark cut"))?;
    let cuts = cuts_of(&recording.entries);
    let mut cases = Vec::new();
    replay(&recording, &cuts, |cut, mark, disk| {
        let name = format!("{name}, upto {} after mark {mark}", cut.upto);
        cases.push(Case { name, disk });
    });
    let verdicts = judge(&cases, setup.lasting);
    assert!(verdicts.last()?.has_chain, "{name}: no chain");
    Some(verdicts)
}

fn assert_content(tree: &Manifest, path: &str, bytes: &[u8]) {
    assert_eq!(tree.field(path, "size"), bytes.len().to_string(), "{path}");
    assert_eq!(tree.field(path, "sha256"), sha256(bytes), "{path}");
}

/// A file of 9000 bytes in the checkpoint, and another name.
const OLD: &str =
    "create /old 644\nwrite /old 0 9000 0\ncreate /other 644\nwrite /other 0 5000 7\nsync\n";

fn after_old(script: &str) -> String {
    format!("{OLD}{}\nmark cut\n", script.trim_end())
}

#[test]
fn a_chain_over_several_segments() {
    let mut script = String::new();
    for n in 0..700 {
        writeln!(script, "write /old {} 4096 {n}\nfsync /old", n * 4096).unwrap();
    }
    let Some(tree) = recovered("several segments", &PLAIN, &after_old(&script)) else {
        return;
    };
    let whole: Vec<u8> = (0..700).flat_map(|n| &POOL[n..n + 4096]).copied().collect();
    assert_content(&tree, "/old", &whole);
}

/// Inode, direct nodes, and one below an indirect node, which is not in the chain and must be made anew.
#[test]
fn new_files_with_nodes_of_every_kind() {
    let mut script = String::new();
    for n in 0..6 {
        writeln!(script, "create /f{n} 644").unwrap();
        for place in [0, 5_000_000, 9_000_000, 13_000_000, 5u64 << 30] {
            writeln!(script, "write /f{n} {place} 4096 {n}\nfsync /f{n}").unwrap();
        }
    }
    let Some(tree) = recovered("nodes of every kind", &PLAIN, &after_old(&script)) else {
        return;
    };
    assert_eq!(tree.field("/f5", "size"), ((5u64 << 30) + 4096).to_string());
}

#[test]
fn a_fsynced_file_under_the_name_of_another() {
    let script = "write /old 3 6000 99\nfsync /old\ncreate /new 644\nwrite /new 0 20000 5\nfsync /new\n\
                  mark cut\nrename /new /old\nmark cut\nfsync /other\nmark cut\nfsync /old\nmark cut\n\
                  write /old 20000 100 50\nfsync /old";
    let Some(tree) = recovered("renamed over", &PLAIN, &after_old(script)) else {
        return;
    };
    let content = [&POOL[5..20_005], &POOL[50..150]].concat();
    assert_content(&tree, "/old", &content);
    assert!(!tree.0.contains_key("/new"));
}

#[test]
fn a_name_made_again() {
    let script = "unlink /old\ncreate /old 600\nwrite /old 0 7000 123\nfsync /old\nmark cut\n\
                  unlink /old\ncreate /old 640\nwrite /old 0 3000 456\nfdatasync /old";
    let Some(tree) = recovered("made again", &PLAIN, &after_old(script)) else {
        return;
    };
    assert_content(&tree, "/old", &POOL[456..3456]);
    assert_eq!(tree.field("/old", "mode"), "640");
}

/// Nothing in the chain tells that a node of attributes went away: the attributes are gone, but it stays and counts.
#[test]
fn a_node_of_attributes_removed_before_the_fsync() {
    let value = "5a".repeat(1000);
    let script = format!(
        "setxattr /old user.big {value}\nsetxattr /old user.small 01\nsync\nrmxattr /old user.big\nfsync /old\n\
         mark cut\nrmxattr /old user.small\nwrite /old 0 10 0\nfsync /old"
    );
    let Some(tree) = recovered("attributes removed", &PLAIN, &after_old(&script)) else {
        return;
    };
    let xattrs = tree.field("/old", "xattrs");
    assert_eq!(xattrs, "", "{xattrs}");
    assert_eq!(tree.field("/old", "blocks"), "4");
}

#[test]
fn a_node_of_attributes_made_and_changed() {
    let (small, big) = ("77".repeat(30), "5a".repeat(1500));
    let script = format!(
        "setxattr /old user.a {small}\nfsync /old\nmark cut\nsetxattr /old user.b {big}\nfsync /old\nmark cut\n\
         setxattr /old user.c 01\nfsync /old\nrmxattr /old user.a\nfsync /old\nmark cut\n\
         create /new 644\nsetxattr /new user.b {big}\nfsync /new"
    );
    let Some(tree) = recovered("attributes made", &PLAIN, &after_old(&script)) else {
        return;
    };
    assert_eq!(tree.field("/new", "xattrs"), format!("user.b={big}"));
    assert_eq!(
        tree.field("/old", "xattrs"),
        format!("user.b={big},user.c=01")
    );
}

/// Nothing in the chain tells that direct nodes went away either: they stay, with their blocks behind the end, and when
/// the file grows again the old bytes are back. Only the node that is written again loses its old blocks.
#[test]
fn a_truncation_that_frees_direct_nodes() {
    let script = "write /old 3700000 900000 0\nwrite /old 9000000 100000 0\nwrite /old 17000000 100000 0\nsync\n\
                  truncate /old 3000\nfsync /old\nmark cut\ntruncate /old 20000000\nfsync /old\nmark cut\n\
                  write /old 9000000 5000 1\nfsync /old";
    let Some(tree) = recovered("truncated", &PLAIN, &after_old(script)) else {
        return;
    };
    assert_eq!(tree.field("/old", "size"), "20000000");
    assert_eq!(tree.field("/old", "blocks"), "253");
}

#[test]
fn blocks_behind_the_end() {
    let script = "fallocate /old 1 0 100000\nfsync /old\nmark cut\nfallocate /other 1 8000000 50000\n\
                  write /other 0 1 0\nfdatasync /other\nmark cut\nwrite /old 30000 1000 0\nfsync /old\nmark cut\n\
                  truncate /old 10\nfsync /old";
    let Some(tree) = recovered("behind the end", &PLAIN, &after_old(script)) else {
        return;
    };
    assert_content(&tree, "/old", &POOL[..10]);
    assert_eq!(tree.field("/other", "size"), "5000");
}

/// The inode of the checkpoint names its largest extent, which the chain shortens, punches and takes away.
#[test]
fn the_largest_extent_goes() {
    let mut script = String::new();
    for n in 0..4 {
        writeln!(script, "create /f{n} 644\nwrite /f{n} 0 300001 0").unwrap();
    }
    script += "sync\ntruncate /f0 10001\nfsync /f0\nmark cut\nfallocate /f1 3 40960 40960\nwrite /f1 300001 1 0\n\
               fsync /f1\nmark cut\ntruncate /f2 0\nwrite /f2 0 1 0\nfsync /f2\nmark cut\nfallocate /f3 16 0 300001\n\
               write /f3 300001 1 0\nfsync /f3";
    let Some(tree) = recovered("extent", &PLAIN, &after_old(&script)) else {
        return;
    };
    assert_content(&tree, "/f0", &POOL[..10_001]);
    assert_eq!(tree.field("/f2", "size"), "1");
}

/// A direct node of the chain that names no block is made all the same: it counts.
#[test]
fn a_direct_node_without_blocks() {
    let script = "create /f 644\nwrite /f 5000000 100 0\nfallocate /f 3 4997120 8192\nwrite /f 5000000 1 0\n\
                  fallocate /f 3 4997120 8192\nfsync /f\nmark cut\nwrite /f 0 100 0\nfsync /f";
    let Some(tree) = recovered("empty node", &PLAIN, &after_old(script)) else {
        return;
    };
    assert_eq!(tree.field("/f", "size"), "5000100");
    assert_eq!(tree.field("/f", "blocks"), "2");
}

#[test]
fn content_leaves_the_inode() {
    let script = "create /tiny 644\nwrite /tiny 0 100 0\nsync\nwrite /tiny 100 100 100\nfsync /tiny\nmark cut\n\
                  write /tiny 200 9000 200\nfsync /tiny\nmark cut\ncreate /new 644\nwrite /new 0 50 9\nfsync /new\n\
                  mark cut\ntruncate /tiny 0\nfsync /tiny\nmark cut\nwrite /tiny 0 77 1\nfsync /tiny\n\
                  write /new 6000 10 6009\nfsync /new";
    let Some(tree) = recovered("inline", &PLAIN, &after_old(script)) else {
        return;
    };
    assert_content(&tree, "/tiny", &POOL[1..78]);
    assert_eq!(tree.field("/new", "size"), "6010");
}

#[test]
fn orphans_beside_a_chain() {
    let script = "create /gone 644\nwrite /gone 0 50000 0\nhold /gone\nsync\nwrite /old 9000 5000 77\nfsync /old\n\
                  mark cut\nhold /other\nwrite /old 14000 10 5077\nfsync /old";
    let Some(tree) = recovered("orphans", &PLAIN, &after_old(script)) else {
        return;
    };
    assert!(!tree.0.contains_key("/gone"));
}

const CASEFOLD: Setup = Setup {
    features: &["-O", "extra_attr,casefold", "-C", "utf8"],
    ..PLAIN
};

#[test]
fn directories_that_ignore_case() {
    let script = "mkdir /d 755\nflags /d 40000000 0\ncreate /d/Old 644\nsync\ncreate /d/Stra%C3%9Fe 644\n\
                  write /d/Stra%C3%9Fe 0 100 0\nfsync /d/STRASSE\nmark cut\nunlink /d/OLD\ncreate /d/Old 600\n\
                  write /d/Old 0 5000 5\nfsync /d/old";
    let Some(tree) = recovered("casefold", &CASEFOLD, &after_old(script)) else {
        return;
    };
    assert_content(&tree, "/d/Old", &POOL[5..5005]);
}

/// Where a name is made again in other letters, the kernel's recovery looks for exactly those, finds nothing, and makes
/// a second entry beside the old one: from then on both names lead to the old file, and what was fsynced is out of
/// reach. The engine gives the name to the new file.
#[test]
fn a_name_made_again_in_other_letters() {
    let script = "mkdir /d 755\nflags /d 40000000 0\ncreate /d/Old 644\nsync\nunlink /d/OLD\ncreate /d/oLD 600\n\
                  write /d/oLD 0 5000 5\nfsync /d/old";
    let Some(verdicts) = judged("other letters", &CASEFOLD, &after_old(script)) else {
        return;
    };
    let last = verdicts.last().unwrap();
    for name in ["/d/Old", "/d/oLD"] {
        assert_eq!(last.tree.field(name, "size"), "0", "{:?}", last.tree);
    }
    let ours = last.ours.as_ref().unwrap();
    assert_content(ours, "/d/oLD", &POOL[5..5005]);
    assert!(!ours.0.contains_key("/d/Old"));
}

#[test]
fn owners_and_projects_on_a_volume_with_quotas() {
    let setup = Setup {
        features: &["-O", "extra_attr,quota,project_quota"],
        options: "",
        lasting: "usrquota,grpquota,prjquota",
        ..PLAIN
    };
    let script = "chown /old 5 6\nfsync /old\nmark cut\nproject /old 9\nwrite /old 20000 9000 0\nfsync /old\nmark cut\n\
                  create /new 600\nchown /new 7 8\nwrite /new 0 60000 0\nfsync /new\nmark cut\n\
                  unlink /other\ncreate /other 644\nwrite /other 0 70000 0\nfsync /other";
    let Some(tree) = recovered("quotas", &setup, &after_old(script)) else {
        return;
    };
    assert_eq!(tree.field("/old", "project"), "9");
    assert_eq!(tree.field("/new", "uid"), "7");
}

#[test]
fn ranges_collapsed_inserted_and_punched() {
    let script = "write /old 0 200000 0\nsync\nfallocate /old 8 4096 8192\nfsync /old\nmark cut\n\
                  fallocate /old 32 16384 40960\nfsync /old\nmark cut\nfallocate /old 3 0 20480\nfsync /old\nmark cut\n\
                  fallocate /old 16 100000 30000\nfsync /old\nmark cut\n\
                  write /other 3800000 200000 0\nfallocate /other 8 8192 3686400\nfsync /other";
    recovered("ranges", &PLAIN, &after_old(script));
}

#[test]
fn new_files_of_every_origin() {
    let script = "tmpfile /t 30000 5\nmark cut\nlink /old /second\nfsync /old\nmark cut\nunlink /old\nfsync /second\n\
                  mark cut\nmkdir /d 755\ncreate /d/f 644\nwrite /d/f 0 100 0\nfsync /d/f\nmark cut\n\
                  write /d/f 100 100 100\nfsync /d/f";
    let Some(tree) = recovered("origins", &PLAIN, &after_old(script)) else {
        return;
    };
    assert_content(&tree, "/d/f", &POOL[..200]);
    assert_content(&tree, "/second", &POOL[..9000]);
}

/// Only the flags and the link of the last node tell how far the chain goes: a node without a mark behind the last one
/// does not count.
#[test]
fn what_was_written_but_not_fsynced() {
    let script = "write /old 9000 5000 5\nfsync /old\nwrite /old 14000 5000 900\nwrite /other 5000 5000 900\n\
                  fsync /other\nmark cut\ncreate /never 644\nwrite /never 0 5000 0\nwrite /other 10000 7 900\n\
                  fsync /other";
    let Some(tree) = recovered("not fsynced", &PLAIN, &after_old(script)) else {
        return;
    };
    assert!(!tree.0.contains_key("/never"));
    let other = [&POOL[7..5007], &POOL[900..5900], &POOL[900..907]].concat();
    assert_content(&tree, "/other", &other);
    assert_eq!(tree.field("/old", "size"), "14000");
}
