//! Sizes as people write them.

/// Units by power of 1024.
const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];

/// Reads a number of bytes: digits, then nothing, `K`, `KiB` (1024) or `KB` (1000), and so on for
/// M, G, T and P.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let bad = || "use a number with an optional suffix K, M, G or T, for example 64K".to_owned();
    let number: u64 = digits.parse().map_err(|_| bad())?;
    let factor = factor(suffix).ok_or_else(bad)?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "too large".to_owned())
}

fn factor(suffix: &str) -> Option<u64> {
    let suffix = suffix.to_ascii_uppercase();
    let mut chars = suffix.chars();
    let Some(unit) = chars.next() else {
        return Some(1);
    };
    if suffix == "B" {
        return Some(1);
    }
    let power = UNITS.iter().position(|&u| u == unit)? as u32 + 1;
    match chars.as_str() {
        "" | "IB" => Some(1 << (10 * power)),
        "B" => Some(1000u64.pow(power)),
        _ => None,
    }
}

/// A number of bytes in the largest unit of 1024 that fits, with one decimal.
pub(crate) fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10;
    for unit in UNITS {
        // The last step rounds; so 1023.96 KiB is 1.0 MiB.
        let rounded = (tenths + 512) / 1024;
        if rounded < 10 * 1024 || unit == UNITS[UNITS.len() - 1] {
            return format!("{}.{} {unit}iB", rounded / 10, rounded % 10);
        }
        tenths /= 1024;
    }
    unreachable!("the last unit is always taken")
}

/// Bytes a second.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a figure for people"
)]
pub(crate) fn rate(bytes: u64, seconds: f64) -> String {
    if seconds <= 0.0 {
        return "-".to_owned();
    }
    format!("{}/s", human((bytes as f64 / seconds) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes() {
        let good = [
            ("0", 0),
            ("4096", 4096),
            ("12B", 12),
            ("64K", 65536),
            ("64k", 65536),
            ("1MiB", 1 << 20),
            ("1mb", 1_000_000),
            ("3G", 3 << 30),
            ("2T", 2 << 40),
        ];
        for (text, bytes) in good {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "K",
            "-1",
            "1X",
            "1KK",
            "1.5G",
            " 1",
            "1 K",
            "99999999999999999999",
        ] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_size("99999999P"), Err("too large".to_owned()));
    }

    #[test]
    fn people_read_sizes() {
        assert_eq!(human(0), "0 B");
        assert_eq!(human(1023), "1023 B");
        assert_eq!(human(1024), "1.0 KiB");
        assert_eq!(human((1 << 20) - 1), "1.0 MiB");
        assert_eq!(human(1536 << 20), "1.5 GiB");
        assert_eq!(rate(10 << 20, 2.0), "5.0 MiB/s");
    }
}
