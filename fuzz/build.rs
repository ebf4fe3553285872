//! Writes down the modules of the program as `main.rs` has them, for the target that includes them.

use std::fmt::Write;
use std::path::Path;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/countersign/src");
    let main = std::fs::read_to_string(root.join("main.rs")).expect("the program");
    let names = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let mut text = format!("#[path = {root:?}]\npub mod program_modules {{\n");
    for name in names {
        writeln!(text, "    pub mod {name};").expect("a string takes any text");
    }
    text.push_str("}\n");
    let out = std::env::var_os("OUT_DIR").expect("cargo says where");
    std::fs::write(Path::new(&out).join("modules.rs"), text).expect("it is ours");
    println!("cargo::rerun-if-changed={}", root.join("main.rs").display());
}
