//! Changes of owners, projects and limits.

use super::charge::owners_of;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::inode::Inode;
use crate::node::Tree;
use f2fs_format::{Features, InodeFlags, QuotaKind, QuotaLimits, QuotaRecord};

/// The largest limit that Linux takes.
const LIMIT_MAX: u64 = i64::MAX as u64;

/// Gives an inode another user or group.
pub(crate) fn set_owner(
    fs: &Fs,
    tree: &mut Tree,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<()> {
    let mut owners = owners_of(&tree.inode);
    owners[QuotaKind::User.index()] = uid.unwrap_or(tree.inode.uid());
    owners[QuotaKind::Group.index()] = gid.unwrap_or(tree.inode.gid());
    fs.move_quota(&tree.inode, owners)?;
    let [uid, gid, _] = owners;
    let block = tree.inode_mut();
    block.set_uid(uid);
    block.set_gid(gid);
    Ok(())
}

/// Gives an inode another project (kernel: `f2fs_ioc_setproject`).
pub(crate) fn set_project(fs: &Fs, tree: &mut Tree, project: u32) -> Result<()> {
    if tree.inode.projid().is_none() {
        let what = if fs.meta.sb.features.contains(Features::PRJQUOTA) {
            "a project of an inode without room for it"
        } else {
            "projects on a volume made without them"
        };
        return Err(Error::Unsupported(what.to_owned()));
    }
    let mut owners = owners_of(&tree.inode);
    owners[QuotaKind::Project.index()] = project;
    fs.move_quota(&tree.inode, owners)?;
    tree.inode_mut().set_projid(project);
    Ok(())
}

/// Refuses a name in a directory that passes its project on, for an inode of another project (kernel: `f2fs_link`,
/// `f2fs_rename`).
pub(crate) fn check_same_project(dir: &Inode, inode: &Inode) -> Result<()> {
    let (passes_on, project) = {
        let tree = dir.tree.lock();
        let passes_on = tree.inode.flags().contains(InodeFlags::PROJINHERIT);
        (passes_on, tree.inode.projid())
    };
    if passes_on && inode.tree.lock().inode.projid() != project {
        return Err(Error::CrossesProjects);
    }
    Ok(())
}

impl Fs {
    /// What all ids of a kind use and may use.
    pub(crate) fn quota_report(&self, kind: QuotaKind) -> Result<Vec<QuotaRecord>> {
        let book_of = |books: &mut super::Books| {
            let book = books.get(kind).ok_or_else(|| not_counted(kind))?;
            Ok(book.records())
        };
        match self.books() {
            Some(books) => book_of(&mut books.lock()),
            // Opened for reading only, or damaged: what the files say.
            None => book_of(&mut self.read_books()?),
        }
    }

    /// Sets the limits of an id.
    pub(crate) fn set_quota(&self, kind: QuotaKind, id: u32, limits: QuotaLimits) -> Result<()> {
        let all = [
            limits.space_hard,
            limits.space_soft,
            limits.inode_hard,
            limits.inode_soft,
        ];
        if all.iter().any(|&limit| limit > LIMIT_MAX) {
            return Err(Error::Invalid("a limit beyond the largest"));
        }
        self.check_writable()?;
        self.balance()?;
        let _op = self.start_op();
        let Some(books) = self.books() else {
            return Err(match self.quota_state() {
                super::QuotaState::Damaged => Error::Unsupported(
                    "limits while the quota files are damaged; run 'fsck.f2fs -a'".to_owned(),
                ),
                _ => not_counted(kind),
            });
        };
        let mut books = books.lock();
        let book = books.get(kind).ok_or_else(|| not_counted(kind))?;
        book.set_limits(id, limits, &self.terms())
    }
}

fn not_counted(kind: QuotaKind) -> Error {
    Error::Unsupported(format!("{} quota on a volume made without it", kind.name()))
}
