//! Certificates of the configuration: those of the listeners, and the TLS settings of upstreams.

use std::{collections::HashMap, sync::Arc};

use crate::{
    diag::{Diagnostic, ENTITY},
    entity::{
        CaCertificate, Certificate, CertificateIndex, CheckProtocol, Entities, Service, Sni, Upstream,
        ca_certificate, certificate,
    },
    tls::{CaStore, CertificateFault, CertificateTable, CertifiedIdentity, KeyType, is_authority},
    upstream::{TlsSettings, Trust},
};

/// Default TLS settings of upstreams, for Services without their own.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    /// Trusted authorities. (Kong: `lua_ssl_trusted_certificate`.)
    pub authorities: CaStore,
    /// Client certificate. (Kong: `client_ssl_cert`.)
    pub identity: Option<CertifiedIdentity>,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self { authorities: CaStore::public(), identity: None }
    }
}

/// Parsed certificates of a configuration.
pub(super) struct LoadedCertificates {
    /// By index in [`Entities::certificates`].
    identities: Vec<Arc<[CertifiedIdentity]>>,
    /// By index in [`Entities::ca_certificates`].
    authorities: Vec<Option<CaStore>>,
}

impl LoadedCertificates {
    /// Parses all certificates of a configuration; also returns diagnostics about those that are
    /// invalid or cannot be served.
    pub(super) fn new(entities: &Entities) -> (Self, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut names: HashMap<usize, Vec<&str>> = HashMap::new();
        for sni in &entities.snis {
            names.entry(sni.certificate.0).or_default().push(&sni.name);
        }
        let names = |n| names.get(&n).map(Vec::as_slice).unwrap_or_default();
        let certificates = entities.certificates.iter().enumerate();
        let identities = certificates
            .map(|(n, certificate)| identities(certificate, names(n), &mut diagnostics))
            .collect();
        let authorities = entities
            .ca_certificates
            .iter()
            .map(|certificate| authority(certificate, &mut diagnostics))
            .collect();
        (Self { identities, authorities }, diagnostics)
    }

    /// Certificates of the listeners, by server name.
    pub(super) fn by_name(&self, names: &[Sni]) -> CertificateTable {
        let mut certificates = CertificateTable::default();
        for sni in names {
            let identities = self.identities.get(sni.certificate.0);
            if let Some(identities) = identities.filter(|identities| !identities.is_empty()) {
                certificates.add(&sni.name, identities.clone());
            }
        }
        certificates
    }

    /// TLS settings of the upstream of each Service. Equal settings of the previous configuration, `before`, are reused, so
    /// that idle connections stay usable.
    pub(super) fn upstream_settings(
        &self,
        entities: &Entities,
        defaults: &UpstreamTls,
        before: &[Arc<TlsSettings>],
    ) -> Vec<Arc<TlsSettings>> {
        let mut all: Vec<Arc<TlsSettings>> = Vec::with_capacity(entities.services.len());
        let mut last: Option<(Option<Trust>, Option<CertifiedIdentity>)> = None;
        let upstreams: HashMap<&str, CertificateIndex> = entities
            .upstreams
            .iter()
            .filter_map(|upstream| Some((upstream.name.as_str(), upstream.client_certificate?)))
            .collect();
        for service in &entities.services {
            let parts = (self.trust(service, defaults), self.identity(service, &upstreams, defaults));
            if let (Some(same), Some(settings)) = (&last, all.last().cloned())
                && *same == parts
            {
                all.push(settings);
                continue;
            }
            let settings = TlsSettings::new(parts.0.clone(), parts.1.clone());
            let known = before.iter().chain(&all).find(|known| **known == settings).cloned();
            all.push(known.unwrap_or(settings));
            last = Some(parts);
        }
        all
    }

    /// TLS settings of the active checks of an Upstream. (Kong: `https_verify_certificate`.) Checks over gRPC accept any
    /// certificate, as gRPC Services do.
    pub(super) fn check_settings(&self, upstream: &Upstream, defaults: &UpstreamTls) -> Arc<TlsSettings> {
        let active = &upstream.healthchecks.active;
        let verifies = match active.protocol {
            CheckProtocol::Https => active.verify,
            CheckProtocol::Grpcs => false,
            _ => return TlsSettings::trusting(),
        };
        let trust = || Trust { authorities: defaults.authorities.clone(), depth: None };
        let own =
            upstream.client_certificate.and_then(|index| self.identities.get(index.0)?.first().cloned());
        TlsSettings::new(verifies.then(trust), own.or_else(|| defaults.identity.clone()))
    }

    /// Trust in certificates of the upstream; `None` accepts any certificate.
    fn trust(&self, service: &Service, defaults: &UpstreamTls) -> Option<Trust> {
        (service.tls_verify == Some(true)).then(|| self.trust_if_verified(service, defaults))
    }

    /// Trust in certificates of the upstream for requests whose certificate is verified, as a plugin may choose.
    pub(super) fn trust_if_verified(&self, service: &Service, defaults: &UpstreamTls) -> Trust {
        Trust {
            authorities: match &service.ca_certificates {
                None => defaults.authorities.clone(),
                Some(named) => {
                    let stores = named.iter().filter_map(|index| self.authorities.get(index.0)?.clone());
                    CaStore::union(&stores.collect::<Vec<_>>())
                }
            },
            depth: service.tls_verify_depth,
        }
    }

