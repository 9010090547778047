//! Amounts as the API server keeps them in lists of resources.

use std::fmt::{self, Display};

use gatehouse_policy::node::{Data, Member};
use gatehouse_policy::quantity::Quantity;
use gatehouse_policy::{Node, Path, ReadError};
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer};

const NANOS_PER_MILLI: u128 = 1_000_000;

/// One object, pod or byte.
pub const ONE: u128 = 1000;

/// A quantity as the API server keeps it in a list of resources: not negative (`ValidateNonnegativeQuantity` in
/// `pkg/apis/core/validation` of kubernetes/kubernetes), in whole thousandths, rounded up (`SetDefaults_ResourceList` in
/// `pkg/apis/core/v1`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub struct Amount(Quantity);

/// What a null is (`UnmarshalJSON` of `quantity.go`).
impl Default for Amount {
    fn default() -> Self {
        Self("0".parse().unwrap_or_else(|_| unreachable!()))
    }
}

impl Amount {
    /// In thousandths.
    pub fn millis(&self) -> u128 {
        quotient(self.0.nanos().unsigned_abs(), NANOS_PER_MILLI)
    }

    /// Another number of thousandths, written as this amount is: as a plain number, or with the largest suffix of its sort that
    /// leaves no fraction (`CanonicalizeBytes` in
    /// <https://github.com/kubernetes/apimachinery/blob/master/pkg/api/resource/quantity.go>).
    pub fn like_this(&self, millis: u128) -> String {
        // What is beyond 64 bits is nobody's: the code for more would be longer than all this.
        let Ok(mut number) = u64::try_from(millis / ONE) else { return format!("over {}", u64::MAX) };
        if let Ok(rest @ 1..) = u32::try_from(millis % ONE) {
            return format!("{}m", number.saturating_mul(1000).saturating_add(rest.into()));
        }
        let text = self.0.to_string();
        let (letters, step, end): (&[u8], _, _) = match text.as_bytes() {
            [.., b'i'] => (b"KMGTPE", 1024, "i"),
            [.., b'k' | b'M' | b'G' | b'T' | b'P' | b'E'] => (b"kMGTPE", 1000, ""),
            _ => (b"", 1, ""),
        };
        let mut used = None;
        for letter in letters {
            if number == 0 || number % step != 0 {
                break;
            }
            number /= step;
            used = Some(char::from(*letter));
        }
        match used {
            Some(letter) => format!("{number}{letter}{end}"),
            None => number.to_string(),
        }
    }
}

impl Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let quantity = Quantity::deserialize(deserializer)?;
        if quantity.nanos() < 0 {
            return Err(de::Error::custom(format_args!("expected 0 or more, found {quantity}")));
        }
        Ok(Self(quantity))
    }
}

/// The sum, or the greatest number there is: no quota gives that much. Each use of its own would be longer than the call.
#[inline(never)]
pub fn plus(one: u128, other: u128) -> u128 {
    one.saturating_add(other)
}

/// The product, as for [`plus`].
#[inline(never)]
pub fn product(one: u128, other: u128) -> u128 {
    one.saturating_mul(other)
}

/// The quotient, rounded up, as for [`plus`].
#[inline(never)]
pub fn quotient(one: u128, other: u128) -> u128 {
    one.div_ceil(other)
}

/// The amounts that stand at the end of a chain of members, as they are written.
pub fn written<'n>(node: &'n Node<'_>, way: &[&'static str]) -> Result<Vec<(&'n str, Amount)>, ReadError> {
    let mut found = Vec::new();
    match node.within(way)?.map(|node| &node.data) {
        None => {}
        Some(Data::Object(members)) => {
            for Member { key, value, .. } in members {
                match value.view::<Option<Amount>>() {
                    Ok(amount) => found.push((&**key, amount.unwrap_or_default())),
                    Err(error) => return Err(error.below(&Path::of(way).key(key.clone().into_owned()))),
                }
            }
        }
        Some(_) => return Err(ReadError { path: Path::of(way), reason: "expected an object".to_owned() }),
    }
    Ok(found)
}

/// The resources that containers have beside huge pages and what devices offer.
pub const STANDARD: &[&str] = &["cpu", "memory", "ephemeral-storage"];

/// The start of the names of huge pages of a size.
pub const HUGE_PAGES: &str = "hugepages-";

/// Whether it is the resource of a device: one with a domain that is not Kubernetes' own (`IsExtendedResourceName` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/helper/helpers.go>).
pub fn is_extended(resource: &str) -> bool {
    // The search for a text that `str` has is a good part of a module.
    const NATIVE: &[u8] = b"kubernetes.io/";
    let is_native = resource.as_bytes().windows(NATIVE.len()).any(|part| part == NATIVE);
    resource.contains('/') && !is_native && !resource.starts_with("requests.")
}

/// Whether a container can have such a resource.
pub fn is_resource(name: &str) -> bool {
    STANDARD.contains(&name) || name.starts_with(HUGE_PAGES) || name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_the_quota_is() {
        for (like, millis, expected) in [
            ("20", 21_000, "21"),
            ("20", 20_500, "20500m"),
            ("20", 2_000_000, "2000"),
            ("20000m", 21_000, "21"),
            ("40Gi", 42 << 30, "45097156608m"),
            ("40Gi", (42 << 30) * 1000, "42Gi"),
            ("40Gi", ((42 << 30) + (1 << 29)) * 1000, "43520Mi"),
            ("40Gi", 0, "0"),
            ("40Gi", 1000, "1"),
            ("40G", 45_000_000_000_000, "45G"),
            ("40G", (42 << 30) * 1000, "45097156608"),
            ("4e3", 4_000_000, "4000"),
            ("1Ei", (1_u128 << 63) * 1000, "8Ei"),
            ("1Ei", (1_u128 << 64) * 1000, "over 18446744073709551615"),
            ("1", u128::MAX, "over 18446744073709551615"),
        ] {
            let amount = Amount(like.parse().unwrap());
            assert_eq!(amount.like_this(millis), expected, "{millis} like {like}");
        }
    }
}
