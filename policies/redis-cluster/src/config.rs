//! The configuration of Redis that a `RedisCluster` holds, or was meant to hold.

use std::borrow::Cow;

use gatehouse_policy::image::quoted;
use gatehouse_policy::node::{Data, Member, Node};
use gatehouse_policy::{Edit, Path, Report, Request};

use crate::cluster::Spec;
use crate::settable::{SETTABLE, settable};
use crate::{CONFIG_SCHEMA, UNREAD};

/// Where there is a `redisConfig`.
const PLACES: [&[&str]; 3] = [TOP, &["spec", "redisLeader", "redisConfig"], &["spec", "redisFollower", "redisConfig"]];

const TOP: &[&str] = &["spec", "redisConfig"];

/// What the schema keeps of a `redisConfig`: `RedisConfig` in
/// <https://github.com/OT-CONTAINER-KIT/redis-operator/blob/v0.26.0/api/common/v1beta2/common_types.go>. That of v1beta1 had
/// no `spec.redisConfig` at all; today's alone is served.
const KEPT: &[&str] = &["additionalRedisConfig", "dynamicConfig", "maxMemoryPercentOfLimit"];

/// The configuration in an object.
pub struct Config<'c, 'r> {
    spec: &'c Spec<'r>,
    /// What the schema drops, in the order of [`PLACES`].
    dropped: [Vec<&'r Member<'r>>; 3],
}

/// A value of the configuration.
pub struct Value<'c> {
    pub text: Cow<'c, str>,
    pub path: Path,
}

impl<'c, 'r> Config<'c, 'r> {
    pub fn of(request: &Request<'r>, spec: &'c Spec<'r>) -> Self {
        let dropped = PLACES.map(|place| match request.object.descend(place).map(|node| &node.data) {
            Some(Data::Object(members)) => {
                members.iter().filter(|member| !KEPT.contains(&&*member.key) && !member.value.is_null()).collect()
            }
            _ => Vec::new(),
        });
        Self { spec, dropped }
    }

    /// What an entry of `dynamicConfig` sets: `applyDynamicConfig` of the operator takes what comes before the first space
    /// for the name, and all that follows for the value.
    fn dynamic(&self) -> impl DoubleEndedIterator<Item = (usize, Option<(&'c str, &'c str)>)> {
        self.spec.redis_config.dynamic_config.iter().map(|entry| entry.split_once(' ')).enumerate()
    }

