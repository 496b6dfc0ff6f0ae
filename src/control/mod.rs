//! WHEN: who decides what is current.

pub mod watch;
