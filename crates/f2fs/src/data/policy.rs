//! Which new files are compressed, and which log takes their blocks (kernel: `set_compress_inode`,
//! `__get_segment_type_6`).

use crate::fs::Fs;
use crate::inode::NewFile;
use crate::options::CompressDefaults;
use f2fs_format::{Advise, CompressInfo, CursegType, Features, FileType, InodeBlock, InodeFlags};

/// Compression attributes of a new inode.
#[derive(Debug, Default)]
pub(crate) struct Compression {
    pub(crate) info: Option<CompressInfo>,
    pub(crate) flags: InodeFlags,
}

/// What a new inode takes over from its directory, its name and the volume's options. A directory passes its
/// attributes on; `nocompress` extensions win over everything, a directory over `compress` extensions.
pub(crate) fn compression_of(fs: &Fs, parent: &InodeBlock, new: &NewFile<'_>) -> Compression {
    let features = Features::COMPRESSION | Features::EXTRA_ATTR;
    let is_file = new.file_type == FileType::Regular;
    let applies = is_file || new.file_type == FileType::Directory;
    if !applies || !fs.meta.sb.features.contains(features) {
        return Compression::default();
    }
    let no = Compression {
        info: None,
        flags: parent.flags() & InodeFlags::NOCOMP,
    };
    if is_file && ends_with_any(new.name, &fs.options.nocompress_extensions) {
        return no;
    }
    if parent.flags().contains(InodeFlags::COMPR) {
        let info = parent.compress().map(|info| CompressInfo {
            compr_blocks: 0,
            ..info
        });
        let info = info.unwrap_or_else(|| info_of(fs.options.compress));
        return Compression {
            info: Some(info),
            flags: InodeFlags::COMPR,
        };
    }
    if no.flags.is_empty() && is_file && ends_with_any(new.name, &fs.options.compress_extensions) {
        let info = Some(info_of(fs.options.compress));
        return Compression {
            info,
            flags: InodeFlags::COMPR,
        };
    }
    no
}

/// The inode's fields for some defaults.
pub(crate) fn info_of(defaults: CompressDefaults) -> CompressInfo {
    CompressInfo {
        algorithm: defaults.algorithm,
        log_cluster_size: defaults.log_cluster_size,
        flag: CompressInfo::flag_of(defaults.level, defaults.checksum),
        compr_blocks: 0,
    }
}

fn ends_with_any(name: &[u8], extensions: &[String]) -> bool {
    extensions.iter().any(|ext| {
        let ext = ext.trim_start_matches('.').as_bytes();
        ext == b"*"
            || name.len() > ext.len()
                && name[name.len() - ext.len() - 1] == b'.'
                && name[name.len() - ext.len()..].eq_ignore_ascii_case(ext)
    })
}

/// Temperature hints by the volume's extension lists.
pub(crate) fn advise_of(fs: &Fs, new: &NewFile<'_>) -> Advise {
    if new.file_type != FileType::Regular {
        return Advise::empty();
    }
    let sb = &fs.meta.sb;
    if has_part(new.name, &sb.cold_extensions) {
        Advise::COLD
    } else if has_part(new.name, &sb.hot_extensions) {
        Advise::HOT
    } else {
        Advise::empty()
    }
}

/// Whether a dot-separated part of the name, other than the first, starts with an extension.
fn has_part(name: &[u8], extensions: &[String]) -> bool {
    name.split(|&b| b == b'.').skip(1).any(|part| {
        extensions.iter().any(|ext| {
            let ext = ext.as_bytes();
            !ext.is_empty()
                && part.len() >= ext.len()
                && part[..ext.len()].eq_ignore_ascii_case(ext)
        })
    })
}

/// The log for a file's data blocks.
pub(crate) fn data_log(inode: &InodeBlock) -> CursegType {
    let advise = inode.advise();
    if inode.is_dir() || advise.contains(Advise::HOT) {
        CursegType::HotData
    } else if advise.contains(Advise::COLD) || inode.is_compressed() {
        CursegType::ColdData
    } else {
        CursegType::WarmData
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_extensions_match_the_end() {
        let exts = vec!["txt".to_owned(), ".so".to_owned()];
        assert!(ends_with_any(b"a.TXT", &exts) && ends_with_any(b"lib.so", &exts));
        assert!(!ends_with_any(b"txt", &exts) && !ends_with_any(b"a.txt.gz", &exts));
        assert!(ends_with_any(b"anything", &["*".to_owned()]));
    }

    #[test]
    fn temperature_extensions_match_any_part() {
        let exts = vec!["mp".to_owned(), "db".to_owned()];
        assert!(has_part(b"a.mp4", &exts) && has_part(b"x.db.tmp", &exts));
        assert!(!has_part(b"mp4", &exts) && !has_part(b"a.txt", &exts));
    }
}
