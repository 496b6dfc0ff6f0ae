//! THROUGH: what a request and its response look like on the other side of the gateway.
//!
//! | part | what it is for |
//! |---|---|
//! | [`client_address`] | who the client is, behind trusted proxies |
//! | [`headers`] | header fields towards the upstream and towards the client |
//! | [`error`] | answers that the gateway itself gives |
//! | [`request_id`] | the name of one request in logs and answers |

pub mod client_address;
pub mod error;
pub mod headers;
pub mod request_id;
