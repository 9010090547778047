//! Addresses and ranges of them, as the API server reads them.

use std::collections::BinaryHeap;
use std::net::Ipv6Addr;

use schemars::JsonSchema;
use serde::Deserialize;

/// Which of the two families an address is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// How many bits an address has.
    const fn bits(self) -> u32 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// As `ipFamilies` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// The addresses that start with the same `prefix` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub family: Family,
    address: u128,
    prefix: u32,
}

impl Range {
    const fn v4(address: [u8; 4], prefix: u32) -> Self {
        Self { family: Family::V4, address: u32::from_be_bytes(address) as u128, prefix }
    }

    const fn v6(first: u16, prefix: u32) -> Self {
        Self { family: Family::V6, address: (first as u128) << 112, prefix }
    }

    /// Reads a single address. As for the API server, octets may have leading zeros, and an IPv4 address written as an IPv6
    /// one is the former (`ParseIPSloppy` in <https://pkg.go.dev/k8s.io/utils/net>).
    pub fn address(text: &str) -> Option<Self> {
        let (family, address) = bits(text)?;
        Some(Self { family, address, prefix: family.bits() }.unmapped())
    }

    /// Reads a range: an address, `/`, and the length of the prefix (`ParseCIDRSloppy`, there).
    pub fn cidr(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (family, address) = bits(address)?;
        let prefix = number(prefix).filter(|prefix| *prefix <= family.bits())?;
        Some(Self { family, address, prefix }.unmapped())
    }

    /// The same range as one of IPv4 where it is within `::ffff:0:0/96`.
    fn unmapped(self) -> Self {
        const MAPPED: Range = Range { family: Family::V6, address: 0xffff_0000_0000, prefix: 96 };
        if !MAPPED.contains(&self) {
            return self;
        }
        let address = self.address & u128::from(u32::MAX);
        Self { family: Family::V4, address, prefix: self.prefix.saturating_sub(MAPPED.prefix) }
    }

    /// The bits that its addresses differ in.
    fn rest(&self) -> u128 {
        let rest = self.family.bits().saturating_sub(self.prefix);
        1_u128.checked_shl(rest).map_or(u128::MAX, |next| next - 1)
    }

    fn first(&self) -> u128 {
        self.address & !self.rest()
    }

    fn last(&self) -> u128 {
        self.address | self.rest()
    }

    /// Whether all of another range's addresses are within this one.
    pub fn contains(&self, other: &Self) -> bool {
        let rest = self.family.bits().saturating_sub(self.prefix);
        self.family == other.family
            && self.prefix <= other.prefix
            // With no prefix at all there are no bits left to differ.
            && (self.address ^ other.address).checked_shr(rest).unwrap_or_default() == 0
    }

    /// Whether it is the world, or so much of it that it is nobody's own.
    pub fn is_world(&self, min: MinPrefix) -> bool {
        let min = match self.family {
            Family::V4 => min.ipv4,
            Family::V6 => min.ipv6,
        };
        self.prefix < u32::from(min) && !PRIVATE.iter().any(|private| private.contains(self))
    }
}

/// Whether ranges together are half of what there is of a family or more, which is nobody's own: what is private is far less.
/// Where as much may be in one range, it may be in several.
pub fn are_world(ranges: &[Range], family: Family, min: MinPrefix) -> bool {
    // Of IPv6, no more than an eighth is given to anyone
    // (https://www.iana.org/assignments/ipv6-address-space/).
    let (half, is_allowed) = match family {
        Family::V4 => (1 << 31, min.ipv4 <= 1),
        Family::V6 => (1 << 124, min.ipv6 <= 4),
    };
    if is_allowed {
        return false;
    }
    let of_family = ranges.iter().filter(|range| range.family == family);
    let sorted: BinaryHeap<_> = of_family.map(|range| (range.first(), range.last())).collect();
    let (mut number, mut after) = (0_u128, 0);
    for (first, last) in sorted.into_sorted_vec() {
        let first = first.max(after);
        if first <= last {
            number = number.saturating_add((last - first).saturating_add(1));
            after = last.saturating_add(1);
        }
    }
    number >= half
}

/// The ranges from which nothing comes over the internet, where they are wider than the least [`MinPrefix`] that anyone
/// would ask for (<https://www.iana.org/assignments/iana-ipv4-special-registry/>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry/>).
const PRIVATE: &[Range] = &[
    Range::v4([10, 0, 0, 0], 8),
    Range::v4([100, 64, 0, 0], 10),
    Range::v4([127, 0, 0, 0], 8),
    Range::v4([169, 254, 0, 0], 16),
    Range::v4([172, 16, 0, 0], 12),
    Range::v4([192, 168, 0, 0], 16),
    Range::v4([240, 0, 0, 0], 4),
    Range::v6(0xfc00, 7),
    Range::v6(0xfe80, 10),
];

/// The shortest prefixes that a range of public addresses may have.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MinPrefix {
    /// For IPv4. Default: 8, the widest that was ever given to anyone.
    pub ipv4: u8,
    /// For IPv6. Default: 16, wider than what any network has.
    pub ipv6: u8,
}

