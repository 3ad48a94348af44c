//! session (not built yet)
