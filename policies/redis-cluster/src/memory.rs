//! How much memory Redis takes, and of how much.

use gatehouse_policy::image::quoted;
use gatehouse_policy::quantity::Quantity;
use gatehouse_policy::{Path, Report};

use crate::cluster::{Role, Spec};
use crate::config::Config;
use crate::{MAX_MEMORY, RedisCluster};

const NANOS_PER_BYTE: u128 = 1_000_000_000;

/// The least memory that any of a cluster's pods may take.
struct Limit<'c> {
    quantity: &'c Quantity,
    bytes: u128,
}

pub fn judge(config: &Config<'_, '_>, spec: &Spec<'_>, settings: &RedisCluster, report: &mut Report<'_>) {
    // Without a limit there is nothing to take a part of: the rule for resources says so.
    let limit = [spec.leaders(), spec.followers()].iter().filter_map(limit).min_by_key(|limit| limit.bytes);
    let percent = settings.max_memory_percent.unwrap_or(100);
    let values = config.values("maxmemory");
    for value in &values {
        let found = match (bytes(&value.text), &limit) {
            (None, _) => {
                let message = || {
                    format!(
                        "maxmemory is {}, which Redis cannot read, expected an amount such as 1536mb",
                        quoted(&value.text)
                    )
                };
                report.add(&MAX_MEMORY, || value.path.clone(), message);
                continue;
            }
            (Some(0), Some(_)) if settings.max_memory_percent.is_some() => "0, which is no bound".to_owned(),
            (Some(bytes), Some(limit)) if bytes * 100 > limit.bytes * u128::from(percent) => value.text.to_string(),
            _ => continue,
        };
        let expected = limit.as_ref().map_or_else(String::new, |limit| limit.expected(percent));
        report.add(&MAX_MEMORY, || value.path.clone(), || format!("maxmemory is {found}, expected {expected}"));
    }
    let Some(limit) = limit else { return };
    let redis_config = Path::of(&["spec", "redisConfig"]);
    match spec.redis_config.max_memory_percent_of_limit {
        Some(found) if i64::from(found) > i64::from(percent) => {
            let message = || format!("maxMemoryPercentOfLimit is {found}, expected {}", limit.expected(percent));
            report.add(&MAX_MEMORY, redis_config.key("maxMemoryPercentOfLimit"), message);
        }
        None if values.is_empty() && !config.names_file() && settings.max_memory_percent.is_some() => {
            let message = || format!("maxmemory is not set, which is no bound, expected {}", limit.expected(percent));
            report.add(&MAX_MEMORY, redis_config.key("dynamicConfig"), message);
        }
        _ => {}
    }
}

/// The memory limit of those of a role, as the operator rounds it.
fn limit<'c>(role: &Role<'c, '_>) -> Option<Limit<'c>> {
    let quantity = role.resources.value.limits.get("memory")?.as_ref()?;
    let bytes = u128::try_from(quantity.nanos()).ok()?.div_ceil(NANOS_PER_BYTE);
    (role.is_running() && bytes > 0).then_some(Limit { quantity, bytes })
}

impl Limit<'_> {
    /// What was expected of Redis within this limit.
    fn expected(&self, percent: u32) -> String {
        let most = self.bytes * u128::from(percent) / 100;
        let most = match (most >> 20, most >> 10) {
            (megabytes, _) if megabytes << 20 == most => format!("{megabytes}mb"),
            (_, kilobytes) if kilobytes << 10 == most => format!("{kilobytes}kb"),
            _ => most.to_string(),
        };
        format!("at most {percent} % of the memory limit of {}, {most}", self.quantity)
    }
}

/// An amount of memory as Redis reads it: `memtoull` in <https://github.com/redis/redis/blob/7.4.1/src/util.c>. `m` is a
/// million, `mb` 1024 × 1024, in letters of any case; there are neither fractions nor spaces.
fn bytes(text: &str) -> Option<u128> {
    let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    if digits.len() > 127 {
        return None;
    }
    // A unit without a number is 0, and what has more than 64 bits the most that they hold.
    let number = if digits.is_empty() { 0 } else { digits.parse::<u64>().unwrap_or(u64::MAX) };
    Some(u128::from(number) * unit)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn amounts_are_as_redis_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1610612736", Some(1_610_612_736)),
            ("100b", Some(100)),
            ("1k", Some(1000)),
            ("1kb", Some(1024)),
            ("1536mb", Some(1536 << 20)),
            ("1536m", Some(1_536_000_000)),
            ("1g", Some(1_000_000_000)),
            ("1GB", Some(1 << 30)),
            ("2Gb", Some(2 << 30)),
            ("mb", Some(0)),
            ("", Some(0)),
            ("99999999999999999999", Some(u128::from(u64::MAX))),
            ("1.5gb", None),
            ("2Gi", None),
            ("1 gb", None),
            ("1gb ", None),
            ("-1", None),
            ("75%", None),
            ("1tb", None),
            ("1kbb", None),
            ("ⅷmb", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
        assert_eq!(bytes(&"9".repeat(128)), None);
    }
}
