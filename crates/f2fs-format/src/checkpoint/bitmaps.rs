//! Where the SIT and NAT version bitmaps lie in the header and its payload.

use alloc::vec::Vec;
use core::ops::Range;

use super::raw::{BITMAP_OFFSET, RawCheckpoint};
use super::{CHECKSUM_OFFSET, CpFlags};
use crate::BLOCK_SIZE;
use crate::error::{CorruptKind, Result, ensure};
use crate::super_block::SuperBlock;

/// Byte ranges in the buffer of header and payload.
pub(super) struct Places {
    pub(super) sit: Range<usize>,
    pub(super) nat: Range<usize>,
}

/// Computes the places from validated sizes.
pub(super) fn places(raw: &RawCheckpoint, sb: &SuperBlock) -> Result<Places> {
    let geometry = sb.geometry();
    let (have, want) = (
        raw.sit_ver_bitmap_bytesize.get(),
        geometry.sit_bitmap_bytes(),
    );
    ensure(have == want, CorruptKind::CpSitBitmapSize { have, want })?;
    let sit_len = want as usize;
    let (have, want) = (
        raw.nat_ver_bitmap_bytesize.get(),
        geometry.nat_bitmap_bytes(),
    );
    ensure(have == want, CorruptKind::CpNatBitmapSize { have, want })?;
    let nat_len = want as usize;
    let header_end = CHECKSUM_OFFSET as usize;
    let buffer_end = (1 + sb.cp_payload as usize) * BLOCK_SIZE;
    let flags = CpFlags::from_bits_retain(raw.ckpt_flags.get());
    // The ends are checked here, before the slices are taken.
    let (sit, nat, nat_limit, sit_limit) = if flags.contains(CpFlags::LARGE_NAT_BITMAP) {
        let nat = BITMAP_OFFSET + 4;
        (nat + nat_len, nat, buffer_end, buffer_end)
    } else if sb.cp_payload > 0 {
        (BLOCK_SIZE, BITMAP_OFFSET, header_end, buffer_end)
    } else {
        (
            BITMAP_OFFSET,
            BITMAP_OFFSET + sit_len,
            header_end,
            header_end,
        )
    };
    for (end, limit) in [(nat + nat_len, nat_limit), (sit + sit_len, sit_limit)] {
        ensure(end <= limit, CorruptKind::CpBitmapOverflow { end, limit })?;
    }
    Ok(Places {
        sit: sit..sit + sit_len,
        nat: nat..nat + nat_len,
    })
}

/// The SIT and the NAT bitmap.
pub(super) fn read(buffer: &[u8], raw: &RawCheckpoint, sb: &SuperBlock) -> Result<[Vec<u8>; 2]> {
    let places = places(raw, sb)?;
    Ok([buffer[places.sit].to_vec(), buffer[places.nat].to_vec()])
}
