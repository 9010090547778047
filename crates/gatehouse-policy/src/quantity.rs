//! Kubernetes resource quantities, such as `100m`, `0.5` and `2Gi`.
//!
//! The rules are those of `ParseQuantity` in `pkg/api/resource/quantity.go` and of the suffix table in
//! `pkg/api/resource/suffix.go` of kubernetes/apimachinery. A limit that is judged by other rules than the API server's
//! is a hole, so the differences are few, and each of them refuses what the API server would read oddly:
//!
//! * A quantity must hold at least one digit. The API server reads `Gi`, `.` and `-` as zero.
//! * A value of 10²⁹ or more in magnitude is out of range. The API server keeps such numbers exactly at any size.
//! * An exponent is taken as it is written. The API server cuts it to 32 bits, and so reads `1e4294967296` as 1.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Number;

/// How many nanos make one: the unit of [`Quantity::nanos`].
const NANOS_PER_ONE: u128 = 1_000_000_000;

/// How many digits a count of nanos may have. Every such count fits an `i128` with room for the rounding.
const MAX_NANO_DIGITS: i64 = 38;

/// The largest value with a binary suffix, `maxAllowed` in `pkg/api/resource/math.go`.
const MAX_BINARY: u128 = i64::MAX as u128;

/// How many characters of a refused text an error repeats.
const EXCERPT: usize = 40;

/// An amount of a resource, exact to one billionth.
///
/// It has no unit of its own: `500m` is half a core for `cpu` and half a byte for `memory`.
///
/// Two quantities are equal when their values are, however they are written: `1Ki`, `1024` and `1.024k` are equal, and
/// have the same hash. A quantity keeps the text it was written with, for messages that a person can find again in their
/// manifest.
///
/// What is finer than a billionth is rounded away from zero, as the API server does: `0.1n` is `1n`. With a binary suffix
/// (`Ki` to `Ei`), a magnitude above 2⁶³ − 1 becomes 2⁶³ − 1, also as the API server does; with a decimal suffix or
/// exponent there is no such cap, and `12E` is 12 × 10¹⁸. See [`FromStr`](#impl-FromStr-for-Quantity) for what is refused.
///
/// In JSON a quantity is a string or a number. White space around the string is dropped, as `UnmarshalJSON` of
/// `quantity.go` does. The text of a number is its shortest decimal, so that `1e3` becomes `1000`. A quantity is always
/// serialised as a string.
#[derive(Clone, Debug)]
pub struct Quantity {
    nanos: i128,
    text: Box<str>,
}

impl Quantity {
    /// The value in billionths: `1n` is 1, and `1` is 1 000 000 000.
    ///
    /// Its magnitude is at most 10³⁸.
    #[must_use]
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// Whether the value is zero, in whichever way it is written.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// Whether this quantity is greater than `base` × `ratio`.
    ///
    /// The product is exact: nothing is rounded and nothing overflows, so a quantity never exceeds a product it is equal
    /// to. A limit of at most twice the request is `!limit.exceeds(&request, &two)`.
    #[must_use]
    pub fn exceeds(&self, base: &Self, ratio: &Self) -> bool {
        // `nanos` counts billionths and the product counts billionths of billionths, hence the factor on this side.
        let this = wide_product(self.nanos.unsigned_abs(), NANOS_PER_ONE);
        let product = wide_product(base.nanos.unsigned_abs(), ratio.nanos.unsigned_abs());
        let sign = self.nanos.signum();
        match sign.cmp(&(base.nanos.signum() * ratio.nanos.signum())) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal if sign < 0 => this < product,
            Ordering::Equal => this > product,
        }
    }
}