    /// The values that something is to have: what `dynamicConfig` sets last, as it goes before all else. Where it sets
    /// nothing, what the schema drops is judged as it was meant.
    pub fn values(&self, name: &str) -> Vec<Value<'c>>
    where
        'r: 'c,
    {
        let entry = |(index, entry): (usize, Option<(&str, &'c str)>)| {
            let (_, text) = entry.filter(|(of, _)| of.eq_ignore_ascii_case(name))?;
            Some(Value { text: text.into(), path: Path::of(TOP).key("dynamicConfig").index(index) })
        };
        if let Some(value) = self.dynamic().rev().find_map(entry) {
            return vec![value];
        }
        let mut values = Vec::new();
        for (place, dropped) in PLACES.iter().zip(&self.dropped) {
            for member in dropped.iter().filter(|member| member.key.eq_ignore_ascii_case(name)) {
                if let Some(text) = text(&member.value) {
                    values.push(Value { text, path: Path::of(place).key(member.key.clone().into_owned()) });
                }
            }
        }
        values
    }

    /// Whether a `ConfigMap` holds more of the configuration, so that nothing can be said of what is not here.
    pub fn names_file(&self) -> bool {
        let spec = self.spec;
        let configs = [&spec.redis_config, &spec.redis_leader.redis_config, &spec.redis_follower.redis_config];
        configs.iter().any(|config| !config.file.is_empty())
    }

    /// Finds what the schema, or the operator, drops.
    pub fn judge_schema(&self, report: &mut Report<'_>) {
        for (place, dropped) in PLACES.iter().zip(&self.dropped) {
            if dropped.is_empty() {
                continue;
            }
            let message = || {
                format!(
                    "{}: the operator's schema has no {} and drops {}, expected them as \"name value\" in \
                     spec.redisConfig.dynamicConfig, or in the ConfigMap that additionalRedisConfig of redisLeader and \
                     redisFollower names",
                    place[1..].join("."),
                    names(dropped),
                    if dropped.len() == 1 { "it" } else { "them" },
                )
            };
            let added = report.add(&CONFIG_SCHEMA, || Path::of(place), message);
            if *place != TOP || !added.is_listed() {
                continue;
            }
            match self.mend(dropped) {
                Some((edits, false)) => added.safe_fix(edits),
                Some((edits, true)) => added.unsafe_fix(edits),
                None => {}
            }
        }
        for (index, entry) in self.dynamic() {
            if entry.is_none() {
                let message = || {
                    let entry = self.spec.redis_config.dynamic_config.get(index).copied().unwrap_or_default();
                    format!("dynamicConfig: the operator skips {}, expected a name, a space and a value", quoted(entry))
                };
                report.add(&CONFIG_SCHEMA, || Path::of(TOP).key("dynamicConfig").index(index), message);
            }
        }
    }

    /// Takes what the schema drops into `dynamicConfig`, and whether that sets anything: what `dynamicConfig` sets already is
    /// as it was. `None` where not all of it can go there.
    fn mend(&self, dropped: &[&Member<'_>]) -> Option<(Vec<Edit>, bool)> {
        let mut is_set = [false; SETTABLE.len()];
        for (_, entry) in self.dynamic() {
            if let Some(place) = entry.and_then(|(name, _)| settable(name)) {
                *is_set.get_mut(place)? = true;
            }
        }
        let mut is_dropped = [false; SETTABLE.len()];
        let mut more = Vec::new();
        for member in dropped {
            let place = settable(&member.key)?;
            // The same name twice, in letters of another case: who knows which was meant.
            if std::mem::replace(is_dropped.get_mut(place)?, true) {
                return None;
            }
            let text = text(&member.value)?;
            if !*is_set.get(place)? {
                more.push(format!("{} {text}", member.key));
            }
        }
        let mut edits = Vec::new();
        let sets = !more.is_empty();
        if sets {
            let entries = self.spec.redis_config.dynamic_config.iter().map(|entry| (*entry).to_owned());
            let entries: Vec<String> = entries.chain(more).collect();
            edits.push(Edit::set(Path::of(TOP).key("dynamicConfig"), entries));
        }
        edits.extend(dropped.iter().map(|member| Edit::Remove(Path::of(TOP).key(member.key.clone().into_owned()))));
        Some((edits, sets))
    }

    /// Finds what the schema keeps and the operator never looks at: the configuration of a cluster is read in one place, the
    /// file of each role in another (`GetRedisDynamicConfig`, `CreateRedisLeader`, `CreateRedisFollower`).
    pub fn judge_unread(&self, report: &mut Report<'_>) {
        let spec = self.spec;
        if !spec.redis_config.file.is_empty() {
            let message = "additionalRedisConfig: the operator does not read it here, expected it in \
                           spec.redisLeader.redisConfig and spec.redisFollower.redisConfig";
            report.add(&UNREAD, Path::of(TOP).key("additionalRedisConfig"), message);
        }
        for (place, config) in PLACES.iter().skip(1).zip([&spec.redis_leader, &spec.redis_follower]) {
            let config = &config.redis_config;
            let fields = [
                ("dynamicConfig", !config.dynamic_config.is_empty()),
                ("maxMemoryPercentOfLimit", config.max_memory_percent_of_limit.is_some()),
            ];
            for (field, _) in fields.into_iter().filter(|(_, is_there)| *is_there) {
                let message = format!("{field}: the operator does not read it here, expected it in spec.redisConfig");
                report.add(&UNREAD, Path::of(place).key(field), message);
            }
        }
        if spec.resources.is_some() {
            let message = "resources: the operator does not read them here, expected them in spec.kubernetesConfig";
            report.add(&UNREAD, Path::of(&["spec", "resources"]), message);
        }
    }
}

/// A value as a line of `redis.conf` has it. What YAML makes of `appendonly: yes` is a boolean.
fn text<'r>(node: &'r Node<'_>) -> Option<Cow<'r, str>> {
    match &node.data {
        Data::String(text) => Some((&**text).into()),
        Data::Bool(value) => Some(if *value { "yes" } else { "no" }.into()),
        Data::Number(number) => Some(number.to_string().into()),
        Data::Null | Data::Array(_) | Data::Object(_) => None,
    }
}

/// Names for a message: there may be any number of them, each of any length.
fn names(members: &[&Member<'_>]) -> String {
    const SHOWN: usize = 20;
    let plain = |name: &str| name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_graphic());
    let mut names: Vec<String> = members
        .iter()
        .take(SHOWN)
        .map(|member| if plain(&member.key) { member.key.clone().into_owned() } else { quoted(&member.key) })
        .collect();
    if members.len() > SHOWN {
        names.push(format!("{} more", members.len() - SHOWN));
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
