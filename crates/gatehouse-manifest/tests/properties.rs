//! What holds for every text.

use gatehouse_manifest::{Format, decode, read};
use gatehouse_policy::Node;
use gatehouse_policy::node::{Data, Span};
use proptest::prelude::*;
use serde_json::{Number, Value};

/// JSON values. Floats have a fraction, as YAML reads `1.0` as an integer.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("a fraction", |float| {
            Number::from_f64(float).filter(|_| float.fract() != 0.0).map(Value::Number)
        }),
        "[ -~äé😀\\PC\n\t\\\\\"']{0,12}".prop_map(Value::String),
        "(yes|no|null|~|0x1F|0755|1e3|\\.5|<<|2001-01-01|- a|a: b|#|\\*a|&a|!a|\\?|%|@|`)".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec(("[a-zä\"\\\\ .:/-]{0,8}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Text with much of YAML's punctuation.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ -~äé😀]{0,4}",
        "\\PC{0,3}",
        prop::sample::select(vec![
            "\n",
            "\n  ",
            "\n- ",
            ": ",
            "- ",
            "? ",
            " #",
            "---\n",
            "...\n",
            "|\n ",
            ">-\n  ",
            "&a ",
            "*a ",
            "<<: ",
            "!!str ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "\"",
            "'",
            "\r\n",
            "\t",
            "\u{feff}",
            "\u{2028}",
            "\u{85}",
            "\0",
            "%YAML 1.1\n",
            "\\",
            "~",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// Every span lies in the text, ends no sooner than it starts, and holds the spans of its parts unless an alias made them.
fn check(node: &Node<'_>, lines: &[usize], aliases: bool) {
    let inside = |span: Span| {
        let place = |line: u32, column: u32| {
            line >= 1 && column >= 1 && lines.get(line as usize - 1).is_some_and(|length| column as usize <= length + 1)
        };
        place(span.line, span.column)
            && place(span.end_line, span.end_column)
            && (span.line, span.column) <= (span.end_line, span.end_column)
    };
    let holds = |inner: Span| {
        aliases
            || ((node.span.line, node.span.column) <= (inner.line, inner.column)
                && (inner.end_line, inner.end_column) <= (node.span.end_line, node.span.end_column))
    };
    assert!(inside(node.span), "{:?}", node.span);
    match &node.data {
        Data::Array(items) => {
            for item in items {
                assert!(holds(item.span), "{:?} in {:?}", item.span, node.span);
                check(item, lines, aliases);
            }
        }
        Data::Object(members) => {
            for member in members {
                assert!(inside(member.key_span) && holds(member.key_span) && holds(member.value.span), "{member:?}");
                check(&member.value, lines, aliases);
            }
        }
        _ => {}
    }
}

/// How many characters each line has.
fn lines(text: &str) -> Vec<usize> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.replace("\r\n", " \n").split(['\n', '\r']).map(|line| line.chars().count()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_gives_documents_or_errors(text in text()) {
        for format in [Format::Yaml, Format::Json, Format::Detect] {
            for (count, document) in read(&text, format).enumerate() {
                match document {
                    Ok(document) => {
                        prop_assert_eq!(document.index, count);
                        check(&document.node, &lines(&text), text.contains('*'));
                    }
                    Err(error) => {
                        let lines = lines(&text);
                        prop_assert!(error.line >= 1 && error.column >= 1 && !error.message.is_empty());
                        prop_assert!(error.line as usize <= lines.len(), "{error} of {} lines", lines.len());
                        prop_assert!(error.column as usize <= lines[error.line as usize - 1] + 1, "{error}");
                    }
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_text_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(text) = decode(&bytes) {
            prop_assert!(read(&text, Format::Detect).count() <= bytes.len() + 1);
        }
    }

    #[test]
    fn json_is_read_as_it_is(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let documents: Vec<_> = read(&text, Format::Json).collect();
        prop_assert_eq!(documents.len(), 1);
        let node = &documents[0].as_ref().unwrap().node;
        prop_assert_eq!(node.to_value(), value);
        check(node, &lines(&text), false);
    }

    #[test]
    fn json_is_yaml(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        // YAML does not take the characters that JSON leaves as they are and YAML 1.1 breaks lines at.
        prop_assume!(!text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{7f}']) && !text.contains('\u{fffe}'));
        let documents: Vec<_> = read(&text, Format::Yaml).collect();
        prop_assert_eq!(documents.len(), 1);
        let node = &documents[0].as_ref().unwrap().node;
        prop_assert_eq!(node.to_value(), value);
        check(node, &lines(&text), false);
    }
}
