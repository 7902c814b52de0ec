//! Space of files, asked for and given back by both sides.
