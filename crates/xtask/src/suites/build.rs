//! cargo builds a crate of this workspace on the volume, which runs build scripts and loads macros from
//! there, and finds nothing to do the second time.

use super::Context;
use super::context::{script, workspace};
use anyhow::Result;
use std::time::Duration;

/// $1 the workspace, $2 the volume, $3 a crate.
const WORK: &str = r#"
mkdir "$2/work" && cd "$1"
git ls-files -z | xargs -0 cp --parents -t "$2/work"
cd "$2/work"
export CARGO_TARGET_DIR="$2/target"
build() { cargo build --offline --locked -p "$3" 2>&1; }
build "$@" >&2
again="$(build "$@")"
! grep -q Compiling <<<"$again" || { echo "built again: $again"; exit 1; }
touch "crates/$3/src/lib.rs"
again="$(build "$@")"
grep -q "Compiling $3" <<<"$again" || { echo "not built again: $again"; exit 1; }
du -sm "$CARGO_TARGET_DIR" | cut -f1
"#;

pub(super) fn run(cx: &Context) -> Result<String> {
    let mut mount = cx.mount(4, Some("lz4"))?;
    let dir = mount.dir();
    let name = cx.pick("f2fs", "f2fs-format");
    let (root, limit) = (workspace(), Duration::from_mins(cx.pick(60, 15)));
    let text = script(
        WORK,
        &[root.as_os_str(), dir.as_os_str(), name.as_ref()],
        limit,
    )?;
    mount.check_by_kernel()?;
    Ok(format!("{name}: {} MiB", text.trim()))
}
