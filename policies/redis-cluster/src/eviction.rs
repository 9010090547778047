//! What Redis does when its memory is full.

use gatehouse_policy::image::quoted;
use gatehouse_policy::{Path, Report};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Config;
use crate::{EVICTION, RedisCluster};

/// What Redis removes when its memory is full: `maxmemory-policy`
/// (<https://redis.io/docs/latest/develop/reference/eviction/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Eviction {
    /// Nothing: writes fail. Redis' default.
    Noeviction,
    /// The least recently used keys.
    AllkeysLru,
    /// The least frequently used keys.
    AllkeysLfu,
    /// The least recently modified keys; from Redis 8.6 on.
    AllkeysLrm,
    /// Any keys.
    AllkeysRandom,
    /// The least recently used keys of those that expire.
    VolatileLru,
    /// The least frequently used keys of those that expire.
    VolatileLfu,
    /// The least recently modified keys of those that expire; from Redis 8.6 on.
    VolatileLrm,
    /// Any keys that expire.
    VolatileRandom,
    /// The keys that expire first.
    VolatileTtl,
}

/// Every policy, by its name.
const NAMES: [(&str, Eviction); 10] = [
    ("noeviction", Eviction::Noeviction),
    ("allkeys-lru", Eviction::AllkeysLru),
    ("allkeys-lfu", Eviction::AllkeysLfu),
    ("allkeys-lrm", Eviction::AllkeysLrm),
    ("allkeys-random", Eviction::AllkeysRandom),
    ("volatile-lru", Eviction::VolatileLru),
    ("volatile-lfu", Eviction::VolatileLfu),
    ("volatile-lrm", Eviction::VolatileLrm),
    ("volatile-random", Eviction::VolatileRandom),
    ("volatile-ttl", Eviction::VolatileTtl),
];

impl Eviction {
    fn name(self) -> &'static str {
        NAMES.iter().find(|(_, of)| *of == self).map_or("", |(name, _)| name)
    }
}

pub fn judge(config: &Config<'_, '_>, settings: &RedisCluster, report: &mut Report<'_>) {
    let wanted = settings.eviction;
    let values = config.values("maxmemory-policy");
    for value in &values {
        let found = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&value.text)).map(|(_, found)| *found);
        let unknown = match found {
            Some(found) if wanted.is_none_or(|wanted| wanted == found) => continue,
            Some(_) => "",
            None => ", which Redis does not know",
        };
        let message = || {
            let expected = wanted.map_or("one such as allkeys-lru", Eviction::name);
            format!("maxmemory-policy is {}{unknown}, expected {expected}", quoted(&value.text))
        };
        report.add(&EVICTION, || value.path.clone(), message);
    }
    if let Some(wanted) = wanted.filter(|wanted| *wanted != Eviction::Noeviction)
        && values.is_empty()
        && !config.names_file()
    {
        let message = || format!("maxmemory-policy is not set, so that it is noeviction, expected {}", wanted.name());
        report.add(&EVICTION, Path::of(&["spec", "redisConfig", "dynamicConfig"]), message);
    }
}
