//! Blocks of IP addresses, in CIDR notation. (RFC 4632, section 3.1; RFC 4291, section 2.3)

use std::net::IpAddr;

/// Block of IP addresses: one address, or all addresses that begin with the same bits.
///
/// An IPv4 address that is mapped into IPv6 (`::ffff:10.0.0.1`; RFC 4291, section 2.5.5.2) counts as IPv4, both as the
/// base of a block and as the address to compare; every other block of IPv6 contains only addresses of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    base: IpAddr,
    /// Number of bits at the end that may differ.
    host_bits: u32,
}

impl IpNetwork {
    /// Parses `ADDRESS`, a block of one address, or `ADDRESS/LENGTH`; bits behind the length are ignored.
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

    /// Parses as [`Self::parse`].
    ///
    /// # Errors
    /// Kong's message.
    pub fn parse_setting(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| format!("invalid ip or cidr range: '{text}'"))
    }

    /// The block of the addresses whose first `length` bits are those of `base`; `None` if `base` has fewer bits.
    #[must_use]
    pub fn new(base: IpAddr, length: u8) -> Option<Self> {
        let bits: u32 = if base.is_ipv4() { 32 } else { 128 };
        let host_bits = bits.checked_sub(length.into())?;
        // A block with a shorter prefix than that of all mapped addresses (96 bits) is a block of IPv6.
        Some(Self { base: if host_bits <= 32 { base.to_canonical() } else { base }, host_bits })
    }

    /// Whether an address is in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let differs = match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => u128::from(base.to_bits() ^ address.to_bits()),
            (IpAddr::V6(base), IpAddr::V6(address)) => base.to_bits() ^ address.to_bits(),
            _ => return false,
        };
        differs.checked_shr(self.host_bits).unwrap_or_default() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_contains_the_addresses_with_its_leading_bits() {
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
    fn invalid_blocks_are_refused() {
        for wrong in ["bad", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/999"]
        {
            assert!(IpNetwork::parse(wrong).is_none(), "{wrong}");
        }
    }
}
