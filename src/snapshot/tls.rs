//! Certificates of the configuration, compiled: what clients are shown, and how TLS is spoken with upstreams.

use std::{collections::HashMap, sync::Arc};

use crate::{
    diag::{Diagnostic, ENTITY},
    entity::{CaCertificate, Certificate, CertificateIndex, CheckProtocol, Entities, Service, Sni, Upstream},
    tls::{CaStore, CertificateFault, CertificateTable, CertifiedIdentity, KeyType, is_authority},
    upstream::{TlsSettings, Trust},
};

/// How TLS is spoken with upstreams whose Service does not say.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    /// Who vouches for upstreams. (Kong: `lua_ssl_trusted_certificate`.)
    pub authorities: CaStore,
    /// What is shown to upstreams that ask. (Kong: `client_ssl_cert`.)
    pub identity: Option<CertifiedIdentity>,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self { authorities: CaStore::public(), identity: None }
    }
}

/// The certificates of one configuration, read.
pub(super) struct LoadedCertificates {
    /// By place in [`Entities::certificates`].
    identities: Vec<Arc<[CertifiedIdentity]>>,
    /// By place in [`Entities::ca_certificates`].
    authorities: Vec<Option<CaStore>>,
}

impl LoadedCertificates {
    /// Reads all certificates of a configuration; also says what is wrong with them, and which of them cannot be shown.
    pub(super) fn new(entities: &Entities) -> (Self, Vec<Diagnostic>) {
        let mut wrong = Vec::new();
        let mut names: HashMap<usize, Vec<&str>> = HashMap::new();
        for sni in &entities.snis {
            names.entry(sni.certificate.0).or_default().push(&sni.name);
        }
        let names = |n| names.get(&n).map(Vec::as_slice).unwrap_or_default();
        let certificates = entities.certificates.iter().enumerate();
        let identities = certificates.map(|(n, it)| identities(it, names(n), &mut wrong)).collect();
        let authorities = entities.ca_certificates.iter().map(|it| authority(it, &mut wrong)).collect();
        (Self { identities, authorities }, wrong)
    }

    /// What clients are shown, by the name that they ask for.
    pub(super) fn by_name(&self, names: &[Sni]) -> CertificateTable {
        let mut certificates = CertificateTable::default();
        for it in names {
            if let Some(identities) = self.identities.get(it.certificate.0).filter(|it| !it.is_empty()) {
                certificates.add(&it.name, identities.clone());
            }
        }
        certificates
    }

    /// How TLS is spoken with the upstream of each Service; settings that were used `before` are used again.
    pub(super) fn upstream_settings(
        &self,
        entities: &Entities,
        usual: &UpstreamTls,
        before: &[Arc<TlsSettings>],
    ) -> Vec<Arc<TlsSettings>> {
        let mut all: Vec<Arc<TlsSettings>> = Vec::with_capacity(entities.services.len());
        let mut last: Option<(Option<Trust>, Option<CertifiedIdentity>)> = None;
        let upstreams: HashMap<&str, CertificateIndex> = entities
            .upstreams
            .iter()
            .filter_map(|it| Some((it.name.as_str(), it.client_certificate?)))
            .collect();
        for service in &entities.services {
            let asked = (self.trust(service, usual), self.identity(service, &upstreams, usual));
            if let (Some(same), Some(settings)) = (&last, all.last().cloned())
                && *same == asked
            {
                all.push(settings);
                continue;
            }
            let settings = TlsSettings::new(asked.0.clone(), asked.1.clone());
            let known = before.iter().chain(&all).find(|it| **it == settings).cloned();
            all.push(known.unwrap_or(settings));
            last = Some(asked);
        }
        all
    }

    /// How TLS is spoken in the active checks of an Upstream. (Kong: `https_verify_certificate`.) Those of gRPC take any
    /// certificate, as its Services do.
    pub(super) fn check_settings(&self, upstream: &Upstream, usual: &UpstreamTls) -> Arc<TlsSettings> {
        let active = &upstream.healthchecks.active;
        let verifies = match active.protocol {
            CheckProtocol::Https => active.verify,
            CheckProtocol::Grpcs => false,
            _ => return TlsSettings::trusting(),
        };
        let trust = || Trust { authorities: usual.authorities.clone(), depth: None };
        let own = upstream.client_certificate.and_then(|it| self.identities.get(it.0)?.first().cloned());
        TlsSettings::new(verifies.then(trust), own.or_else(|| usual.identity.clone()))
    }

    /// Whose certificates are taken; none for anybody's.
    fn trust(&self, service: &Service, usual: &UpstreamTls) -> Option<Trust> {
        (service.tls_verify == Some(true)).then(|| Trust {
            authorities: match &service.ca_certificates {
                None => usual.authorities.clone(),
                Some(named) => {
                    let these = named.iter().filter_map(|it| self.authorities.get(it.0)?.clone());
                    CaStore::all(&these.collect::<Vec<_>>())
                }
            },
            depth: service.tls_verify_depth,
        })
    }

