//! Limit of the length of certificate chains.

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::verification::SUPPORTED;

/// Whether a certificate that has been verified has a path to an anchor over at most `depth` intermediate certificates.
pub(super) fn has_path_within(
    depth: u8,
    certificate: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    usage: KeyUsage,
    now: UnixTime,
) -> bool {
    let depth = usize::from(depth);
    // A path cannot be longer than the certificates that were sent.
    if intermediates.len() <= depth {
        return true;
    }
    let is_short = |path: &webpki::VerifiedPath<'_>| match path.intermediate_certificates().count() {
        length if length <= depth => Ok(()),
        _ => Err(webpki::Error::MaximumPathDepthExceeded),
    };
    EndEntityCert::try_from(certificate).is_ok_and(|certificate| {
        certificate
            .verify_for_usage(SUPPORTED.all, anchors, intermediates, now, usage, None, Some(&is_short))
            .is_ok()
    })
}
