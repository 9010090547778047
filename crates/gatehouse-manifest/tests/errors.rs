//! What cannot be read, why and where; and that all else still is.

use gatehouse_manifest::{Format, decode, read};

/// The documents of a text: their JSON, or where and why they cannot be read.
fn all(text: &str, format: Format) -> Vec<String> {
    let documents = read(text, format);
    documents
        .map(|document| match document {
            Ok(document) => format!("{}: {}", document.index, document.node.to_value()),
            Err(error) => format!("{}:{}: {}", error.line, error.column, error.message),
        })
        .collect()
}

/// Checks the one error of a text that is YAML.
#[track_caller]
fn refused(text: &str, line: u32, column: u32, message: &str) {
    let found = all(text, Format::Yaml);
    assert!(
        found.len() == 1 && found[0].starts_with(&format!("{line}:{column}: ")) && found[0].contains(message),
        "{text:?}: {found:?}"
    );
}

#[test]
fn syntax() {
    refused("a: b\nc\n", 2, 1, "no `:` behind this key");
    refused("a: b: c\n", 1, 5, "no `:` can stand here");
    refused("- a\n b: c\n", 2, 3, "no `:` can stand here");
    refused("a:\n    b: 1\n   c: 2\n", 3, 4, "");
    refused("a: 1\n b: 2\n", 2, 3, "no `:` can stand here");
    refused("- a\nb: c\n", 2, 1, "a `-` is expected");
    refused("a: \"b\n", 1, 4, "never closed");
    refused("a: 'b\n", 1, 4, "never closed");
    refused("a: [b, c\n", 1, 4, "never closed");
    refused("a: {b: c\nd: e\n", 2, 2, "did not find expected ',' or '}'");
    refused("a: @b\n", 1, 4, "");
    refused("a:\n\t- b\n", 2, 2, "a tab cannot indent");
    refused("a: \"\\q\"\n", 1, 4, "escape");
    refused("a: b\u{1}\n", 1, 4, "unexpected character");
    refused("a: b # \u{7f}\n", 1, 8, "");
    refused("ä: \"ö\" x\n", 1, 8, "");
}

#[test]
fn values() {
    refused("a: .inf\n", 1, 4, "JSON has no number .inf");
    refused("a:\n- x\n- .nan\n", 3, 3, "JSON has no number .nan");
    refused("a: !!int 1.5\n", 1, 10, "says that it is an integer");
    refused("a: !!bool 1\n", 1, 11, "says that it is a boolean");
    refused("a: !!null x\n", 1, 11, "says that it is null");
    refused("a: !!float x\n", 1, 12, "says that it is a number");
    refused("a: !!timestamp x\n", 1, 16, "says that it is a timestamp");
    refused("a: !!binary '?'\n", 1, 13, "base64");
}

