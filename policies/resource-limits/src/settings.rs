//! What a team sets, and which settings contradict each other.

use std::fmt;

use gatehouse_policy::quantity::Quantity;
use gatehouse_policy::{Path, ReadError, Settings, suggestion};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, MapAccess, Visitor};

use crate::resources::{Amount, Amounts, Resources, STANDARD, Share, Side, is_overcommitted, is_resource};

/// The settings of resource-limits. Resources are named as in a manifest: `cpu`, `memory`, `ephemeral-storage`,
/// `hugepages-2Mi`, `nvidia.com/gpu`.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceLimits {
    /// The resources that every container must request. Default: cpu and memory.
    pub requests: Vec<String>,
    /// The resources that every container must have a limit of. Default: cpu and memory.
    pub limits: Vec<String>,
    /// The resources that no container may request or have a limit of, by `requests` and `limits`. They are judged once
    /// `rules` switches `forbidden` on.
    pub forbidden: Names,
    /// The least amounts that containers may request and be limited to.
    pub minimum: Resources,
    /// The greatest amounts that containers may request and be limited to.
    pub maximum: Resources,
    /// How many times its request a limit may be, at most: a number of 1 or more, for every resource or by resource, such
    /// as `{cpu: 4, memory: 1.5}`.
    pub max_ratio: MaxRatio,
    /// What the fixes set where a request or limit is absent.
    pub defaults: Resources,
}

/// Names of resources.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default)]
pub struct Names {
    /// For requests.
    pub requests: Vec<String>,
    /// For limits.
    pub limits: Vec<String>,
}

impl Names {
    fn of(&self, side: Side) -> &[String] {
        if side == Side::Requests { &self.requests } else { &self.limits }
    }
}

impl Default for ResourceLimits {
    fn default() -> Self {
        let required = || vec!["cpu".to_owned(), "memory".to_owned()];
        Self {
            requests: required(),
            limits: required(),
            forbidden: Names::default(),
            minimum: Resources::default(),
            maximum: Resources::default(),
            max_ratio: MaxRatio::default(),
            defaults: Resources::default(),
        }
    }
}

impl ResourceLimits {
    pub fn required(&self, side: Side) -> &[String] {
        if side == Side::Requests { &self.requests } else { &self.limits }
    }

    pub fn requires(&self, side: Side, name: &str) -> bool {
        self.required(side).iter().any(|required| required == name)
    }

    pub fn forbids(&self, side: Side, name: &str) -> bool {
        self.forbidden.of(side).iter().any(|forbidden| forbidden == name)
    }

    fn validate_names(&self) -> Result<(), ReadError> {
        for side in Side::BOTH {
            let field = side.field();
            let lists =
                [(Path::of(&[field]), self.required(side)), (Path::of(&["forbidden", field]), self.forbidden.of(side))];
            for (path, names) in lists {
                for (index, name) in names.iter().enumerate() {
                    let path = path.clone().index(index);
                    if names.iter().take(index).any(|other| other == name) {
                        return refuse(path, "it is listed twice".to_owned());
                    }
                    known(name, path)?;
                }
            }
            for (setting, resources) in
                [("minimum", &self.minimum), ("maximum", &self.maximum), ("defaults", &self.defaults)]
            {
                for (name, amount) in resources.of(side) {
                    let path = Path::of(&[setting, field]).key(name.clone());
                    if amount.is_zero() {
                        return refuse(path, "expected more than 0".to_owned());
                    }
                    known(name, path)?;
                }
            }
        }
        Ok(())
    }

    fn validate_ratio(&self) -> Result<(), ReadError> {
        let judge = |ratio: &Amount, path: Path| {
            if ratio.is_below_one() {
                return refuse(path, "expected 1 or more: no limit is below its request".to_owned());
            }
            Ok(())
        };
        let path = Path::of(&["maxRatio"]);
        match &self.max_ratio {
            MaxRatio::Any => Ok(()),
            MaxRatio::Every(ratio) => judge(ratio, path),
            MaxRatio::Each(ratios) => ratios.iter().try_for_each(|(name, ratio)| {
                let path = path.clone().key(name.clone());
                judge(ratio, path.clone())?;
                known(name, path)
            }),
        }
    }

