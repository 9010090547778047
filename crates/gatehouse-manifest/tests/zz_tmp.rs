//! temp
use gatehouse_manifest::{Format, read};
#[test]
fn compare() {
    let all = std::fs::read_to_string("/tmp/gm/all.tsv").unwrap();
    let mut bad = 0;
    for line in all.lines() {
        let (input, expected) = line.split_once('\t').unwrap();
        let text: String = serde_json::from_str(input).unwrap();
        let got = match read(&text, Format::Yaml).next() {
            None => "null".to_owned(),
            Some(Ok(d)) => serde_json::to_string(&d.node.to_value()).unwrap(),
            Some(Err(e)) => format!("error {e}"),
        };
        let same = if expected.starts_with("error") {
            got.starts_with("error")
        } else {
            let e: serde_json::Value = serde_json::from_str(expected).unwrap();
            let g: Option<serde_json::Value> = serde_json::from_str(&got).ok();
            Some(e) == g
        };
        if !same {
            bad += 1;
            println!("{input}\n   go: {expected}\n   me: {got}");
        } else if expected.starts_with("error") && std::env::var("SHOW").is_ok() {
            println!("{input}\n   go: {expected}\n   me: {got}");
        }
    }
    println!("{bad} differ");
}
