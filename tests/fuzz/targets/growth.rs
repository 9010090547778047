//! Every policy on objects that are long in one place: twice as long may not take three times as long.

#![no_main]

use std::time::Duration;

use gatehouse_tests::judged_in;
use libfuzzer_sys::fuzz_target;

/// What takes less grows by chance.
const NOTHING: Duration = Duration::from_millis(50);

fuzz_target!(|bytes: &[u8]| {
    let Some((which, object)) = bytes.split_last() else { return };
    let which = usize::from(*which);
    for times in [500, 4000] {
        let Some(twice) = judged_in(object, which, 2 * times) else { return };
        if twice < NOTHING {
            continue;
        }
        // The least of three: a machine may be busy at any moment.
        let least = |times| (0..3).filter_map(|_| judged_in(object, which, times)).min().unwrap_or_default();
        let (once, twice) = (least(times), least(2 * times));
        assert!(twice < NOTHING || twice < 3 * once, "{times} times {once:?}, {} times {twice:?}", 2 * times);
    }
});
