//! backend (not built yet)
