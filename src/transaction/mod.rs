//! Transactions: over one group or several, their commit, and recovery.
//!
//! Owns: the session's transaction ([`open`]), the commit protocol ([`protocol`]) and its run over
//! connections ([`conclude`]), the ids ([`xid`]), the commit table ([`record`], [`store`]) and
//! recovery ([`recover`]), and
//! ending deadlocks over groups ([`deadlock`]). Never: relays a client's statement or holds a session's connection.
//!
//! The first group touched is the anchor, in a plain transaction; each further one is an XA branch.
//! With one writing group a commit is one phase. With more, the branches are prepared and a row goes
//! into the anchor's commit table inside of the anchor's own transaction, whose COMMIT is the
//! decision. Nothing is kept on the proxy: whoever finds a prepared branch asks the anchor named in
//! its id.

pub mod conclude;
pub mod deadlock;
pub mod each;
pub mod failpoint;
pub mod open;
pub mod protocol;
pub mod record;
pub mod recover;
pub mod store;
pub mod xid;
