//! executor (not built yet)
