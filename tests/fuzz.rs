//! What a fuzzer starts from is read without a panic: its seeds, every manifest and every admission review in the
//! repository, whole and cut off. `make fuzz` goes on from there.

use std::fs;

use gatehouse_tests::{feed, files, judged_in, root};

#[test]
fn seeds_are_read() {
    let mut fed = 0;
    for folder in ["tests/fuzz/seeds", "examples", "profiles", "tests/data/reviews"] {
        for extension in ["yaml", "json", "dockerfile"] {
            for file in files(&root().join(folder), extension) {
                let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                feed(&bytes);
                for cut in [bytes.len() / 3, bytes.len() / 2, bytes.len() * 5 / 7] {
                    feed(&bytes[..cut]);
                }
                fed += 1;
            }
        }
    }
    // A place of each seed made longer, as the fuzzer does; how long that takes no test says.
    let object = fs::read(root().join("tests/fuzz/seeds/deployment.json")).expect("the seed is there");
    assert!(judged_in(&object, 3, 10).is_some() && judged_in(b"{}", 3, 10).is_none());
    assert!(fed > 60, "only {fed} seeds are there");
}