/// Reads a sign, digits with an optional decimal point anywhere in or around them, and a suffix.
///
/// The suffix is one of `n`, `u`, `m`, `k`, `M`, `G`, `T`, `P` and `E` (powers of a thousand), one of `Ki`, `Mi`, `Gi`,
/// `Ti`, `Pi` and `Ei` (powers of 1024), or a decimal exponent such as `e3`, `E-3` or `e+3`. An `E` with no digits after
/// it is the suffix exa. Case matters: `m` is a thousandth and `M` a million.
///
/// # Errors
///
/// [`QuantityError`] for a text of any other form, spaces included, and for a value of 10²⁹ or more in magnitude that a
/// binary suffix does not cap. An exponent so low that nothing is left is no error: `1e-999` is rounded to `1n`. Reading
/// takes time in proportion to the length of the text, whatever the exponent.
impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match evaluate(text) {
            Ok(nanos) => Ok(Self { nanos, text: text.into() }),
            Err(kind) => Err(QuantityError::new(text, kind)),
        }
    }
}

/// The text the quantity was written with.
impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.text, formatter)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

struct QuantityVisitor;

impl QuantityVisitor {
    /// An integer needs no reading, and every one of 64 bits is in range.
    fn integer(value: impl Into<i128> + ToString) -> Quantity {
        let text = value.to_string().into_boxed_str();
        Quantity { nanos: value.into() * NANOS_PER_ONE.cast_signed(), text }
    }
}

impl de::Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a quantity such as 100m, 0.5 or 2Gi")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        text.trim().parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Quantity, E> {
        Ok(Self::integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
        Ok(Self::integer(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Quantity, E> {
        // The shortest decimal that reads back as the same number is what was written, up to 15 digits. Its exact binary
        // value would round 0.1 up by one nano. The formatter is that of serde_json, which is in every module anyway: the
        // standard library's would add 18 KB to it.
        let text = match Number::from_f64(value) {
            Some(number) => number.to_string(),
            None => "NaN or infinity".to_owned(),
        };
        text.strip_suffix(".0").unwrap_or(&text).parse().map_err(E::custom)
    }
}

/// A string or a number, the two types that the Kubernetes `OpenAPI` document gives a quantity (`OpenAPIV3OneOfTypes` in
/// `quantity.go`).
impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Quantity")
    }

    fn schema_id() -> Cow<'static, str> {
        Cow::Borrowed(concat!(module_path!(), "::Quantity"))
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A Kubernetes quantity: a number with an optional suffix, such as 100m, 0.5 or 2Gi.",
            "type": ["string", "number"],
            "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$",
        })
    }
}

/// Why a text is no [`Quantity`].
///
/// Its text is for people. It quotes at most the first 40 characters of what was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantityError {
    excerpt: Box<str>,
    kind: ErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ErrorKind {
    /// There are no digits where the number should be.
    Number,
    /// What follows the number is no suffix.
    Suffix,
    /// The value has more than [`MAX_NANO_DIGITS`].
    Range,
}

impl QuantityError {
    fn new(text: &str, kind: ErrorKind) -> Self {
        let excerpt = match text.char_indices().nth(EXCERPT) {
            Some((end, _)) => [&text[..end], "…"].concat().into_boxed_str(),
            None => text.into(),
        };
        Self { excerpt, kind }
    }
}

impl fmt::Display for QuantityError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Quoted with escapes, so that a line break in the text cannot forge a line of a log.
        fmt::Debug::fmt(&*self.excerpt, formatter)?;
        formatter.write_str(match self.kind {
            ErrorKind::Number => " is no quantity: expected a number with an optional suffix such as 100m, 0.5, 2Gi",
            ErrorKind::Suffix => {
                " is no quantity: expected nothing after the number but one of n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, \
                 Ti, Pi, Ei, or an exponent such as e3"
            }
            ErrorKind::Range => " is out of range: expected a quantity below 1e29 in magnitude",
        })
    }
}

impl std::error::Error for QuantityError {}

/// What a suffix multiplies the number by.
enum Scale {
    /// This power of ten.
    Decimal(i64),
    /// This power of two.
    Binary(u32),
}

/// The value of a text in nanos.
fn evaluate(text: &str) -> Result<i128, ErrorKind> {
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, rest) = split_digits(number);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(ErrorKind::Number);
    }
    let magnitude = match scale(suffix)? {
        Scale::Decimal(exponent) => decimal(whole, fraction, exponent)?,
        Scale::Binary(bits) => binary(whole, fraction, bits),
    };
    // Both are at most 10³⁸, so that neither the sign bit nor the negation is a worry.
    let nanos = magnitude.cast_signed();
    Ok(if text.starts_with('-') { -nanos } else { nanos })
}

