//! rules (not built yet)
