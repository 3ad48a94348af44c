//! sql (not built yet)