    /// What is shown: what the Service says, else its Upstream, else the process's own. (Kong's order.)
    fn identity(
        &self,
        service: &Service,
        upstreams: &HashMap<&str, CertificateIndex>,
        usual: &UpstreamTls,
    ) -> Option<CertifiedIdentity> {
        let named = service.client_certificate.or_else(|| upstreams.get(&*service.host).copied());
        let own = named.and_then(|it| self.identities.get(it.0)?.first().cloned());
        own.or_else(|| usual.identity.clone())
    }
}

/// The certificate, and its alternative, as far as they can be shown.
pub(super) fn identities(
    it: &Certificate,
    names: &[&str],
    wrong: &mut Vec<Diagnostic>,
) -> Arc<[CertifiedIdentity]> {
    let mut read: Vec<CertifiedIdentity> = Vec::new();
    let mut kinds: Vec<KeyType> = Vec::new();
    let pairs = [
        (Some(&it.cert), Some(&it.key), ["cert", "key"], ""),
        (it.cert_alt.as_ref(), it.key_alt.as_ref(), ["cert_alt", "key_alt"], "alternative "),
    ];
    for (certificate, key, fields, which) in pairs {
        let (Some(certificate), Some(key)) = (certificate, key) else { continue };
        // What a vault does not have is empty: a warning tells of it, and the certificate is shown to nobody.
        if certificate.is_empty() || key.is_empty() {
            continue;
        }
        match CertifiedIdentity::from_pem(certificate, key) {
            Ok(identity) => {
                for remark in identity.remarks() {
                    let message = format!("{which}certificate {}: {remark}", named(it, names));
                    wrong.push(Diagnostic::warning(it.at.key(fields[0]), message));
                }
                kinds.push(identity.kind());
                read.push(identity);
            }
            Err(fault) => {
                kinds.extend(fault.unservable());
                wrong.push(complain(it, &fault, fields, which, names));
            }
        }
    }
    if let [one, other] = &*kinds
        && one == other
    {
        let message = "certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), \
                       the provided certificates were both of the same type";
        wrong.push(Diagnostic::error(it.at.key("cert_alt"), message).listed(it.at.key(ENTITY)));
    }
    read.into()
}

/// How a certificate is called in a warning: its id, and the names that clients ask for.
fn named(it: &Certificate, names: &[&str]) -> String {
    let more = if names.len() > MOST_NAMES { ", ..." } else { "" };
    match names.get(..names.len().min(MOST_NAMES)) {
        None | Some([]) => it.id.to_string(),
        Some(some) => format!("{} ({}{more})", it.id, some.join(", ")),
    }
}

/// How many names a warning tells.
const MOST_NAMES: usize = 3;

fn complain(
    it: &Certificate,
    fault: &CertificateFault,
    [certificate, key]: [&str; 2],
    which: &str,
    names: &[&str],
) -> Diagnostic {
    let at = &it.at;
    match fault {
        CertificateFault::Certificate(_) => Diagnostic::error(at.key(certificate), fault.to_string()),
        CertificateFault::Key(_) => Diagnostic::error(at.key(key), fault.to_string()),
        CertificateFault::Mismatch(help) => {
            let usual = || format!("give {key} the private key that {certificate} was made for");
            let complaint = Diagnostic::error(at.key(certificate), format!("{which}{fault}"));
            // Kong tells it of the record as a whole.
            complaint.help(help.clone().unwrap_or_else(usual)).listed(at.key(ENTITY))
        }
        CertificateFault::Unservable(..) => {
            let message = format!("{which}certificate {} is not shown: {fault}", named(it, names));
            Diagnostic::warning(at.key(certificate), message)
                .help("clients that ask for its names are shown ssl_cert or the generated certificate, upstreams none")
        }
    }
}

/// The authority, if the certificate is one's.
pub(super) fn authority(it: &CaCertificate, wrong: &mut Vec<Diagnostic>) -> Option<CaStore> {
    let at = it.at.key("cert");
    let read = CaStore::from_pem([&*it.cert]).and_then(|read| Ok((read, is_authority(&it.cert)?)));
    match read {
        Ok((authorities, true)) => Some(authorities),
        Ok((_, false)) => {
            let message =
                "certificate does not appear to be a CA because it is missing the \"CA\" basic constraint";
            let help =
                "a certificate of version 1, or of a server, can be trusted by lua_ssl_trusted_certificate";
            wrong.push(Diagnostic::error(at, message).help(help).listed(it.at.key(ENTITY)));
            None
        }
        Err(why) => {
            wrong.push(Diagnostic::error(at, format!("invalid certificate: {why}")));
            None
        }
    }
}
