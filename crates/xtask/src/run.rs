//! Running cargo.

use anyhow::{Context, Result, ensure};
use std::process::Command;

/// Runs cargo with these arguments and shows what it does.
pub(crate) fn cargo(args: &[&str]) -> Result<()> {
    cargo_with(args, &[])
}

/// The same, with variables set.
pub(crate) fn cargo_with(args: &[&str], variables: &[(&str, &str)]) -> Result<()> {
    eprintln!("xtask: cargo {}", args.join(" "));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(args)
        .envs(variables.iter().copied())
        .status()
        .context("cargo cannot be started")?;
    ensure!(
        status.success(),
        "cargo {} failed",
        args.first().unwrap_or(&"")
    );
    Ok(())
}