/// The digits that a text begins with, and what follows them.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(end)
}

fn scale(suffix: &str) -> Result<Scale, ErrorKind> {
    Ok(match suffix {
        "n" => Scale::Decimal(-9),
        "u" => Scale::Decimal(-6),
        "m" => Scale::Decimal(-3),
        "" => Scale::Decimal(0),
        "k" => Scale::Decimal(3),
        "M" => Scale::Decimal(6),
        "G" => Scale::Decimal(9),
        "T" => Scale::Decimal(12),
        "P" => Scale::Decimal(15),
        "E" => Scale::Decimal(18),
        "Ki" => Scale::Binary(10),
        "Mi" => Scale::Binary(20),
        "Gi" => Scale::Binary(30),
        "Ti" => Scale::Binary(40),
        "Pi" => Scale::Binary(50),
        "Ei" => Scale::Binary(60),
        _ => Scale::Decimal(exponent(suffix)?),
    })
}

/// The exponent of a suffix such as `e3`.
fn exponent(suffix: &str) -> Result<i64, ErrorKind> {
    let digits = suffix.strip_prefix(['e', 'E']).ok_or(ErrorKind::Suffix)?;
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ErrorKind::Suffix);
    }
    // The API server refuses an exponent beyond 64 bits too, whatever the number before it.
    digits.parse().map_err(|_| ErrorKind::Range)
}

/// `whole.fraction` × 10^`exponent` in nanos, rounded up.
fn decimal(whole: &str, fraction: &str, exponent: i64) -> Result<u128, ErrorKind> {
    let digits = || whole.bytes().chain(fraction.bytes());
    let Some(zeros) = digits().position(|digit| digit != b'0') else {
        return Ok(0);
    };
    // Counted before anything is multiplied: neither the length of the text nor the exponent can make this slow.
    let point = if zeros < whole.len() { length(whole.len() - zeros) } else { -length(zeros - whole.len()) };
    let kept = point.saturating_add(exponent).saturating_add(9);
    if kept > MAX_NANO_DIGITS {
        return Err(ErrorKind::Range);
    }
    let mut digits = digits().skip(zeros);
    let mut nanos = 0;
    for _ in 0..kept {
        nanos = nanos * 10 + digits.next().map_or(0, value_of);
    }
    let inexact = digits.any(|digit| digit != b'0');
    Ok(nanos + u128::from(inexact))
}

/// `whole.fraction` × 2^`bits` in nanos, rounded up and capped.
fn binary(whole: &str, fraction: &str, bits: u32) -> u128 {
    let unit = NANOS_PER_ONE << bits;
    let cap = MAX_BINARY * NANOS_PER_ONE;
    let mut units = 0;
    for digit in whole.bytes() {
        units = units * 10 + value_of(digit);
        if units > MAX_BINARY >> bits {
            return cap;
        }
    }
    // From the last digit to the first. To round up at every step comes to the same as to round up once at the end, and
    // no step is greater than one unit times ten.
    let part = fraction.bytes().rfold(0, |below, digit| (value_of(digit) * unit + below).div_ceil(10));
    cap.min(units * unit + part)
}

/// A length as an exponent. None is beyond an `i64`, as no slice is longer than `isize::MAX`.
fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The value of an ASCII digit.
fn value_of(digit: u8) -> u128 {
    u128::from(digit - b'0')
}

