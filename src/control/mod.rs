//! WHEN: who decides what is current.
