//! Parts of URIs. (RFC 3986)
//!
//! | file | what it holds |
//! |---|---|
//! | `scheme` | [`Scheme`]: http and https, and their default ports |
//! | `authority` | [`Authority`]: host and port |
//! | `path` | normalization and encoding of paths |
//! | `url` | splitting of URLs |

mod authority;
mod path;
mod scheme;
mod url;

pub use authority::{Authority, with_brackets, without_brackets};
pub use path::{check_prefix_is_normal, encode_path, is_invalid_path, normalize_path};
pub use scheme::Scheme;
pub use url::{split_authority, split_url, without_user};
