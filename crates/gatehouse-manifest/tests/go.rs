//! What Kubernetes' own library makes of YAML, this one makes of it: `go.tsv` is what the library says.

use gatehouse_manifest::{Format, read};
use serde_json::Value;

#[test]
fn reads_as_the_go_library_does() {
    let table = include_str!("go.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut rows = 0;
    for row in table {
        let (text, expected) = row.split_once('\t').expect("two columns");
        let text: String = serde_json::from_str(text).expect("a string");
        let found = match read(&text, Format::Yaml).next() {
            None => Ok(Value::Null),
            Some(document) => document.map(|document| document.node.to_value()),
        };
        match (expected, &found) {
            ("error", Err(_)) => {}
            (json, Ok(found)) if json != "error" => {
                let expected = serde_json::from_str(json).expect("JSON");
                assert!(same(&expected, found), "{text:?}: {expected} in Go, {found} here");
            }
            _ => panic!("{text:?}: {expected} in Go, {found:?} here"),
        }
        rows += 1;
    }
    assert!(rows > 950, "{rows} rows");
}

/// The same value, numbers by their worth: Go writes `-0` and integers beyond 64 bits.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
