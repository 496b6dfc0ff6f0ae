//! Key exchange with the curve P-521, which *ring* does not support. In TLS 1.2 a certificate of this curve can only be
//! sent to peers that support the curve for key exchange, too. (RFC 8422, section 5.1.1.)

use p521::{PublicKey, Sec1Point, ecdh::EphemeralSecret, elliptic_curve::Generate};
use rustls::{
    Error, NamedGroup, PeerMisbehaved,
    crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup},
    ffdhe_groups::FfdheGroup,
};

/// P-521 as a group for key exchange.
#[derive(Debug)]
pub(super) struct P521Group;

struct P521KeyExchange {
    secret: EphemeralSecret,
    public: Vec<u8>,
}

impl SupportedKxGroup for P521Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = EphemeralSecret::try_generate().map_err(|_| Error::FailedToGetRandomBytes)?;
        let public = Sec1Point::from(secret.public_key()).as_bytes().to_vec();
        Ok(Box::new(P521KeyExchange { secret, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

impl ActiveKeyExchange for P521KeyExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        // Points are uncompressed in TLS. (RFC 8446, section 4.2.8.2.)
        let is_uncompressed = peer.first() == Some(&4);
        let peer = PublicKey::from_sec1_bytes(peer).ok().filter(|_| is_uncompressed);
        let peer = peer.ok_or(PeerMisbehaved::InvalidKeyShare)?;
        Ok(SharedSecret::from(self.secret.diffie_hellman(&peer).raw_secret_bytes().as_slice()))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_compute_the_same_secret() {
        let [one, other] = [(); 2].map(|()| P521Group.start().unwrap());
        let (of_one, of_other) = (one.pub_key().to_vec(), other.pub_key().to_vec());
        let (ours, theirs) = (one.complete(&of_other).unwrap(), other.complete(&of_one).unwrap());
        assert_eq!(ours.secret_bytes(), theirs.secret_bytes());
        assert_eq!(ours.secret_bytes().len(), 66);
    }

    #[test]
    fn bytes_that_are_not_a_point_are_refused() {
        let point = P521Group.start().unwrap().pub_key().to_vec();
        let mut off_curve = point.clone();
        off_curve[132] ^= 1;
        let compressed = [&[2 | (point[132] & 1)], &point[1..67]].concat();
        for wrong in [&[][..], &[0], &point[..132], &off_curve, &compressed] {
            assert!(P521Group.start().unwrap().complete(wrong).is_err(), "{wrong:?}");
        }
    }
}
