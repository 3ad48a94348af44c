//! value (not built yet)
