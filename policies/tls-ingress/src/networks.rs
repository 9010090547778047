//! Lists of addresses and networks.

use std::net::IpAddr;

/// A network: the address that it starts with, from the highest bit on, and how many bits of it count.
type Network = (u128, u32);

/// What no client from the internet has for an address: `0.0.0.0/8`, `10.0.0.0/8`, `100.64.0.0/10`, `127.0.0.0/8`,
/// `169.254.0.0/16`, `172.16.0.0/12`, `192.168.0.0/16`, `224.0.0.0/3`
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry/iana-ipv4-special-registry.xhtml>).
const NOT_PUBLIC_V4: &[Network] = &[
    (0x0000_0000 << 96, 8),
    (0x0a00_0000 << 96, 8),
    (0x6440_0000 << 96, 10),
    (0x7f00_0000 << 96, 8),
    (0xa9fe_0000 << 96, 16),
    (0xac10_0000 << 96, 12),
    (0xc0a8_0000 << 96, 16),
    (0xe000_0000 << 96, 3),
];

/// What is outside `2000::/3`, of which all public addresses are
/// (<https://www.iana.org/assignments/ipv6-address-space/ipv6-address-space.xhtml>).
const NOT_PUBLIC_V6: &[Network] = &[(0, 3), (1 << 126, 2), (1 << 127, 1)];

/// Whether a list, separated by commas, takes in every public address of IPv4 or every one of IPv6. One that holds anything
/// but addresses and networks takes in none: ingress-nginx reads all of it or nothing (`ParseIPNets` in
/// <https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/internal/net/ipnet.go>).
pub fn take_in_everyone(list: &str) -> bool {
    let (mut v4, mut v6) = (NOT_PUBLIC_V4.to_vec(), NOT_PUBLIC_V6.to_vec());
    for network in list.split(',') {
        match read(network.trim()) {
            Some((true, network)) => v4.push(network),
            Some((false, network)) => v6.push(network),
            None => return false,
        }
    }
    fill(&mut v4, 0) || fill(&mut v6, 0)
}

/// Whether networks that are alike up to a bit leave out no address that is. Each is looked at once a bit at most.
fn fill(networks: &mut [Network], bit: u32) -> bool {
    if networks.iter().any(|(_, bits)| *bits <= bit) {
        return true;
    }
    // All have a further bit, so there is one.
    let mut ones = 0;
    for index in 0..networks.len() {
        if networks[index].0.rotate_left(bit + 1) & 1 == 1 {
            networks.swap(ones, index);
            ones += 1;
        }
    }
    let (ones, zeros) = networks.split_at_mut(ones);
    !ones.is_empty() && !zeros.is_empty() && fill(ones, bit + 1) && fill(zeros, bit + 1)
}

/// Reads a network, or an address, and whether it is of IPv4. One of IPv4 that is written as one of IPv6 is one of IPv4, as
/// to Go.
fn read(network: &str) -> Option<(bool, Network)> {
    let (address, bits) = match network.split_once('/') {
        None => (network, None),
        Some((address, bits)) if bits.bytes().all(|byte| byte.is_ascii_digit()) => (address, Some(bits.parse().ok()?)),
        Some(_) => return None,
    };
    let v4 = |address| u128::from(u32::from(address)) << 96;
    let (is_v4, most, address, bits): (_, u32, _, _) = match address.parse().ok()? {
        IpAddr::V4(address) => (true, 32, v4(address), bits.unwrap_or(32)),
        IpAddr::V6(address) => {
            let bits: u32 = bits.unwrap_or(128);
            match address.to_ipv4_mapped().zip(bits.checked_sub(96)) {
                Some((address, bits)) => (true, 32, v4(address), bits),
                None => (false, 128, u128::from(address), bits),
            }
        }
    };
    (bits <= most).then_some((is_v4, (address, bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_in_everyone() {
        for list in [
            "0.0.0.0/0",
            " 10.0.0.0/8 , 0.0.0.0/0",
            "203.0.113.7/0",
            "0.0.0.0/1,128.0.0.0/1",
            "128.0.0.0/1,64.0.0.0/2,0.0.0.0/2",
            "::/0",
            "::/1,8000::/1",
            "2000::/3",
            "::ffff:0.0.0.0/96",
            "0.0.0.0/1,128.0.0.0/2,192.0.0.0/3",
            "1.0.0.0/8,2.0.0.0/7,4.0.0.0/6,8.0.0.0/7,11.0.0.0/8,12.0.0.0/6,16.0.0.0/4,32.0.0.0/3,64.0.0.0/2,128.0.0.0/2,\
             192.0.0.0/3",
        ] {
            assert!(take_in_everyone(list), "{list}");
        }
        for list in [
            "",
            ",",
            "0.0.0.0",
            "10.0.0.0/8",
            "0.0.0.0/1",
            "0.0.0.0/1,128.0.0.0/2",
            "0.0.0.0/1,8000::/1",
            "8000::/1",
            "0.0.0.0/0,all",
            "0.0.0.0/33",
            "0.0.0.0/-0",
            "0.0.0.0/+0",
            "0.0.0.0/",
            "::/129",
            "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fd00::/8",
        ] {
            assert!(!take_in_everyone(list), "{list}");
        }
    }

    #[test]
    fn thousands_take_no_time() {
        let networks: Vec<String> = (0..256).flat_map(|a| (0..256).map(move |b| format!("{a}.{b}.0.0/16"))).collect();
        assert!(take_in_everyone(&networks.join(",")));
        assert!(!take_in_everyone(&networks[..50_000].join(",")));
    }
}
