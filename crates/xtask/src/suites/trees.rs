//! Whole trees there and back, with everything that belongs to a file.

use super::Context;
use super::context::{need, script, sources};
use anyhow::Result;
use std::time::Duration;

/// A tree with links, attributes, access lists, owners, holes and odd names: $1 where from, $2 where
/// to, $3 how many folders.
const MAKE: &str = r#"
mkdir -p "$2/tree" && cd "$2/tree"
cp -r $(ls -d "$1"/*/* | head -n "$3") .
cp -a /usr/share/zoneinfo zoneinfo
first="$(find . -name Cargo.toml | sort | head -n 1)"
ln "$first" same && ln -s "$first" link && ln -s /nowhere broken
truncate -s 20M sparse && dd if="$first" of=sparse bs=1 seek=9000000 conv=notrunc status=none
touch -- "$(printf 'new\nline')" ' space ' '-rf' "$(printf '\377\376')"
mkdir empty && chmod 1777 empty && mkfifo pipe
setfattr -n user.note -v text "$first"
setfattr -n user.long -v "$(head -c 1500 /dev/zero | tr '\0' v)" empty
setfacl -m u:1234:r "$first" && setfacl -d -m g:1234:rwx empty
touch -d '2001-02-03 04:05:06.123456789' same && touch -d '1960-01-01' sparse
if [ "$(id -u)" = 0 ]; then
  mknod null c 1 3 && chown 1234:70000 null && chown -h 55:66 link && setfattr -n trusted.t -v t "$first"
fi
"#;

const RSYNC: &str = r#"
options=(-aHAXc --numeric-ids --delete)
none() { # of these differences is allowed
  out="$(rsync "${options[@]}" -n -i "$1" "$2")"
  [ -z "$out" ] || { echo "differences:"; echo "$out" | head -n 20; exit 1; }
}
rsync "${options[@]}" "$1/tree/" "$2/there/"
none "$1/tree/" "$2/there/"
# Again over what is there: nothing changes, and what is in the way goes.
rm -rf "$2/there/empty" && mkdir "$2/there/more" && echo x >"$2/there/link2"
rsync "${options[@]}" --inplace "$1/tree/" "$2/there/"
none "$1/tree/" "$2/there/"
rsync "${options[@]}" "$2/there/" "$1/back/"
none "$1/tree/" "$1/back/"
"#;

const TAR: &str = r#"
options=(--acls --xattrs --xattrs-include='*' --numeric-owner --sparse)
tar -C "$1" "${options[@]}" -cf "$1/tree.tar" tree
tar -C "$2" "${options[@]}" -xpf "$1/tree.tar"
tar -C "$2" "${options[@]}" --diff -f "$1/tree.tar"
tar -C "$2" "${options[@]}" -cf "$2/again.tar" tree
tar -C "$1" "${options[@]}" --diff -f "$2/again.tar"
cp -a "$2/tree" "$2/copy"
diff -r --no-dereference --exclude=null --exclude=pipe "$2/tree" "$2/copy" >&2
"#;

pub(super) fn rsync(cx: &Context) -> Result<String> {
    need("rsync")?;
    there_and_back(cx, RSYNC, None)
}

pub(super) fn tar(cx: &Context) -> Result<String> {
    there_and_back(cx, TAR, Some("zstd"))
}

fn there_and_back(cx: &Context, text: &str, compress: Option<&'static str>) -> Result<String> {
    need("setfattr")?;
    need("setfacl")?;
    let limit = Duration::from_mins(cx.pick(60, 10));
    let work = tempfile::tempdir()?;
    let (work, sources) = (work.path(), sources()?);
    let folders = cx.pick("1000", "25");
    let args = [sources.as_os_str(), work.as_os_str(), folders.as_ref()];
    script(MAKE, &args, limit)?;
    let mut mount = cx.mount(4, compress)?;
    let dir = mount.dir();
    script(text, &[work, &dir], limit)?;
    mount.check_by_kernel()?;
    let count = script("find \"$1/tree\" | wc -l", &[work], limit)?;
    Ok(format!("{} files", count.trim()))
}
