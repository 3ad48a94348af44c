//! Scatter, merge and writes over several targets: against fakes in process, and against servers.

mod hostile;
mod kit;
mod memory;
mod merged;
mod servers;
mod writes;