    /// Client certificate: that of the Service, else of its Upstream, else the default. (Kong's order.)
    fn identity(
        &self,
        service: &Service,
        upstreams: &HashMap<&str, CertificateIndex>,
        defaults: &UpstreamTls,
    ) -> Option<CertifiedIdentity> {
        let named = service.client_certificate.or_else(|| upstreams.get(&*service.host).copied());
        let own = named.and_then(|index| self.identities.get(index.0)?.first().cloned());
        own.or_else(|| defaults.identity.clone())
    }
}

/// The certificate and its alternative, as far as they can be served.
pub(super) fn identities(
    entity: &Certificate,
    names: &[&str],
    diagnostics: &mut Vec<Diagnostic>,
) -> Arc<[CertifiedIdentity]> {
    let mut read: Vec<CertifiedIdentity> = Vec::new();
    let mut kinds: Vec<KeyType> = Vec::new();
    let pairs = [
        (Some(&entity.cert), Some(&entity.key), [certificate::CERT.name, certificate::KEY.name], ""),
        (
            entity.cert_alt.as_ref(),
            entity.key_alt.as_ref(),
            [certificate::CERT_ALT.name, certificate::KEY_ALT.name],
            "alternative ",
        ),
    ];
    for (certificate, key, fields, which) in pairs {
        let (Some(certificate), Some(key)) = (certificate, key) else { continue };
        // A value that a vault does not have is empty; a warning reports it, and the certificate is not served.
        if certificate.is_empty() || key.is_empty() {
            continue;
        }
        match CertifiedIdentity::from_pem(certificate, key) {
            Ok(identity) => {
                for remark in identity.warnings() {
                    let message = format!("{which}certificate {}: {remark}", describe(entity, names));
                    diagnostics.push(Diagnostic::warning(entity.at.key(fields[0]), message));
                }
                kinds.push(identity.kind());
                read.push(identity);
            }
            Err(fault) => {
                kinds.extend(fault.unsupported_type());
                diagnostics.push(certificate_error(entity, &fault, fields, which, names));
            }
        }
    }
    if let [one, other] = &*kinds
        && one == other
    {
        let message = "certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), \
                       the provided certificates were both of the same type";
        diagnostics.push(
            Diagnostic::error(entity.at.key(certificate::CERT_ALT.name), message)
                .in_list_at(entity.at.key(ENTITY)),
        );
    }
    read.into()
}

/// Description of a certificate in warnings: its id and its server names.
fn describe(entity: &Certificate, names: &[&str]) -> String {
    let more = if names.len() > MAX_NAMES { ", ..." } else { "" };
    match names.get(..names.len().min(MAX_NAMES)) {
        None | Some([]) => entity.id.to_string(),
        Some(some) => format!("{} ({}{more})", entity.id, some.join(", ")),
    }
}

/// Most names in a warning.
const MAX_NAMES: usize = 3;

/// The diagnostic about a certificate that cannot be used.
fn certificate_error(
    entity: &Certificate,
    fault: &CertificateFault,
    [certificate, key]: [&str; 2],
    which: &str,
    names: &[&str],
) -> Diagnostic {
    let at = &entity.at;
    match fault {
        CertificateFault::Certificate(_) => Diagnostic::error(at.key(certificate), fault.to_string()),
        CertificateFault::Key(_) => Diagnostic::error(at.key(key), fault.to_string()),
        CertificateFault::Mismatch(help) => {
            let default_help = || format!("give {key} the private key that {certificate} was made for");
            let diagnostic = Diagnostic::error(at.key(certificate), format!("{which}{fault}"));
            // Kong reports it for the record as a whole.
            diagnostic.help(help.clone().unwrap_or_else(default_help)).in_list_at(at.key(ENTITY))
        }
        CertificateFault::Unsupported(..) => {
            let message = format!("{which}certificate {} is not served: {fault}", describe(entity, names));
            Diagnostic::warning(at.key(certificate), message).help(
                "clients get ssl_cert or the generated certificate for its server names, upstreams get none",
            )
        }
    }
}

/// The authority of a CA certificate.
pub(super) fn authority(entity: &CaCertificate, diagnostics: &mut Vec<Diagnostic>) -> Option<CaStore> {
    let at = entity.at.key(ca_certificate::CERT.name);
    let parsed =
        CaStore::from_pem([&*entity.cert]).and_then(|store| Ok((store, is_authority(&entity.cert)?)));
    match parsed {
        Ok((authorities, true)) => Some(authorities),
        Ok((_, false)) => {
            let message =
                "certificate does not appear to be a CA because it is missing the \"CA\" basic constraint";
            let help =
                "a certificate of version 1, or of a server, can be trusted by lua_ssl_trusted_certificate";
            diagnostics.push(Diagnostic::error(at, message).help(help).in_list_at(entity.at.key(ENTITY)));
            None
        }
        Err(error) => {
            diagnostics.push(Diagnostic::error(at, format!("invalid certificate: {error}")));
            None
        }
    }
}
