//! SQLite in each journal mode, and killed while it writes.

use super::Context;
use super::context::{need, script};
use anyhow::{Context as _, Result};
use std::time::Duration;

/// `off` and `memory` promise nothing when the program is killed.
const MODES: [(&str, bool); 6] = [
    ("delete", true),
    ("truncate", true),
    ("persist", true),
    ("wal", true),
    ("memory", false),
    ("off", false),
];

const WORK: &str = r#"
db="$1/$2.db" rows="$3"
sql() { sqlite3 -bail -cmd '.timeout 10000' "$db" "$@"; }
[ "$(sql "PRAGMA journal_mode=$2;")" = "$2" ]
sql "CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER, v BLOB); CREATE INDEX i ON t(k);"
fill="WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x<$rows)
  INSERT INTO t(k, v) SELECT abs(random()) % 1000, randomblob(300) FROM n;"
sql "PRAGMA journal_mode=$2; $fill UPDATE t SET k = k + 1 WHERE id % 3 = 0; DELETE FROM t WHERE id % 5 = 0;" >&2
# Without a journal a rollback leaves chaos.
[ "$2" = off ] || sql "PRAGMA journal_mode=$2; BEGIN; DELETE FROM t; ROLLBACK;" >&2
[ "$(sql 'SELECT count(*) FROM t;')" = "$(( rows - rows / 5 ))" ]
sql "PRAGMA journal_mode=$2; VACUUM;" >&2
[ "$(sql 'PRAGMA integrity_check;')" = ok ]
"#;

/// Small transactions in a loop, each of which adds two rows.
const KILLED: &str = r#"
db="$1/$2-killed.db"
sqlite3 "$db" "PRAGMA journal_mode=$2; CREATE TABLE t (x);" >&2
( echo "PRAGMA journal_mode=$2; PRAGMA synchronous=FULL;"
  while :; do echo 'BEGIN; INSERT INTO t VALUES (randomblob(5000)); INSERT INTO t VALUES (1); COMMIT;'; done
) | timeout -s KILL "$3" sqlite3 "$db" >&2 || true
[ "$(sqlite3 "$db" 'PRAGMA integrity_check;')" = ok ]
rows="$(sqlite3 "$db" 'SELECT count(*) FROM t;')"
[ "$rows" -gt 0 ] && [ "$(( rows % 2 ))" = 0 ]
"#;

pub(super) fn run(cx: &Context) -> Result<String> {
    need("sqlite3")?;
    let mut mount = cx.mount(4, None)?;
    let dir = mount.dir().to_string_lossy().into_owned();
    let limit = Duration::from_mins(cx.pick(30, 5));
    for (mode, is_safe) in MODES {
        let rows = cx.pick("200000", "10000");
        script(WORK, &[&*dir, mode, rows], limit).context(mode)?;
        if is_safe {
            let args = [&*dir, mode, cx.pick("20", "2")];
            script(KILLED, &args, limit).with_context(|| format!("{mode}, killed"))?;
        }
    }
    mount.check_by_kernel()?;
    Ok(format!("{} journal modes", MODES.len()))
}
