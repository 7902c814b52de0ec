//! File data: how a byte range of a file maps to the volume, both ways.
//!
//! The codec never allocates blocks and the allocator never compresses: [`writeback`] is the one parent of both.
//!
//! | module | what |
//! |---|---|
//! | [`ops`] | what the buffered I/O engine calls for an open inode |
//! | [`layout`] | where files lie, node by node |
//! | [`extent`] | looking up and reserving address slots |
//! | [`cluster_read`] | compressed clusters: device, decoder, folio |
//! | [`writeback`] | dirty ranges: encoder, allocator, device, address slots |
//! | [`flush`] | writing an inode's dirty folios in batches |
//! | [`truncate`] | changing the size |
//! | [`fallocate`] | space without bytes: reserved ahead, freed, zeroed |
//! | [`compress`] | blocks that clusters save, released and reserved; clusters in the other form |
//! | [`defrag`] | stretches of a file written anew where they lie together |
//! | [`shift`] | taking ranges out, inserting holes |
//! | [`inline`] | bytes kept in the inode block |
//! | [`policy`] | which new files are compressed, which log their blocks go to |
//! | [`copies`] | blocks copied as they are |
//! | [`codecs`] | encoders, decoders and the threads that run them |

pub(crate) mod cluster_read;
pub(crate) mod codecs;
pub(crate) mod compress;
pub(crate) mod copies;
pub(crate) mod defrag;
pub(crate) mod extent;
pub(crate) mod fallocate;
pub(crate) mod flush;
pub(crate) mod inline;
pub(crate) mod layout;
pub(crate) mod ops;
pub(crate) mod policy;
pub(crate) mod regroup;
pub(crate) mod shift;
pub(crate) mod truncate;
pub(crate) mod writeback;

pub(crate) use ops::DataOps;
