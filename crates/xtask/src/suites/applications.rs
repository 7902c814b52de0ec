//! Load programs of others. They check little by themselves; the volume is checked afterwards.

use super::Context;
use super::context::{need, script};
use anyhow::{Context as _, Result};
use std::time::Duration;

const DBENCH: &str =
    r#"dbench -D "$1" -t "$2" -c /usr/share/dbench/client.txt 8 | grep ^Throughput"#;
const FS_MARK: &str = r#"
cd "$1" # It puts its log here, and overflows a buffer with a long path.
fs_mark -d fs_mark -s 16384 -n "$2" -t 4 -S 1 -k >&2
[ "$(find "$1/fs_mark" -type f -size 16384c | wc -l)" = "$(( 4 * $2 ))" ]
echo "fs_mark $(( 4 * $2 )) files"
"#;
const POSTMARK: &str = r#"
mkdir "$1/postmark"
printf 'set location %s\nset number %s\nset transactions %s\nset size 500 100000\nset seed 7\nrun\nquit\n' \
  "$1/postmark" "$2" "$(( 5 * $2 ))" | postmark >"$1/postmark.log"
grep -q 'Deletion alone' "$1/postmark.log" || grep -q 'deleted' "$1/postmark.log"
! grep -i error "$1/postmark.log"
[ -z "$(ls "$1/postmark")" ] # it removes all it made
echo "postmark $(( 5 * $2 )) transactions"
"#;

pub(super) fn run(cx: &Context) -> Result<String> {
    let loads = [
        ("dbench", DBENCH, cx.pick("300", "15")),
        ("fs_mark", FS_MARK, cx.pick("20000", "1000")),
        ("postmark", POSTMARK, cx.pick("10000", "500")),
    ];
    let mut texts = Vec::new();
    let mut mount = cx.mount(8, None)?;
    let dir = mount.dir().to_string_lossy().into_owned();
    for (name, text, amount) in loads {
        need(name)?;
        let limit = Duration::from_mins(cx.pick(60, 10));
        let text = script(text, &[&*dir, amount], limit).context(name)?;
        texts.push(text.trim().to_owned());
    }
    mount.check_by_kernel()?;
    Ok(texts.join("; "))
}
