//! catalog (not built yet)