/// The product of two 128-bit numbers: its high half, then its low half.
fn wide_product(left: u128, right: u128) -> (u128, u128) {
    let (low, high) = left.carrying_mul(right, 0);
    (high, low)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    fn error(text: &str) -> String {
        text.parse::<Quantity>().unwrap_err().to_string()
    }

    /// Both tables were checked against `ParseQuantity` itself.
    #[test]
    fn values() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("00.00", 0),
            ("0Ki", 0),
            ("0e999", 0),
            ("0e-999", 0),
            ("1n", 1),
            ("1u", 1_000),
            ("1m", 1_000_000),
            ("1E-3", 1_000_000),
            ("0.5", 500_000_000),
            (".5", 500_000_000),
            ("-.5", -500_000_000),
            // Finer than a nano, away from zero.
            ("0.1n", 1),
            ("-0.1n", -1),
            ("1.1n", 2),
            ("1.0n", 1),
            ("0.0000000001", 1),
            ("0.0000000009", 1),
            ("1.0000000001", 1_000_000_001),
            ("1e-999", 1),
            ("-1e-999", -1),
            ("0.0000000001Ki", 103),
        ] {
            assert_eq!(quantity(text).nanos(), nanos, "{text}");
        }
    }

    #[test]
    fn whole_values() {
        for (text, value) in [
            ("1", 1),
            ("+1", 1),
            ("-1", -1),
            ("007", 7),
            ("5.", 5),
            ("5.k", 5_000),
            ("1k", 10_i128.pow(3)),
            ("1M", 10_i128.pow(6)),
            ("1G", 10_i128.pow(9)),
            ("1T", 10_i128.pow(12)),
            ("1P", 10_i128.pow(15)),
            ("1E", 10_i128.pow(18)),
            ("12E", 12 * 10_i128.pow(18)),
            ("1E3", 1_000),
            ("1e3", 1_000),
            ("1e+3", 1_000),
            ("1e0003", 1_000),
            ("1Ki", 1 << 10),
            ("1Mi", 1 << 20),
            ("1Gi", 1 << 30),
            ("1Ti", 1 << 40),
            ("1Pi", 1 << 50),
            ("1Ei", 1 << 60),
            ("1.Gi", 1 << 30),
            (".5Gi", 1 << 29),
            ("1.5Gi", 3 << 29),
            // The cap is for binary suffixes alone.
            ("7Ei", 7 << 60),
            ("8Ei", i128::from(i64::MAX)),
            ("-8Ei", -i128::from(i64::MAX)),
            ("7.99999999999999999999Ei", i128::from(i64::MAX)),
            ("9223372036854775807Ki", i128::from(i64::MAX)),
            ("99999999999999999999", 99_999_999_999_999_999_999),
            ("9.9999e28", 99_999 * 10_i128.pow(24)),
        ] {
            assert_eq!(quantity(text).nanos(), value * 1_000_000_000, "{text}");
        }
    }

    #[test]
    fn refused() {
        for text in ["", "+", "-", ".", "-.", "Gi", "m", "e3", "abc", " 1", "--1", "+-1", "١", "NaN", "inf"] {
            let error = error(text);
            assert!(error.ends_with("expected a number with an optional suffix such as 100m, 0.5, 2Gi"), "{error}");
        }
        for text in [
            "1 ", "1.1.M", "1+1.0M", "0.1mi", "0.1am", ".5i", "1i", "-3.01i", "-3.01e-", "1e", "1e+", "1K", "1gi",
            "1GB", "1ki", "1e1.5", "1ee3", "1e3k", "1e--3", "1 Gi", "1,5", "1_000", "0x10", "1e٣", "1\0",
        ] {
            let error = error(text);
            assert!(error.contains("expected nothing after the number but"), "{error}");
        }
        for text in ["1e29", "-1e29", "100000000000E", "1e999", "1e99999999999999999999", "1e-99999999999999999999"] {
            let error = error(text);
            assert!(error.contains("out of range"), "{error}");
        }
    }

    #[test]
    fn messages() {
        assert_eq!(
            error("abc"),
            r#""abc" is no quantity: expected a number with an optional suffix such as 100m, 0.5, 2Gi"#,
        );
        assert_eq!(error("1e999"), r#""1e999" is out of range: expected a quantity below 1e29 in magnitude"#);
        assert!(error("1\nx").starts_with(r#""1\nx" is"#));
        assert!(error(&"é".repeat(10_000)).starts_with(&format!("\"{}…\" is", "é".repeat(40))));
    }

    #[test]
    fn long_texts_are_read_in_no_time() {
        let nines = "9".repeat(100_000);
        let zeros = "0".repeat(100_000);
        assert!(error(&nines).contains("out of range"));
        assert_eq!(quantity(&format!("{nines}Ki")), quantity("9223372036854775807"));
        assert_eq!(quantity(&format!("{nines}e-99995")), quantity("1e5"));
        assert_eq!(quantity(&format!("0.{nines}")), quantity("1"));
        assert_eq!(quantity(&format!("0.{nines}Ki")), quantity("1Ki"));
        assert_eq!(quantity(&format!("0.{zeros}1e100001")), quantity("1"));
        assert_eq!(quantity(&format!("{zeros}1")), quantity("1"));
        assert_eq!(quantity(&format!("1.{zeros}1")).nanos(), 1_000_000_001);
        assert_eq!(quantity(&format!("1e{zeros}1")), quantity("10"));
        assert!(error(&format!("1e{nines}")).contains("out of range"));
        assert_eq!(quantity("1e-9223372036854775808").nanos(), 1);
        assert!(error("1e9223372036854775807").contains("out of range"));
    }

    #[test]
    fn suffix_laws() {
        for pair in ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].windows(2) {
            assert_eq!(quantity(&format!("1000{}", pair[0])), quantity(&format!("1{}", pair[1])));
        }
        for pair in ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].windows(2) {
            assert_eq!(quantity(&format!("1024{}", pair[0])), quantity(&format!("1{}", pair[1])));
        }
    }

    #[test]
    fn equal_by_value_and_shown_as_written() {
        let set: HashSet<_> = ["1Ki", "1024", "1.024k", "1024000m", "1.024e3"].map(quantity).into();
        assert_eq!(set.len(), 1);
        assert_eq!(quantity("1.024k").to_string(), "1.024k");
        assert_eq!(format!("{:>5}", quantity("1k")), "   1k");
        assert!(quantity("1k") < quantity("1Ki"));
        assert!(quantity("-2") < quantity("-1"));
        assert!(quantity("-0").is_zero());
        assert!(!quantity("1n").is_zero());
    }

    #[test]
    fn exceeding() {
        for (this, base, ratio, expected) in [
            ("2", "1", "2", false),
            ("2000000001n", "1", "2", true),
            ("1999999999n", "1", "2", false),
            ("3Gi", "2Gi", "1.5", false),
            ("3Gi", "2Gi", "1.4", true),
            ("0", "0", "5", false),
            ("1n", "0", "5", true),
            ("1n", "1n", "1n", true),
            ("0", "1n", "1n", false),
            ("-1", "1", "1", false),
            ("1", "-1", "1", true),
            ("1", "-1", "-1", false),
            ("-1", "-1", "1", false),
            ("-1", "-2", "1", true),
            ("-2", "-1", "1", false),
            ("0", "-1n", "1n", true),
            ("9e28", "9e28", "9e28", false),
            ("9e28", "9e28", "1", false),
            ("9e28", "9e28", "0.999999999", true),
            ("9e28", "-9e28", "9e28", true),
        ] {
            assert_eq!(
                quantity(this).exceeds(&quantity(base), &quantity(ratio)),
                expected,
                "{this} > {base} * {ratio}",
            );
        }
    }

    #[test]
    fn json() {
        for (value, text) in [
            (json!("2Gi"), "2Gi"),
            (json!(" 2Gi\n"), "2Gi"),
            (json!(2), "2"),
            (json!(-2), "-2"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(i64::MIN), "-9223372036854775808"),
            (json!(0.5), "0.5"),
            (json!(0.1), "0.1"),
            (json!(-0.1), "-0.1"),
            (json!(1e3), "1000"),
            (json!(-0.0), "-0"),
        ] {
            let read: Quantity = serde_json::from_value(value).unwrap();
            assert_eq!(read.to_string(), text);
            assert_eq!(read, quantity(text));
            assert_eq!(serde_json::to_value(&read).unwrap(), json!(text));
        }
        let tiny: Quantity = serde_json::from_str("1e-300").unwrap();
        assert_eq!(tiny.nanos(), 1);
        for (text, message) in [
            ("1e300", "out of range"),
            ("\"1GB\"", "\"1GB\" is no quantity"),
            ("null", "invalid type: null, expected a quantity such as 100m, 0.5 or 2Gi"),
            ("true", "expected a quantity such as"),
            ("[1]", "expected a quantity such as"),
        ] {
            let error = serde_json::from_str::<Quantity>(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let floats = de::value::F64Deserializer::<de::value::Error>::new;
        assert!(Quantity::deserialize(floats(f64::NAN)).is_err());
        assert!(Quantity::deserialize(floats(f64::INFINITY)).is_err());
        assert!(Quantity::deserialize(floats(f64::MAX)).is_err());
        assert_eq!(Quantity::deserialize(floats(f64::MIN_POSITIVE)).unwrap().nanos(), 1);
    }

    #[test]
    fn schema() {
        let schema = schemars::schema_for!(Quantity).to_value();
        assert_eq!(schema.get("type"), Some(&json!(["string", "number"])));
        assert!(schema.get("pattern").is_some_and(Value::is_string));
    }

    /// Whole numbers of any size: decimal digits, the least significant first. Slow and plain, to check against.
    mod big {
        pub(super) fn parse(text: &str) -> Vec<u8> {
            trim(text.bytes().rev().map(|digit| digit - b'0').collect())
        }

        pub(super) fn mul(left: &[u8], right: &[u8]) -> Vec<u8> {
            let mut sums = vec![0_u32; left.len() + right.len()];
            for (i, l) in left.iter().enumerate() {
                for (j, r) in right.iter().enumerate() {
                    sums[i + j] += u32::from(*l) * u32::from(*r);
                }
            }
            carry(sums)
        }

        pub(super) fn shift(mut digits: Vec<u8>, places: usize) -> Vec<u8> {
            digits.splice(0..0, std::iter::repeat_n(0, places));
            trim(digits)
        }

        /// Divides by a power of ten and rounds up.
        pub(super) fn unshift(digits: &[u8], places: usize) -> Vec<u8> {
            let (rest, kept) = digits.split_at(places.min(digits.len()));
            let mut sums: Vec<u32> = kept.iter().map(|digit| u32::from(*digit)).collect();
            sums.push(0);
            sums[0] += u32::from(rest.iter().any(|digit| *digit != 0));
            carry(sums)
        }

        pub(super) fn cmp(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
            left.len().cmp(&right.len()).then_with(|| left.iter().rev().cmp(right.iter().rev()))
        }

        fn carry(sums: Vec<u32>) -> Vec<u8> {
            let mut carried = 0;
            let mut digits = Vec::new();
            for sum in sums {
                carried += sum;
                digits.push(u8::try_from(carried % 10).unwrap());
                carried /= 10;
            }
            while carried > 0 {
                digits.push(u8::try_from(carried % 10).unwrap());
                carried /= 10;
            }
            trim(digits)
        }

        fn trim(mut digits: Vec<u8>) -> Vec<u8> {
            while digits.last() == Some(&0) {
                digits.pop();
            }
            digits
        }
    }

    const DECIMAL: [(&str, i32); 10] =
        [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
    const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

    /// A quantity in parts: its sign, its digits and what they are multiplied by.
    #[derive(Clone, Debug)]
    struct Parts {
        negative: bool,
        whole: String,
        fraction: String,
        suffix: String,
        ten: i32,
        two: usize,
    }

    impl Parts {
        fn text(&self) -> String {
            let sign = if self.negative { "-" } else { "" };
            let point = if self.fraction.is_empty() { "" } else { "." };
            [sign, &self.whole, point, &self.fraction, &self.suffix].concat()
        }

        /// The magnitude in nanos, by schoolbook arithmetic.
        fn magnitude(&self) -> Vec<u8> {
            let mut digits = big::parse(&format!("{}{}", self.whole, self.fraction));
            for _ in 0..self.two {
                digits = big::mul(&digits, &big::parse("1024"));
            }
            let places = self.ten + 9 - i32::try_from(self.fraction.len()).unwrap();
            let distance = usize::try_from(places.abs()).unwrap();
            let nanos = if places >= 0 { big::shift(digits, distance) } else { big::unshift(&digits, distance) };
            let cap = big::parse("9223372036854775807000000000");
            if self.two > 0 && big::cmp(&nanos, &cap).is_gt() { cap } else { nanos }
        }
    }

    fn parts() -> impl Strategy<Value = Parts> {
        let suffix = prop_oneof![
            proptest::sample::select(DECIMAL.to_vec()).prop_map(|(text, ten)| (text.to_owned(), ten, 0)),
            (0..BINARY.len()).prop_map(|index| (BINARY[index].to_owned(), 0, index + 1)),
            (-40..40_i32, "[eE]").prop_map(|(ten, e)| (format!("{e}{ten}"), ten, 0)),
        ];
        (any::<bool>(), "[0-9]{1,25}", "[0-9]{0,25}", suffix).prop_map(
            |(negative, whole, fraction, (suffix, ten, two))| Parts { negative, whole, fraction, suffix, ten, two },
        )
    }

    proptest! {
        #[test]
        fn agrees_with_big_integers(parts in parts()) {
            let expected = parts.magnitude();
            match parts.text().parse::<Quantity>() {
                Ok(read) => {
                    prop_assert_eq!(big::parse(&read.nanos().unsigned_abs().to_string()), expected);
                    prop_assert!(read.is_zero() || (read.nanos() < 0) == parts.negative);
                }
                // Rounding may carry 38 nines over to a 1 and 38 noughts, which is still read.
                Err(error) => {
                    prop_assert_eq!(error.kind, ErrorKind::Range);
                    prop_assert!(expected.len() > 38);
                }
            }
        }

        #[test]
        fn order_agrees_with_big_integers(left in parts(), right in parts()) {
            if let (Ok(l), Ok(r)) = (left.text().parse::<Quantity>(), right.text().parse::<Quantity>()) {
                let magnitudes = big::cmp(&left.magnitude(), &right.magnitude());
                let expected = match (l.nanos() < 0, r.nanos() < 0) {
                    (false, false) => magnitudes,
                    (true, true) => magnitudes.reverse(),
                    (true, false) => Ordering::Less,
                    (false, true) => Ordering::Greater,
                };
                prop_assert_eq!(l.cmp(&r), expected);
                prop_assert_eq!(l == r, expected.is_eq());
            }
        }

        #[test]
        fn exceeds_agrees_with_big_integers(this in parts(), base in parts(), ratio in parts()) {
            let positive = |mut parts: Parts| {
                parts.negative = false;
                (parts.magnitude(), parts.text().parse::<Quantity>())
            };
            let ((t, this), (b, base), (r, ratio)) = (positive(this), positive(base), positive(ratio));
            if let (Ok(this), Ok(base), Ok(ratio)) = (this, base, ratio) {
                let expected = big::cmp(&big::shift(t, 9), &big::mul(&b, &r)).is_gt();
                prop_assert_eq!(this.exceeds(&base, &ratio), expected);
            }
        }

        #[test]
        fn round_trip(parts in parts()) {
            let text = parts.text();
            if let Ok(read) = text.parse::<Quantity>() {
                prop_assert_eq!(read.to_string(), text);
                prop_assert_eq!(&read.to_string().parse::<Quantity>().unwrap(), &read);
                let json = serde_json::to_string(&read).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Quantity>(&json).unwrap(), &read);
            }
        }

        #[test]
        fn never_panics(text in "\\PC*", near in "[-+0-9.eEinumkKMGTP]{0,30}") {
            for text in [text, near] {
                match text.parse::<Quantity>() {
                    Ok(read) => prop_assert_eq!(read.to_string(), text),
                    Err(error) => prop_assert!(error.to_string().len() < 400),
                }
            }
        }

        #[test]
        fn json_numbers(value in any::<f64>(), integer in any::<i64>()) {
            let number: Quantity = serde_json::from_value(json!(integer)).unwrap();
            prop_assert_eq!(number.nanos(), i128::from(integer) * 1_000_000_000);
            if value.is_finite() {
                let read: Result<Quantity, _> = serde_json::from_value(json!(value));
                prop_assert_eq!(read.is_err(), value.abs() >= 1e29);
            }
        }
    }
}
