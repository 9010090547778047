//! Both readers, of manifests and of admission requests, and every policy behind them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| gatehouse_tests::feed(bytes));
