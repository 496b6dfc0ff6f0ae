//! Security schemes and requirements: `securityDefinitions` of Swagger 2.0, `securitySchemes` of OpenAPI 3.

use std::sync::Arc;

use crate::{
    document::SharedText,
    openapi::{
        DocumentNode, SpecVersion,
        api::{ParameterLocation, SecurityKind, SecurityRequirement, SecurityScheme},
    },
};

use super::{Lowering, LoweringPlace};

impl Lowering<'_> {
    pub(super) fn read_security_schemes(
        &mut self,
        root: &DocumentNode,
        here: &LoweringPlace<'_>,
    ) -> Vec<SecurityScheme> {
        let (holder, name) = match self.version {
            SpecVersion::Swagger2 => (Some(root.clone()), "securityDefinitions"),
            _ => (root.get("components"), "securitySchemes"),
        };
        let Some(schemes) = holder.and_then(|holder| holder.get(name)) else { return Vec::new() };
        let components = here.key("components");
        let here = if self.version == SpecVersion::Swagger2 { here } else { &components };
        let here = here.key(name);
        let mut found = Vec::new();
        for (name, scheme) in schemes.entries() {
            let kind = match self.follow(&scheme) {
                Ok((scheme, _)) => read_scheme_kind(&scheme),
                Err(reason) => {
                    self.warn_unresolved(&here.key(name), reason);
                    SecurityKind::Unknown
                }
            };
            found.push(SecurityScheme { name: SharedText::from(name), kind });
        }
        found
    }
}

/// The alternatives in `security` of a document or an operation; `None` if it has no such list.
pub(super) fn read_requirements(holder: &DocumentNode) -> Option<Arc<[SecurityRequirement]>> {
    let list = holder.get("security")?;
    list.value.as_sequence()?;
    Some(list.items().map(|item| read_requirement(&item)).collect())
}

fn read_requirement(item: &DocumentNode) -> SecurityRequirement {
    let scopes = |list: DocumentNode| {
        list.value.items().iter().filter_map(|scope| scope.as_str().map(SharedText::from)).collect()
    };
    let schemes = item.entries().map(|(name, list)| (SharedText::from(name), scopes(list))).collect();
    SecurityRequirement { schemes }
}

fn read_scheme_kind(scheme: &DocumentNode) -> SecurityKind {
    let scheme_type = scheme.text("type").unwrap_or_default();
    if scheme_type.eq_ignore_ascii_case("apiKey") {
        let location = match scheme.text("in") {
            Some("query") => ParameterLocation::Query,
            Some("cookie") => ParameterLocation::Cookie,
            _ => ParameterLocation::Header,
        };
        return match scheme.text("name") {
            Some(name) => SecurityKind::ApiKey { location, name: name.into() },
            None => SecurityKind::Unknown,
        };
    }
    match scheme_type.to_ascii_lowercase().as_str() {
        "basic" => SecurityKind::Http { scheme: "basic".into() },
        "http" => {
            SecurityKind::Http { scheme: scheme.text("scheme").unwrap_or_default().to_ascii_lowercase() }
        }
        "oauth2" => SecurityKind::OAuth2,
        "openidconnect" => SecurityKind::OpenIdConnect,
        "mutualtls" => SecurityKind::MutualTls,
        _ => SecurityKind::Unknown,
    }
}
