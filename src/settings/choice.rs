//! Choices: the types of settings that pick one of a few things.

use std::path::{Path, PathBuf};

use http::HeaderName;

/// A setting that is one of a few words.
pub(super) trait SettingWord: Copy + 'static {
    /// The words, in Kong's order.
    const WORDS: &'static [(&'static str, Self)];
}

/// How grave a message must be to be logged, in Kong's (and syslog's) words; the gravest is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Details for who debugs.
    Debug,
    /// What happens.
    Info,
    /// What happens and matters.
    Notice,
    /// What may become a fault.
    Warn,
    /// A fault.
    Error,
    /// A fault that stops a part.
    Crit,
    /// A fault that wants somebody now.
    Alert,
    /// The end.
    Emerg,
}

impl SettingWord for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("notice", Self::Notice),
        ("warn", Self::Warn),
        ("error", Self::Error),
        ("crit", Self::Crit),
        ("alert", Self::Alert),
        ("emerg", Self::Emerg),
    ];
}

impl LogLevel {
    /// Kong's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, level)| *level == self).map_or("", |(word, _)| word)
    }

    /// The level of this word, if there is one.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(it, _)| *it == word).map(|(_, level)| *level)
    }
}

/// The router's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouterFlavor {
    /// The oldest router, with PCRE.
    Traditional,
    /// The same routes by the newer router.
    TraditionalCompatible,
    /// Routes that are written as expressions.
    Expressions,
}

impl SettingWord for RouterFlavor {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("traditional", Self::Traditional),
        ("traditional_compatible", Self::TraditionalCompatible),
        ("expressions", Self::Expressions),
    ];
}

/// How routes that match the same request are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMatchCalculation {
    /// As Kong computes it.
    Original,
    /// As Kong documents it.
    Strict,
}

impl SettingWord for RouteMatchCalculation {
    const WORDS: &'static [(&'static str, Self)] = &[("original", Self::Original), ("strict", Self::Strict)];
}

/// The media type of an error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// `application/json`.
    Json,
    /// `application/xml`.
    Xml,
    /// `text/html`.
    Html,
    /// `text/plain`.
    Plain,
}

impl SettingWord for ErrorType {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("application/json", Self::Json),
        ("application/xml", Self::Xml),
        ("text/html", Self::Html),
        ("text/plain", Self::Plain),
    ];
}

/// Files that say what error bodies look like. (Kong: `error_template_html` and its like.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorTemplateFiles([Option<PathBuf>; 4]);

impl ErrorTemplateFiles {
    const OF: [(&str, ErrorType); 4] = [
        ("error_template_html", ErrorType::Html),
        ("error_template_json", ErrorType::Json),
        ("error_template_xml", ErrorType::Xml),
        ("error_template_plain", ErrorType::Plain),
    ];

    /// Those that are given: the name of the setting, the type of the bodies, and the file.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, ErrorType, &Path)> {
        let all = Self::OF.into_iter().zip(&self.0);
        all.filter_map(|((name, of), file)| Some((name, of, file.as_deref()?)))
    }

    /// All, to be filled in.
    pub(super) fn all(&mut self) -> impl Iterator<Item = (&'static str, &mut Option<PathBuf>)> {
        Self::OF.into_iter().map(|(name, _)| name).zip(&mut self.0)
    }
}

/// Where one line for each request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Nowhere.
    Off,
    /// To standard output.
    Stdout,
    /// To standard error.
    Stderr,
    /// To the end of a file.
    File(PathBuf),
}

/// How a line of an access log reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// As Kong's own: nginx's `combined`, and the id of the request.
    Combined,
    /// One JSON object.
    Json,
}

impl SettingWord for AccessLogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("combined", Self::Combined), ("json", Self::Json)];
}

/// Where a trusted peer names the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealIpHeader {
    /// In this header.
    Header(HeaderName),
    /// In the PROXY protocol, before the first request of a connection.
    ProxyProtocol,
}

impl Default for RealIpHeader {
    fn default() -> Self {
        Self::Header(HeaderName::from_static("x-real-ip"))
    }
}

/// Which plugins may be used; by default those that come with the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSelection {
    /// Whether all that come with the gateway may be used.
    pub bundled: bool,
    /// Plugins that are named one by one; whether they exist is not known here.
    pub named: Vec<String>,
}

impl Default for PluginSelection {
    fn default() -> Self {
        Self { bundled: true, named: Vec::new() }
    }
}

impl PluginSelection {
    /// Whether a plugin that comes with the gateway may be used.
    #[must_use]
    pub fn allows(&self, plugin: &str) -> bool {
        self.bundled || self.named.iter().any(|named| named == plugin)
    }
}
