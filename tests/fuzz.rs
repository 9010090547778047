//! What a fuzzer starts from is read without a panic: its seeds, every manifest and every admission review in the
//! repository, whole and cut off. `make fuzz` goes on from there.

use std::fs;

use gatehouse_tests::{feed, files, root};

#[test]
fn seeds_are_read() {
    let mut fed = 0;
    for folder in ["tests/fuzz/seeds", "examples", "profiles", "tests/data/reviews"] {
        for extension in ["yaml", "json"] {
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
    assert!(fed > 60, "only {fed} seeds are there");
}
