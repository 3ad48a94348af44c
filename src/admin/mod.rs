//! admin (not built yet)
