//! A large repository: cloned, checked, repacked, changed.

use super::Context;
use super::context::{need, script, sources};
use anyhow::Result;
use std::time::Duration;

/// $1 the tree, $2 a folder outside the volume, $3 the volume, $4 how many folders of the tree.
const WORK: &str = r#"
export HOME="$2" GIT_CONFIG_NOSYSTEM=1
git config --global user.name tests; git config --global user.email tests@localhost
git config --global safe.directory '*'; git config --global init.defaultBranch main
git init -q "$2/origin"
cd "$2/origin"
for folder in $(ls -d "$1"/*/* | head -n "$4"); do
  cp -r "$folder" . && git add -A -f . && git commit -q -m "$(basename "$folder")"
done
cd "$3"
git clone -q --no-hardlinks "$2/origin" clone
cd clone
[ -z "$(git status --porcelain)" ]
diff -r --exclude=.git . "$2/origin"
git fsck --full --strict >&2
git gc -q --aggressive --prune=now
git fsck --full --strict >&2
git checkout -q -b work HEAD~3
for file in $(git ls-files | head -n 200); do echo change >>"$file"; done
git commit -q -a -m change
git rebase -q -X theirs main
git checkout -q main && git reset -q --hard && git clean -q -fdx
[ -z "$(git status --porcelain)" ]
git fsck --full --strict >&2
git count-objects -v | grep -E 'in-pack|size-pack' | tr '\n' ' '
"#;

pub(super) fn run(cx: &Context) -> Result<String> {
    need("git")?;
    let work = tempfile::tempdir()?;
    let mut mount = cx.mount(4, Some("lz4"))?;
    let dir = mount.dir();
    let folders = cx.pick("1000", "20");
    let args = [
        sources()?.as_os_str(),
        work.path().as_os_str(),
        dir.as_os_str(),
        folders.as_ref(),
    ]
    .map(std::ffi::OsStr::to_owned);
    let text = script(WORK, &args, Duration::from_mins(cx.pick(120, 15)))?;
    mount.check_by_kernel()?;
    Ok(text.trim().to_owned())
}