#[test]
fn keys() {
    refused("a: 1\nb: 2\na: 3\n", 3, 1, "the key \"a\" is there already, in line 1");
    refused("a:\n  b: {c: 1, d: 2, c: 3}\n", 2, 19, "the key \"c\" is there already, in line 2");
    refused("yes: 1\n'true': 2\n", 2, 1, "the key \"true\" is there already, in line 1");
    refused("1: a\n0x1: b\n", 2, 1, "the key \"1\" is there already, in line 1");
    refused("~: a\n", 1, 1, "a key must not be null");
    refused("a: 1\n: b\n", 2, 2, "a key must not be null");
    refused("[a]: b\n", 1, 1, "a key must be a single value");
    refused("? {a: b}\n: c\n", 1, 3, "a key must be a single value");
    refused("9223372036854775808: a\n", 1, 1, "too large for a key");
    let many: Vec<String> = (0..50).map(|n| format!("k{}: 0\n", n % 40)).collect();
    refused(&many.concat(), 41, 1, "the key \"k0\" is there already, in line 1");
    assert_eq!(all("a: 1\nA: 2\n", Format::Yaml), [r#"0: {"A":2,"a":1}"#]);
}

#[test]
fn anchors() {
    refused("a: *b\n", 1, 4, "no anchor for the alias *b");
    refused("a: &b [1, *b]\n", 1, 11, "stands within what it repeats");
    refused("a: &b\n  <<: *b\n", 2, 7, "stands within what it repeats");
    refused("a: &b.c d\n", 1, 4, "characters other than");
    refused("a: {<<: 1}\n", 1, 9, "only a mapping");
    refused("a: &b 1\nc:\n  <<: [*b]\n", 3, 7, "only a mapping");
    refused("a: &b [1]\n*b : c\n", 2, 1, "a key must be a single value");
    // An anchor is its document's own.
    assert_eq!(all("a: &b 1\n---\na: *b\n", Format::Yaml)[1], "3:4: there is no anchor for the alias *b");
}

#[test]
fn what_go_yaml_reads_otherwise() {
    refused("a: 1 # \u{2028}b: 2\n", 1, 8, "Kubernetes takes \\u{2028} for a line break");
    refused("a: \"\u{85}\"\n", 1, 5, "Kubernetes takes \\u{85} for a line break");
    refused("a: [?b]\n", 1, 5, "Kubernetes takes this `?`");
    refused("a: [b, http://c/?d=e]\n", 1, 17, "Kubernetes takes this `?`");
    refused("a: [::1]\n", 1, 5, "Kubernetes takes this `:`");
    // Every character that could stand in for the `:` is there already.
    let all_ascii: String = ('!'..='~').filter(|of| *of != '\'').collect();
    refused(&format!("a: [b:]\nc: '{all_ascii}'\n"), 1, 6, "Kubernetes takes this for a part of the text; use quotes");
    refused("a: [!b, c]\n", 1, 7, "Kubernetes takes this");
    assert_eq!(
        all("a: ?b\nc: d:e\nf: [g, \"h\":i]\n", Format::Yaml),
        [r#"0: {"a":"?b","c":"d:e","f":["g",{"h":"i"}]}"#]
    );
    // What is read again leaves the others as they are, and an error has the same place.
    assert_eq!(
        all("a: b\n---\nc: [d:]\n---\ne: {f: g:}\n...\nh: [-]\n", Format::Yaml),
        [r#"0: {"a":"b"}"#, r#"1: {"c":["d:"]}"#, r#"2: {"e":{"f":"g:"}}"#, r#"3: {"h":["-"]}"#]
    );
    assert_eq!(
        all("a: {f: g:}\nb: [\n---\nc: 1\n", Format::Yaml),
        ["2:4: this bracket is never closed", r#"1: {"c":1}"#]
    );
    // The comment is the first document's; the second is not touched by it.
    assert_eq!(all("# \u{2029}\n---\na: 1\n---\nb: 2\n", Format::Yaml)[1..], [r#"1: {"b":2}"#]);
    assert_eq!(all("a: [\u{2028}\n---\nb: 2\n", Format::Yaml)[1..], [r#"1: {"b":2}"#]);
}

#[test]
fn what_can_be_read_is_read() {
    let text = "a: 1\n---\nb: [\n---\nc: 3\n---\nd: 4\nd: 5\nx: ---\n---\ne: 'f\n---\n---\ng: *h\n...\ni: 9\n";
    let found = all(text, Format::Yaml);
    let expected = [
        r#"0: {"a":1}"#,
        "3:4: this bracket is never closed",
        r#"2: {"c":3}"#,
        "8:1: the key \"d\" is there already, in line 7",
        "11:4: this quote is never closed",
        "5: null",
        "14:4: there is no anchor for the alias *h",
        r#"7: {"i":9}"#,
    ];
    assert_eq!(found, expected);
}

#[test]
fn json() {
    for (text, expected) in [
        (r#"{"a": 1, "a": 2}"#, "1:10: the key \"a\" is there already, in line 1"),
        ("{\"a\": 1,\n \"b\": }", "2:7: this is not JSON: expected value"),
        ("{\"é\": tru}", "1:10: this is not JSON: expected ident"),
        ("[1, 2", "1:6: this is not JSON: EOF while parsing a list"),
        ("[1,]", "1:4: this is not JSON: trailing comma"),
        ("[01]", "1:3: this is not JSON: invalid number"),
        ("[1e999]", "1:2: the number 1e999 is out of range"),
        ("[\"a\tb\"]", "1:4: this is not JSON: control character (\\u0000-\\u001F) found while parsing a string"),
        (r#"["\ud800"]"#, "1:9: this is not JSON: unexpected end of hex escape"),
        ("[NaN]", "1:2: this is not JSON: expected value"),
        ("{} x", "1:4: this is not JSON: expected value"),
    ] {
        assert_eq!(all(text, Format::Json).last().map(String::as_str), Some(expected), "{text:?}");
    }
    assert_eq!(all("{} {\"a\": 1}{\"b\"", Format::Json)[..2], ["0: {}", r#"1: {"a":1}"#]);
}

#[test]
fn of_json_and_yaml_the_one_that_came_further_tells_the_error() {
    assert_eq!(
        all("{\"a\": 1,\n\"b\": [\"1\" \"2\"]}", Format::Detect),
        ["2:11: this is not JSON: expected `,` or `]`"]
    );
    assert_eq!(all("{a: 1, b: *c}", Format::Detect), ["1:11: there is no anchor for the alias *c"]);
    assert_eq!(all("{a: [}\n---\nb: 1\n", Format::Detect)[1..], [r#"1: {"b":1}"#]);
}

#[test]
fn bytes() {
    assert_eq!(decode(b"\xEF\xBB\xBFa").unwrap(), "a");
    let wide = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(order).collect() };
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        assert_eq!(decode(&wide("\u{feff}ä: 😀\n", order)).unwrap(), "ä: 😀\n");
        let mut half = wide("\u{feff}a\nä", order);
        half.extend(order(0xD800));
        let error = decode(&half).unwrap_err();
        assert_eq!(error.to_string(), "line 2, column 2: 0xd800 is half a pair and no UTF-16 text");
        assert!(decode(&half[..5]).unwrap_err().to_string().starts_with("line 1, column 2: "));
    }
    assert_eq!(decode("ä\nö ".as_bytes()).unwrap(), "ä\nö ");
    let error = decode(b"a: b\r\n\xC3\xA4\xFFc").unwrap_err();
    assert_eq!(error.to_string(), "line 2, column 2: the byte 0xff is no part of UTF-8 text");
}
