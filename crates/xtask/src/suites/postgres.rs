//! PostgreSQL with page checksums: load, an immediate stop in the middle, recovery.

use super::Context;
use super::context::script;
use anyhow::Result;
use std::time::Duration;

/// $1 the volume, $2 a folder outside it, $3 scale, $4 seconds of load.
const WORK: &str = r#"
bin="$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)"
home="$1/postgres" data="$1/postgres/data" socket="$2"
pg() { setpriv --reuid=postgres --regid=postgres --clear-groups env -C "$home" "PATH=$bin:$PATH" "$@"; }
mkdir "$home" && chown postgres:postgres "$home" "$socket"
stop() { pg pg_ctl -D "$data" -m immediate stop >/dev/null 2>&1 || true; }
trap stop EXIT
pg initdb -k -D "$data" >&2
start() {
  pg pg_ctl -D "$data" -l "$home/log" -w -t 120 -o "-c listen_addresses='' -c checkpoint_timeout=30s \
    -c unix_socket_directories=$socket -c max_wal_size=64MB" start >&2
}
# Without -n each run would empty the history.
bench() { pg pgbench -n -h "$socket" "$@" postgres >&2; }
ask() { pg psql -h "$socket" -At -c "$1" postgres; }
start
bench -i -q -s "$3"
bench -c 4 -j 2 -T "$4"
# In the middle of the load, as a power cut of the server. -n: pgbench would empty its history first.
bench -n -c 4 -j 2 -T "$4" >/dev/null 2>&1 &
sleep 3
pg pg_ctl -D "$data" -m immediate stop >&2
wait || true
start
# What pgbench keeps true in each transaction.
sums="$(ask 'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)
  AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches)')"
[ "$sums" = t ]
ask 'VACUUM FULL' >&2
ask 'REINDEX DATABASE postgres' >&2
pg pg_dump -h "$socket" -f "$home/dump" postgres
count="$(ask 'SELECT count(*) FROM pgbench_history')"
pg pg_ctl -D "$data" -m fast stop >&2
pg pg_checksums --check -D "$data" >&2
echo "$count transactions"
"#;

pub(super) fn run(cx: &Context) -> Result<String> {
    let work = tempfile::tempdir()?;
    let mut mount = cx.mount(4, None)?;
    let dir = mount.dir();
    let args = [
        dir.as_os_str(),
        work.path().as_os_str(),
        cx.pick("50", "2").as_ref(),
        cx.pick("600", "10").as_ref(),
    ];
    let text = script(WORK, &args, Duration::from_mins(cx.pick(60, 10)))?;
    mount.check_by_kernel()?;
    Ok(text.trim().to_owned())
}
