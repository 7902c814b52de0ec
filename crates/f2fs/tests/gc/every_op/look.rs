//! Everything that can be seen of a directory and of the space of its volume.

use f2fs::{FileType, QuotaKind, QuotaRecord, StatFs, Volume};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Look {
    /// By path.
    objects: BTreeMap<String, String>,
    space: StatFs,
    quota: Vec<Vec<QuotaRecord>>,
}

impl Look {
    pub(crate) fn at(volume: &Volume, dir: &str) -> Self {
        let mut objects = BTreeMap::new();
        let mut stack = vec![dir.to_owned()];
        while let Some(path) = stack.pop() {
            if volume.symlink_metadata(&path).unwrap().is_dir() {
                for entry in volume.read_dir(&path).unwrap() {
                    let entry = entry.unwrap();
                    stack.push(format!("{path}/{}", entry.file_name().display()));
                }
            }
            let text = describe(volume, &path);
            objects.insert(path, text);
        }
        let quota = [QuotaKind::User, QuotaKind::Group];
        let records = quota.map(|kind| volume.quota_report(kind).unwrap_or_default());
        Self {
            objects,
            space: volume.statfs(),
            quota: records.into(),
        }
    }

    /// Without what compression saves, which is known when a cluster is written back.
    pub(crate) fn without_saved(self) -> Self {
        self.without(&["blocks_saved: "])
    }

    /// Without the values behind some names.
    fn without(mut self, names: &[&str]) -> Self {
        for text in self.objects.values_mut() {
            for name in names {
                if let Some((head, tail)) = text.split_once(name) {
                    let rest = tail.split_once([',', '}']).map_or("", |(_, rest)| rest);
                    *text = format!("{head}{rest}");
                }
            }
        }
        self
    }

    /// The first difference.
    pub(crate) fn differs_from(&self, after: &Self) -> Option<String> {
        let mut paths: Vec<_> = self.objects.keys().chain(after.objects.keys()).collect();
        paths.sort();
        for path in paths {
            let (old, new) = (self.objects.get(path), after.objects.get(path));
            if old != new {
                return Some(format!("{path} was\n  {old:?}\nand is\n  {new:?}"));
            }
        }
        if self.space != after.space {
            return Some(format!("{:?} became {:?}", self.space, after.space));
        }
        (self.quota != after.quota)
            .then(|| format!("quota {:?} became {:?}", self.quota, after.quota))
    }
}

fn describe(volume: &Volume, path: &str) -> String {
    let metadata = volume.symlink_metadata(path).unwrap();
    let mut text = format!("{metadata:?}");
    for name in volume.list_xattrs(path).unwrap() {
        let name = name.into_string().unwrap();
        let value = volume.get_xattr(path, &name).unwrap();
        write!(text, "; {name}={} {}", value.len(), sum(&value)).unwrap();
    }
    match metadata.file_type() {
        FileType::Regular => {
            let mut bytes = Vec::new();
            let mut file = volume.open_file(path).unwrap();
            file.read_to_end(&mut bytes).unwrap();
            write!(text, "; content {}", sum(&bytes)).unwrap();
        }
        FileType::Symlink => {
            let target = volume.read_link(path).unwrap();
            write!(text, "; {}", target.display()).unwrap();
        }
        _ => {}
    }
    text
}

fn sum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
