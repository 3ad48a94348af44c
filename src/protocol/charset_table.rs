//! placeholder
use crate::protocol::charset::{Collation, Pad};
pub(crate) static MYSQL: &[Collation] = &[
    Collation { id: 45, name: "utf8mb4_general_ci", charset: "utf8mb4", max_bytes: 4, pad: Pad::PadSpace, is_default: false },
];
pub(crate) static MARIADB: &[Collation] = &[];
