//! temp
use gatehouse_manifest::{Format, read};
use std::time::Instant;
fn rss() -> String { std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmHWM")||l.starts_with("VmRSS")).collect::<Vec<_>>().join(" ") }
#[test]
fn bench() {
    for f in std::env::var("FILES").unwrap().split(' ') {
        let bytes = std::fs::read(f).unwrap();
        let text = gatehouse_manifest::decode(&bytes).unwrap();
        for _ in 0..3 {
            let t = Instant::now();
            let mut n = 0; let mut errors = 0;
            for d in read(&text, Format::Detect) { match d { Ok(_) => n += 1, Err(e) => { if errors == 0 { println!("{e}"); } errors += 1 } } }
            let mine = t.elapsed();
            let t = Instant::now();
            let mut ev = 0; 
            if f.ends_with(".yaml") { for e in saphyr_parser::Parser::new_from_str(&text) { if e.is_err() { break; } ev += 1; } }
            let bare = t.elapsed();
            println!("{f} {} MB: {n} docs {errors} errors {mine:?}; bare {ev} events {bare:?}", bytes.len()/1_000_000);
        }
        println!("before collect {}", rss());
        let all: Vec<_> = read(&text, Format::Detect).collect();
        println!("{} collected {}", all.len(), rss());
        let t = Instant::now(); drop(all); println!("drop {:?}", t.elapsed());
    }
    println!("node {} member {}", size_of::<gatehouse_policy::Node>(), size_of::<gatehouse_policy::node::Member>());
}
