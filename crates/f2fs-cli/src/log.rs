//! Where messages of the engine go: standard error, a file, or the system's log.
//!
//! Commands say what matters in the message of their failure, so nothing is logged unless it is asked for. A mount
//! outlives its command: its warnings go where somebody can find them.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;

/// Where the system's log listens.
const SYSTEM_LOG: &str = "/dev/log";
/// Facility daemon, severity warning.
const PRIORITY: u32 = 3 * 8 + 4;

/// For commands: nothing, unless RUST_LOG asks for it.
pub(crate) fn if_asked() {
    start(EnvFilter::new("off"), Mutex::new(io::stderr()));
}

/// For a mount in the foreground.
pub(crate) fn to_stderr() {
    start(EnvFilter::new("warn"), Mutex::new(io::stderr()));
}

/// For a mount in the background with a file for its messages.
pub(crate) fn to_file(file: File) {
    start(EnvFilter::new("warn"), Mutex::new(file));
}

/// For a mount in the background. A machine without a system log hears nothing.
pub(crate) fn to_system() {
    let Ok(socket) = UnixDatagram::unbound().and_then(|s| s.connect(SYSTEM_LOG).map(|()| s)) else {
        return;
    };
    start(EnvFilter::new("warn"), Mutex::new(SystemLog(socket)));
}

fn start(default: EnvFilter, sink: Mutex<impl Write + Send + 'static>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or(default);
    // The first one counts.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(sink)
        .try_init();
}

/// One message a datagram.
struct SystemLog(UnixDatagram);

impl Write for SystemLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut message = format!("<{PRIORITY}>f2fs[{}]: ", std::process::id()).into_bytes();
        message.extend_from_slice(line.trim_ascii_end());
        self.0.send(&message)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
