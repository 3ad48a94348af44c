//! Names as types, so that a schema is never taken for a group.
//!
//! Owns: the newtypes over shared text. Never: looks a name up, or knows what it names.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: impl AsRef<str>) -> Self {
                $name(Arc::from(text.as_ref()))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name::new(text)
            }
        }
    };
}

name!(
    /// A logical database that clients `USE`.
    SchemaName
);
name!(
    /// One primary and its replicas.
    GroupName
);
name!(
    /// One MySQL or MariaDB server, unique within its group.
    NodeName
);
name!(
    /// A logical table's name, as the rules write it.
    TableName
);
name!(
    /// An account that clients log in with.
    UserName
);

/// A group's place in [`crate::rules::Rules::groups`]: cheap to copy, valid for one rules version.
/// Groups are ordered by it wherever Weir takes several connections, so that no two statements
/// wait for each other in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u16);