impl Default for MinPrefix {
    fn default() -> Self {
        Self { ipv4: 8, ipv6: 16 }
    }
}

/// A range in the settings, shown as it was written.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Allowed {
    range: Range,
    text: String,
}

impl Allowed {
    pub fn contains(&self, other: &Range) -> bool {
        self.range.contains(other)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for Allowed {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let range = Range::cidr(&text).or_else(|| Range::address(&text));
        let range = range.ok_or("expected an address such as 198.51.100.7, or a range such as 198.51.100.0/24")?;
        Ok(Self { range, text })
    }
}

/// The family and the bits of an address.
fn bits(text: &str) -> Option<(Family, u128)> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(|address| (Family::V6, address.to_bits()));
    }
    let mut octets = text.split('.').map(|octet| number(octet).filter(|octet| *octet <= 255));
    let mut address = 0;
    for _ in 0..4 {
        address = address << 8 | u128::from(octets.next()??);
    }
    octets.next().is_none().then_some((Family::V4, address))
}

/// A number in digits alone, leading zeros allowed.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_api_server_reads() {
        for (text, same) in [
            ("0.0.0.0/0", "0.0.0.0/00"),
            ("1.2.3.4/32", "001.02.3.4/32"),
            ("1.2.3.4/32", "::ffff:1.2.3.4/128"),
            ("0.0.0.0/0", "::ffff:0:0/96"),
            ("::/0", "0::0/0"),
            ("2001:db8::/32", "2001:0DB8:0::/32"),
        ] {
            assert_eq!(Range::cidr(text), Range::cidr(same), "{same}");
            assert!(Range::cidr(text).is_some(), "{text}");
        }
        for text in [
            "",
            "/",
            "/0",
            "1.2.3.4",
            "1.2.3/8",
            "1.2.3.4.5/8",
            "1.2.3.256/8",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/+8",
            "1.2.3.4/",
            "1.2.3.4/8/8",
            "::/129",
            ":::/0",
            "a/8",
            "+1.2.3.4/8",
            "1..3.4/8",
            "1.2.3.4/99999999999",
            " ::/0",
            "fe80::1%eth0/64",
        ] {
            assert_eq!(Range::cidr(text), None, "{text}");
        }
        assert_eq!(Range::address("::ffff:10.0.0.1"), Range::address("10.0.0.1"));
        assert_eq!(Range::address("10.0.0.1/32"), None);
    }

    #[test]
    fn contains_what_starts_alike() {
        let contains = |outer, inner| {
            Range::cidr(outer).zip(Range::cidr(inner)).is_some_and(|(outer, inner)| outer.contains(&inner))
        };
        for (outer, inner) in [
            ("10.0.0.0/8", "10.255.0.0/16"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "fe80::/10"),
            ("10.9.9.9/8", "10.0.0.0/8"),
        ] {
            assert!(contains(outer, inner), "{outer} {inner}");
        }
        for (outer, inner) in [("10.0.0.0/8", "11.0.0.0/8"), ("10.0.0.0/16", "10.0.0.0/8"), ("::/0", "10.0.0.0/8")] {
            assert!(!contains(outer, inner), "{outer} {inner}");
        }
    }

    #[test]
    fn ranges_together() {
        let are_world = |texts: &[String], min| {
            let ranges: Vec<Range> = texts.iter().filter_map(|text| Range::cidr(text)).collect();
            [Family::V4, Family::V6].map(|family| super::are_world(&ranges, family, min))
        };
        let eights = |number: u8| (0..number).map(|first| format!("{first}.0.0.0/8")).collect::<Vec<_>>();
        let default = MinPrefix::default();
        assert_eq!(are_world(&eights(128), default), [true, false]);
        assert_eq!(are_world(&eights(127), default), [false, false]);
        assert_eq!(are_world(&[eights(100), eights(100)].concat(), default), [false, false]);
        assert_eq!(are_world(&eights(128), MinPrefix { ipv4: 1, ipv6: 1 }), [false, false]);
        let sixteens = (0x2000..0x3000).map(|first| format!("{first:x}::/16")).collect::<Vec<_>>();
        assert_eq!(are_world(&sixteens, default), [false, true]);
        assert_eq!(are_world(&sixteens[1..], default), [false, false]);
        let all = ["0.0.0.0/0", "255.255.255.255/32", "::/0", "ffff::/16", "::/1"].map(str::to_owned);
        assert_eq!(are_world(&all, default), [true, true]);
    }

    #[test]
    fn the_world_is_what_is_nobodys_own() {
        let is_world = |text| Range::cidr(text).map(|range| range.is_world(MinPrefix::default()));
        for text in
            ["0.0.0.0/0", "1.2.3.4/0", "128.0.0.0/1", "8.0.0.0/7", "10.0.0.0/7", "::/0", "2000::/3", "::ffff:0:0/96"]
        {
            assert_eq!(is_world(text), Some(true), "{text}");
        }
        for text in ["8.0.0.0/8", "10.0.0.0/8", "240.0.0.0/4", "fc00::/7", "fd00::/8", "2600::/16", "::1/128"] {
            assert_eq!(is_world(text), Some(false), "{text}");
        }
    }
}
