//! Pages: the developer portal and the manager, each on its own listeners, with the Admin API below their path.
//!
//! | part | contents |
//! |---|---|
//! | `assets`, `asset_table` | files of the pages, compressed, and the answers with them |
//! | `coding` | choice of the content coding |
//! | `login` | sessions of browsers that have sent the token |
//! | `page_info` | what a page asks first: addresses, version, what it may do |
//! | `server` | answers of a listener |

mod asset_table;
mod assets;
mod coding;
mod login;
mod page_info;
mod server;

pub use login::LoginSessions;
pub use page_info::PageAddresses;
pub use server::{PageKind, PageServer};
