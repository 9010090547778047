//! Brings `metadata.yml` into the module.

fn main() {
    gatehouse_policy_build::metadata();
}
