//! wire (not built yet)