    /// What is forbidden must not be required, nor come with what is: a limit alone is a request too, and a request of
    /// what cannot be overcommitted needs a limit.
    fn validate_forbidden(&self) -> Result<(), ReadError> {
        for side in Side::BOTH {
            for (index, name) in self.forbidden.of(side).iter().enumerate() {
                let both = side == Side::Requests || !is_overcommitted(name);
                for other in Side::BOTH {
                    if self.requires(other, name) && (other == side || both) {
                        let why = if other == side { "" } else { ", and one brings the other" };
                        let path = Path::of(&["forbidden", side.field()]).index(index);
                        return refuse(path, format!("{name} is required by {}{why}", other.field()));
                    }
                }
            }
        }
        Ok(())
    }

    fn validate_bounds(&self) -> Result<(), ReadError> {
        use Side::{Limits, Requests};
        for (low, high) in [(Requests, Requests), (Limits, Limits), (Requests, Limits)] {
            for (name, least) in self.minimum.of(low) {
                if let Some(most) = self.maximum.of(high).get(name).filter(|most| least > most) {
                    let path = Path::of(&["minimum", low.field()]).key(name.clone());
                    return refuse(path, format!("{least} is above the maximum {high} of {most}"));
                }
            }
        }
        Ok(())
    }

    /// A fix must not bring what the policy finds.
    fn validate_defaults(&self) -> Result<(), ReadError> {
        for side in Side::BOTH {
            for name in self.defaults.of(side).keys() {
                let mut faults = self.faults(Share::of(name, &self.defaults));
                if let Some((rule, _, what)) = faults.find(|(_, of, _)| *of == side) {
                    let path = Path::of(&["defaults", side.field()]).key(name.clone());
                    return refuse(path, format!("the rule {} would find it: {what}", rule.name));
                }
            }
        }
        Ok(())
    }
}

impl Settings for ResourceLimits {
    fn validate(&self) -> Result<(), ReadError> {
        self.validate_names()?;
        self.validate_ratio()?;
        self.validate_forbidden()?;
        self.validate_bounds()?;
        self.validate_defaults()
    }
}

fn refuse(path: Path, reason: String) -> Result<(), ReadError> {
    Err(ReadError { path, reason })
}

fn known(name: &str, path: Path) -> Result<(), ReadError> {
    if is_resource(name) {
        return Ok(());
    }
    refuse(path, format!("no resource has this name; {}", suggestion(name, STANDARD)))
}

/// How far a limit may be above its request.
#[derive(Clone, Debug, Default)]
pub enum MaxRatio {
    /// As far as anyone likes.
    #[default]
    Any,
    /// For every resource.
    Every(Amount),
    /// For these resources.
    Each(Amounts),
}

impl MaxRatio {
    pub fn of(&self, name: &str) -> Option<&Amount> {
        match self {
            Self::Any => None,
            Self::Every(ratio) => Some(ratio),
            Self::Each(ratios) => ratios.get(name),
        }
    }
}

impl<'de> Deserialize<'de> for MaxRatio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RatioVisitor;

        fn every<'n, E: de::Error, N>(ratio: N) -> Result<MaxRatio, E>
        where
            N: IntoDeserializer<'n, E, Deserializer: Deserializer<'n, Error = E>>,
        {
            let ratio = Quantity::deserialize(ratio.into_deserializer())?;
            Amount::try_from(ratio).map(MaxRatio::Every).map_err(E::custom)
        }

        impl<'de> Visitor<'de> for RatioVisitor {
            type Value = MaxRatio;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 4, or one for each resource such as {cpu: 4, memory: 1.5}")
            }

            fn visit_u64<E: de::Error>(self, ratio: u64) -> Result<MaxRatio, E> {
                every(ratio)
            }

            fn visit_i64<E: de::Error>(self, ratio: i64) -> Result<MaxRatio, E> {
                every(ratio)
            }

            fn visit_f64<E: de::Error>(self, ratio: f64) -> Result<MaxRatio, E> {
                every(ratio)
            }

            fn visit_str<E: de::Error>(self, ratio: &str) -> Result<MaxRatio, E> {
                every(ratio)
            }

            fn visit_map<A: MapAccess<'de>>(self, ratios: A) -> Result<MaxRatio, A::Error> {
                Amounts::deserialize(MapAccessDeserializer::new(ratios)).map(MaxRatio::Each)
            }
        }

        deserializer.deserialize_any(RatioVisitor)
    }
}

impl JsonSchema for MaxRatio {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MaxRatio".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let ratio = generator.subschema_for::<Amount>();
        json_schema!({"anyOf": [ratio, {"type": "object", "additionalProperties": ratio}]})
    }
}
