//! Takes Swagger UI out of the crate that packs it as a zip file. What is compressed there is served compressed: the
//! same deflated bytes get the head and tail of a gzip file (RFC 1952).

use std::error::Error;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::{CompressionMethod, ZipArchive};

/// Deflated, without a name or a time, made anywhere.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let directory = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for name in ["swagger-ui.css", "swagger-ui-bundle.js"] {
        let end = format!("/dist/{name}");
        let index = (0..archive.len())
            .find(|&index| {
                archive.name_for_index(index).and_then(Result::ok).is_some_and(|path| path.ends_with(&end))
            })
            .ok_or("Swagger UI is packed otherwise than it was")?;
        let mut file = archive.by_index_raw(index)?;
        if file.compression() != CompressionMethod::DEFLATE {
            return Err("Swagger UI is not deflated".into());
        }
        let mut bytes = GZIP_HEAD.to_vec();
        file.read_to_end(&mut bytes)?;
        bytes.extend(file.crc32().to_le_bytes());
        bytes.extend(u32::try_from(file.size())?.to_le_bytes());
        std::fs::write(directory.join(format!("{name}.gz")), bytes)?;
    }
    Ok(())
}
