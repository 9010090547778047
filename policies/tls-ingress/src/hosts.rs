//! Sets of hosts.

use std::cmp::Ordering;

/// Hosts, some of them with a wildcard for their first label, `*.example.com`. A look-up takes the logarithm of their
/// number: an Ingress may have thousands, in its rules and in `spec.tls`. Names of hosts have no case.
pub struct Hosts<'h> {
    names: Names<'h>,
    /// What stands behind the wildcards.
    wildcards: Names<'h>,
}

impl<'h> FromIterator<&'h str> for Hosts<'h> {
    fn from_iter<I: IntoIterator<Item = &'h str>>(hosts: I) -> Self {
        let names: Names<'_> = hosts.into_iter().collect();
        let wildcards = names.iter().filter_map(|name| name.strip_prefix("*.")).collect();
        Self { names, wildcards }
    }
}

impl<'h> Hosts<'h> {
    /// Whether one of the names is a host, or takes it in, which may have a wildcard too: it covers one label and no more
    /// (<https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards>).
    pub fn cover(&self, host: &str) -> bool {
        self.names.hold(host) || parent(host).is_some_and(|parent| self.wildcards.hold(parent))
    }

    /// Whether one of the names has a wildcard.
    pub fn have_wildcard(&self) -> bool {
        self.wildcards.iter().next().is_some()
    }

    /// What stands behind the first label of the hosts: a host that starts with a wildcard takes in those before its own.
    pub fn parents(&self) -> Names<'h> {
        self.names.iter().filter_map(parent).collect()
    }
}

/// What follows the first label, where there is one.
fn parent(host: &str) -> Option<&str> {
    host.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, parent)| parent)
}

/// Names whose case does not matter, in order, each behind its first letters: what these decide needs no look at the text.
pub struct Names<'n>(Vec<(u64, &'n str)>);

impl<'n> FromIterator<&'n str> for Names<'n> {
    fn from_iter<I: IntoIterator<Item = &'n str>>(names: I) -> Self {
        let mut names: Vec<(u64, &str)> = names.into_iter().map(|name| (start(name), name)).collect();
        names.sort_unstable_by(compare);
        Self(names)
    }
}

impl<'n> Names<'n> {
    fn iter(&self) -> impl Iterator<Item = &'n str> {
        self.0.iter().map(|(_, name)| *name)
    }

    /// Whether a name is there.
    pub fn hold(&self, name: &str) -> bool {
        let name = (start(name), name);
        self.0.binary_search_by(|held| compare(held, &name)).is_ok()
    }

    /// Whether a name is there more than once.
    pub fn hold_twice(&self, name: &str) -> bool {
        let name = (start(name), name);
        let first = self.0.partition_point(|held| compare(held, &name) == Ordering::Less);
        self.0.get(first + 1).is_some_and(|second| compare(second, &name) == Ordering::Equal)
    }
}

/// The first eight letters as a number, of which the first counts most.
fn start(name: &str) -> u64 {
    let letters = name.bytes().chain(std::iter::repeat(0)).take(8);
    letters.fold(0, |start, letter| start << 8 | u64::from(letter.to_ascii_lowercase()))
}

fn compare(one: &(u64, &str), other: &(u64, &str)) -> Ordering {
    one.0.cmp(&other.0).then_with(|| {
        let differ = one.1.bytes().zip(other.1.bytes()).filter(|(one, other)| one != other);
        let mut orders = differ.map(|(one, other)| one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase()));
        orders.find(|order| order.is_ne()).unwrap_or_else(|| one.1.len().cmp(&other.1.len()))
    })
}
