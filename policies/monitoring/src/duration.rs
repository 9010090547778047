//! Durations as Prometheus writes them.

use std::fmt::{self, Display};

use gatehouse_policy::ReadError;
use schemars::JsonSchema;
use serde::Deserialize;

/// A duration such as `30s` or `1h30m`, in milliseconds. Its units are `y`, `w`, `d`, `h`, `m`, `s` and `ms`, each at most
/// once and the greatest first; `0` needs none (`ParseDuration` in
/// <https://github.com/prometheus/common/blob/main/model/time.go>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Duration(u64);

const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest: 2^63 nanoseconds, 292 years.
const LONGEST: u64 = (1 << 63) / 1_000_000;

impl Duration {
    /// 30 seconds: what the operator has Prometheus take between two scrapes where nobody says how long
    /// (`ScrapeInterval` in
    /// <https://github.com/prometheus-operator/prometheus-operator/blob/main/pkg/apis/monitoring/v1/prometheus_types.go>).
    pub const HALF_A_MINUTE: Self = Self(30_000);

    /// The duration that a text is; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self(0));
        }
        let (mut rest, mut units, mut all) = (text, &UNITS[..], 0_u64);
        while !rest.is_empty() {
            let (digits, after) = rest.split_at_checked(run(rest, |byte| byte.is_ascii_digit())).unwrap_or_default();
            let (unit, after) = after.split_at_checked(run(after, |byte| !byte.is_ascii_digit())).unwrap_or_default();
            let place = units.iter().position(|(known, _)| *known == unit)?;
            let amount = digits.parse::<u64>().ok()?.checked_mul(units[place].1)?;
            all = all.checked_add(amount).filter(|all| *all <= LONGEST)?;
            (rest, units) = (after, &units[place + 1..]);
        }
        (!text.is_empty()).then_some(Self(all))
    }

    /// Whether it is none at all.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// How many bytes a text starts with that are of a sort.
fn run(text: &str, is_of: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is_of(*byte)).count()
}

impl TryFrom<String> for Duration {
    type Error = ReadError;

    fn try_from(text: String) -> Result<Self, ReadError> {
        Self::parse(&text).ok_or_else(|| ReadError::new("expected a duration such as 30s or 1m30s"))
    }
}

impl Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        // Weeks and years only where nothing is left, as Prometheus writes them.
        for (unit, length) in UNITS {
            let is_whole = !matches!(unit, "y" | "w") || rest.is_multiple_of(length);
            if rest >= length && is_whole {
                write!(f, "{}{unit}", rest / length)?;
                rest %= length;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_prometheus_reads() {
        for (text, milliseconds) in [
            ("0", 0),
            ("0s", 0),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1s500ms", 1_500),
            ("007s", 7_000),
            ("1y2w3d", (365 + 14 + 3) * 86_400_000),
            ("292y", 292 * 365 * 86_400_000),
        ] {
            assert_eq!(Duration::parse(text), Some(Duration(milliseconds)), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "1.5h",
            "30 s",
            "1s1m",
            "1m1m",
            "1h 30m",
            "-1m",
            "1us",
            "1S",
            "300y",
            "99999999999999999999s",
            "1m30",
            "५s",
        ] {
            assert_eq!(Duration::parse(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["0s", "30s", "1m30s", "1h", "1d12h", "2w", "1y", "366d", "1ms"] {
            assert_eq!(Duration::parse(text).map(|of| of.to_string()).as_deref(), Some(text));
        }
    }
}
