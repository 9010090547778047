//! Ports that may be told by number or by name.

use std::fmt::{self, Display};

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A port by number or by the name that a container gives it, the API's `IntOrString`: 0 where absent. Any text is a name
/// here, and any number an `int32` holds a number; whether there can be such a port is for policies to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port<'r> {
    /// Its number.
    Number(i32),
    /// Its name.
    Name(&'r str),
}

impl Default for Port<'_> {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Display for Port<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl<'de: 'r, 'r> Deserialize<'de> for Port<'r> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PortVisitor;

        impl<'de> Visitor<'de> for PortVisitor {
            type Value = Port<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number or the name of a port")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Port<'de>, E> {
                let number =
                    i32::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))?;
                Ok(Port::Number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Port<'de>, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }

            fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Port<'de>, E> {
                Ok(Port::Name(name))
            }
        }

        deserializer.deserialize_any(PortVisitor)
    }
}
