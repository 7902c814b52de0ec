//! The header of a compressed cluster: length and checksum of the payload behind it.

use crate::error::CodecError;
use crate::params::{CodecParams, Verify};
use f2fs_format::cluster::{CLUSTER_HEADER_LEN, ClusterHeader};
use f2fs_format::{CorruptKind, F2FS_MAGIC, crc32};

/// Makes the header of `payload`.
pub(crate) fn header_of(params: CodecParams, payload: &[u8]) -> [u8; CLUSTER_HEADER_LEN] {
    let checksum = if params.checksum {
        payload_checksum(payload)
    } else {
        0
    };
    ClusterHeader {
        clen: payload.len() as u32,
        checksum,
    }
    .encode()
}

/// Finds the payload in the compressed blocks and checks its length and, if the file has checksums
/// and `verify` asks for it, its checksum.
pub(crate) fn checked_payload(
    params: CodecParams,
    blocks: &[u8],
    verify: Verify,
) -> Result<&[u8], CodecError> {
    let header = ClusterHeader::parse(blocks, blocks.len()).map_err(|error| match error.kind {
        CorruptKind::ClusterLength { clen, room } => CodecError::HeaderLength { clen, room },
        _ => CodecError::BlocksLength {
            bytes: blocks.len(),
        },
    })?;
    let payload = &blocks[CLUSTER_HEADER_LEN..][..header.clen as usize];
    if params.checksum && verify == Verify::Strict {
        let computed = payload_checksum(payload);
        if computed != header.checksum {
            return Err(CodecError::Checksum {
                stored: header.checksum,
                computed,
            });
        }
    }
    Ok(payload)
}

fn payload_checksum(payload: &[u8]) -> u32 {
    crc32(F2FS_MAGIC, payload)
}
