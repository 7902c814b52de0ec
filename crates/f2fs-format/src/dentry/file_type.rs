//! The kinds of files, as in dentries and in `i_mode`.

/// The bits of `i_mode` that say what the file is.
const S_IFMT: u16 = 0o170_000;

/// What a file is; the value is the one in dentries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileType {
    /// A regular file.
    Regular = 1,
    /// A directory.
    Directory = 2,
    /// A character device.
    CharDevice = 3,
    /// A block device.
    BlockDevice = 4,
    /// A named pipe.
    Fifo = 5,
    /// A socket.
    Socket = 6,
    /// A symbolic link.
    Symlink = 7,
}

impl FileType {
    /// All types in the order of their values.
    pub const ALL: [Self; 7] = [
        Self::Regular,
        Self::Directory,
        Self::CharDevice,
        Self::BlockDevice,
        Self::Fifo,
        Self::Socket,
        Self::Symlink,
    ];

    /// The type with this value in a dentry.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            1 => Some(Self::Regular),
            2 => Some(Self::Directory),
            3 => Some(Self::CharDevice),
            4 => Some(Self::BlockDevice),
            5 => Some(Self::Fifo),
            6 => Some(Self::Socket),
            7 => Some(Self::Symlink),
            _ => None,
        }
    }

    /// The value in a dentry.
    pub const fn to_raw(self) -> u8 {
        self as u8
    }

    /// The type that `i_mode` tells.
    pub const fn from_mode(mode: u16) -> Option<Self> {
        match mode & S_IFMT {
            0o100_000 => Some(Self::Regular),
            0o040_000 => Some(Self::Directory),
            0o020_000 => Some(Self::CharDevice),
            0o060_000 => Some(Self::BlockDevice),
            0o010_000 => Some(Self::Fifo),
            0o140_000 => Some(Self::Socket),
            0o120_000 => Some(Self::Symlink),
            _ => None,
        }
    }

    /// The type's bits in `i_mode`.
    pub const fn mode_bits(self) -> u16 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::CharDevice => 0o020_000,
            Self::BlockDevice => 0o060_000,
            Self::Fifo => 0o010_000,
            Self::Socket => 0o140_000,
            Self::Symlink => 0o120_000,
        }
    }

    /// Whether the file stands for a device.
    pub const fn is_device(self) -> bool {
        matches!(self, Self::CharDevice | Self::BlockDevice)
    }
}
