//! Heads of requests: the head that the client sent, which never changes, and the changes for the upstream.
//!
//! | file | what it holds |
//! |---|---|
//! | `client_head` | [`ClientHead`]: method, target and fields as the client sent them |
//! | `upstream_request` | [`UpstreamRequest`]: changes to it that plugins make for the upstream |
//! | `header_edits` | [`HeaderEdits`]: changes to the client's fields |
//! | `field_names` | names that only the gateway may send upstream, and look-alikes of them |
//! | `hop_by_hop` | names of fields about one connection, in requests and responses |
//! | `nominated` | fields that a Connection field removes |

mod client_head;
mod field_names;
mod header_edits;
mod hop_by_hop;
mod nominated;
mod upstream_request;

pub use client_head::ClientHead;
pub use field_names::{Claim, is_look_alike};
pub use header_edits::HeaderEdits;
pub use hop_by_hop::{HOP_BY_HOP, frames_message, has_list_item, is_hop_by_hop};
pub use nominated::NominatedFields;
pub use upstream_request::{InvalidHost, UpstreamRequest};
