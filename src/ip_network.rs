//! Blocks of IP addresses, in CIDR notation. (RFC 4632, section 3.1; RFC 4291, section 2.3)

use std::net::IpAddr;

/// An address, or all that begin with the same bits.
///
/// An IPv4 address that is mapped into IPv6 (`::ffff:10.0.0.1`; RFC 4291, section 2.5.5.2) is an IPv4 address, in a
/// block and in what is looked for; every other block of IPv6 holds addresses of IPv6 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    base: IpAddr,
    /// How many bits at the end are free.
    free: u32,
}

impl IpNetwork {
    /// Reads `ADDRESS`, which is a block of one, or `ADDRESS/LENGTH`; bits behind the length do not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().ok()?;
        match length {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Self::new(base, digits.parse().ok()?)
            }
            Some(_) => None,
            None => Self::new(base, if base.is_ipv4() { 32 } else { 128 }),
        }
    }

    /// The block of the addresses whose first `length` bits are those of `base`; none if it has fewer.
    #[must_use]
    pub fn new(base: IpAddr, length: u8) -> Option<Self> {
        let bits: u32 = if base.is_ipv4() { 32 } else { 128 };
        let free = bits.checked_sub(length.into())?;
        // A shorter block of IPv6 than that of all mapped addresses is one of IPv6.
        Some(Self { base: if free <= 32 { base.to_canonical() } else { base }, free })
    }

    /// Whether an address is in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let differs = match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(it)) => u128::from(base.to_bits() ^ it.to_bits()),
            (IpAddr::V6(base), IpAddr::V6(it)) => base.to_bits() ^ it.to_bits(),
            _ => return false,
        };
        differs.checked_shr(self.free).unwrap_or_default() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_bits_decide() {
        for (network, address, expected) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.7", false),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("::ffff:0:0/96", "192.0.2.1", true),
            ("::ffff:0:0/96", "2001:db8::1", false),
            ("::ffff:0:0/95", "192.0.2.1", false),
            ("::ffff:0:0/95", "::fffe:0:1", true),
        ] {
            let contains = IpNetwork::parse(network).unwrap().contains(address.parse().unwrap());
            assert_eq!(contains, expected, "{address} in {network}");
        }
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for wrong in ["bad", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/999"]
        {
            assert!(IpNetwork::parse(wrong).is_none(), "{wrong}");
        }
    }
}
