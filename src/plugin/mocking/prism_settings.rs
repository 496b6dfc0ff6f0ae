//! Settings that `mynah mock` writes: a mock that answers as Prism does.

use serde_json::{Value as Json, json};

use super::{DEF, settings::DOCUMENT};

/// Settings of a mock with the profile `prism`. All of them are named as in `kong.yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct PrismSettings {
    /// Whether parameters and bodies of requests are validated.
    pub validate_requests: bool,
    /// Whether security requirements are checked.
    pub validate_security: bool,
    /// Whether answers are samples, new for each request.
    pub dynamic: bool,
    /// The seed of the samples.
    pub seed: Option<u64>,
    /// Whether an answer that does not match its schema is an error.
    pub report_errors: bool,
    /// Whether pages of every origin may read the answers.
    pub cors: bool,
    /// Whether paths begin with the base path of the document.
    pub include_base_path: bool,
}

impl PrismSettings {
    /// The entry in `plugins` that answers from `file`, below `prefix` unless that is empty.
    #[must_use]
    pub fn entry(&self, file: &str, prefix: &str) -> Json {
        let mut config = json!({
            (DOCUMENT.file): file,
            "profile": "prism",
            "validate_requests": self.validate_requests,
            "validate_security": self.validate_security,
            "dynamic": self.dynamic,
            "seed": self.seed,
            "report_errors": self.report_errors,
            "cors": self.cors,
            "include_base_path": self.include_base_path,
        });
        if !prefix.is_empty() {
            config["include_base_path"] = true.into();
            config["custom_base_path"] = prefix.into();
        }
        json!({ "name": DEF.name, "config": config })
    }
}
