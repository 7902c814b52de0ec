//! zstd: exactly one frame, with the header the kernel writes.
//!
//! # On disk
//! The frame states its window, which is the cluster size, and neither content size nor checksum
//! nor dictionary. Frames of other writers may state their content size; the kernel then needs no
//! window and ignores it.

use crate::error::{CodecError, CorruptReason};
use crate::params::CodecParams;
use f2fs_format::CompressAlgorithm;
use zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd_safe::{CCtx, CParameter, DCtx, ErrorCode, ResetDirective};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Smallest logarithm of a window.
const WINDOW_LOG_MIN: u32 = 10;

/// A compression context and what it is set to.
pub(crate) struct ZstdEncoder {
    context: CCtx<'static>,
    /// Level and logarithm of the window.
    setting: Option<(u8, u32)>,
}

impl ZstdEncoder {
    pub(crate) fn new() -> Result<Self, CodecError> {
        let context = CCtx::try_create().ok_or(OUT_OF_MEMORY)?;
        Ok(Self {
            context,
            setting: None,
        })
    }

    /// Encodes `src`, which is one cluster, and returns the length, or `None` if it does not fit.
    pub(crate) fn encode(
        &mut self,
        params: CodecParams,
        src: &[u8],
        out: &mut [u8],
    ) -> Result<Option<usize>, CodecError> {
        let setting = (params.zstd_level(), params.cluster_bytes().ilog2());
        if self.setting != Some(setting) {
            self.setting = None;
            self.set(setting).map_err(library_error)?;
            self.setting = Some(setting);
        }
        match self.context.compress2(out, src) {
            Ok(length) => Ok(Some(length)),
            Err(code) if is_out_of_room(code) => Ok(None),
            Err(code) => Err(library_error(code)),
        }
    }

    fn set(&mut self, (level, window_log): (u8, u32)) -> Result<(), ErrorCode> {
        // A cluster that did not fit left its frame open; nothing can be set before that is dropped.
        self.context.reset(ResetDirective::SessionOnly)?;
        for parameter in [
            CParameter::CompressionLevel(i32::from(level)),
            CParameter::WindowLog(window_log),
            CParameter::ContentSizeFlag(false),
            CParameter::ChecksumFlag(false),
            CParameter::DictIdFlag(false),
        ] {
            self.context.set_parameter(parameter)?;
        }
        Ok(())
    }
}

/// A decompression context.
pub(crate) struct ZstdDecoder {
    context: DCtx<'static>,
}

impl ZstdDecoder {
    pub(crate) fn new() -> Result<Self, CodecError> {
        Ok(Self {
            context: DCtx::try_create().ok_or(OUT_OF_MEMORY)?,
        })
    }

    /// Decodes the first frame of `payload` into `out`, which is one cluster long, and returns how
    /// many bytes it holds. Like the kernel it does not look behind the frame.
    pub(crate) fn decode(&mut self, payload: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        check_frame(payload, out.len() as u64)?;
        let length = zstd_safe::find_frame_compressed_size(payload).map_err(corrupt)?;
        let frame = payload
            .get(..length)
            .ok_or(corrupt_because(CorruptReason::Truncated))?;
        self.context.decompress(out, frame).map_err(corrupt)
    }
}

const OUT_OF_MEMORY: CodecError = CodecError::Library {
    algorithm: CompressAlgorithm::Zstd,
    message: "out of memory",
};

fn is_out_of_room(code: ErrorCode) -> bool {
    code == (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg()
}

fn is_out_of_memory(code: ErrorCode) -> bool {
    code == (ZSTD_ErrorCode::ZSTD_error_memory_allocation as usize).wrapping_neg()
}

fn library_error(code: ErrorCode) -> CodecError {
    let message = zstd_safe::get_error_name(code);
    CodecError::Library {
        algorithm: CompressAlgorithm::Zstd,
        message,
    }
}

fn corrupt(code: ErrorCode) -> CodecError {
    if is_out_of_memory(code) {
        OUT_OF_MEMORY
    } else if is_out_of_room(code) {
        corrupt_because(CorruptReason::Overrun)
    } else {
        corrupt_because(CorruptReason::Library(zstd_safe::get_error_name(code)))
    }
}

fn corrupt_because(reason: CorruptReason) -> CodecError {
    CodecError::Corrupt {
        algorithm: CompressAlgorithm::Zstd,
        reason,
    }
}

/// Checks what the frame header says of window and content against the cluster size.
fn check_frame(payload: &[u8], cluster_bytes: u64) -> Result<(), CodecError> {
    let header = FrameHeader::parse(payload).ok_or(corrupt_because(CorruptReason::FrameHeader))?;
    match header {
        FrameHeader::Content(got) if got != cluster_bytes => Err(CodecError::DecodedSize {
            expected: cluster_bytes as usize,
            got,
        }),
        FrameHeader::Window(window) if window > cluster_bytes => Err(CodecError::WindowTooLarge {
            window,
            max: cluster_bytes,
        }),
        _ => Ok(()),
    }
}

/// What bounds the memory that a frame needs, in bytes.
enum FrameHeader {
    /// The content size, where it is stated.
    Content(u64),
    /// The window, where no content size is stated.
    Window(u64),
}

impl FrameHeader {
    fn parse(payload: &[u8]) -> Option<Self> {
        let (descriptor, rest) = payload.strip_prefix(&MAGIC)?.split_first()?;
        let is_single_segment = descriptor & 0x20 != 0;
        let dictionary_id_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let content = &rest.get(usize::from(!is_single_segment) + dictionary_id_len..)?;
        Some(match descriptor >> 6 {
            0 if is_single_segment => Self::Content(u64::from(*content.first()?)),
            0 => Self::Window(window_bytes(*rest.first()?)),
            1 => Self::Content(u64::from(u16::from_le_bytes(*content.first_chunk()?)) + 256),
            2 => Self::Content(u64::from(u32::from_le_bytes(*content.first_chunk()?))),
            _ => Self::Content(u64::from_le_bytes(*content.first_chunk()?)),
        })
    }
}

/// Decodes the window byte: five bits of exponent, three of mantissa.
fn window_bytes(byte: u8) -> u64 {
    let base = 1_u64 << (WINDOW_LOG_MIN + u32::from(byte >> 3));
    base + base / 8 * u64::from(byte & 7)
}
