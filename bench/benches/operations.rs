//! How long each operation takes: `cargo bench -p countersign-bench`, with a part of a name for some alone.

use countersign_bench::operations::{NAMES, named};

fn main() {
    divan::main();
}

#[divan::bench(args = NAMES)]
fn operation(bencher: divan::Bencher<'_, '_>, name: &str) {
    bencher.bench_local(named(name));
}
