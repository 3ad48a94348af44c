//! protocol (not built yet)
