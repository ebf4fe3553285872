//! A fixture of Django's (`dumpdata`) that is to be imported: it is refused with a sentence, or all of it can be counted
//! and looked through.
#![no_main]

use std::sync::LazyLock;

use countersign_store::Source;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

fuzz_target!(|data: &[u8]| {
    match Source::from_fixture("a fixture", data) {
        Ok(source) => RUNTIME.block_on(async {
            source.count().await.expect("it is ours");
            if let Err(error) = source.copy_into(None, Timestamp::UNIX_EPOCH, |_| ()).await {
                assert!(!error.to_string().is_empty());
            }
        }),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
