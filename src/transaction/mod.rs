//! transaction (not built yet)
