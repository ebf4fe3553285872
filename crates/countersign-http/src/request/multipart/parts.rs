//! Cuts a multipart body into its parts, chunk by chunk as the reference reads its stream: a part that is passed
//! over is not read to its end, so what the chunk did not hold of it is read as the next part.

use std::ops::Range;

use memchr::memmem::Finder;

use super::{MAX_HEADER_BYTES, MultipartError, PartHeaders};

/// How much the reference reads at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// A body being cut.
pub struct Parts<'a> {
    body: &'a [u8],
    separator: Finder<'static>,
    /// Up to here the body belongs to parts.
    position: usize,
    /// Up to here the body has been read in chunks.
    read_end: usize,
}

impl<'a> Parts<'a> {
    pub fn new(body: &'a [u8], boundary: &str) -> Self {
        let separator = Finder::new(&format!("--{boundary}")).into_owned();
        Self { body, separator, position: 0, read_end: 0 }
    }

    /// The part that begins here; `None` at the end of the body.
    pub fn next_part(&self) -> Option<Part> {
        let start = self.position;
        (start < self.body.len()).then_some(Part { data: start..start, ended: false })
    }

    /// One more stretch of the current part, and whether the part ends with it.
    fn pull(&mut self) -> (Range<usize>, bool) {
        // A separator that the end of the chunk cuts in two, and the line end before it, are left to the next pull.
        let rollback = self.separator.needle().len() + 6;
        let start = self.position;
        while self.position - start <= rollback {
            if self.position == self.read_end {
                if self.read_end == self.body.len() {
                    break;
                }
                self.read_end = self.body.len().min(self.read_end + CHUNK_BYTES);
            }
            self.position = self.read_end;
        }
        let chunk = self.body.get(start..self.position).unwrap_or_default();
        if let Some(index) = self.separator.find(chunk) {
            self.position = start + index + self.separator.needle().len();
            let data = chunk.get(..index).unwrap_or_default();
            let data = data.strip_suffix(b"\n").unwrap_or(data);
            let data = data.strip_suffix(b"\r").unwrap_or(data);
            (start..start + data.len(), true)
        } else if chunk.len() <= rollback {
            (start..self.position, true)
        } else {
            self.position -= rollback;
            (start..self.position, false)
        }
    }
}

/// A part being read.
pub struct Part {
    /// What has been pulled of it and not been taken.
    data: Range<usize>,
    ended: bool,
}

impl Part {
    /// Takes the headers and the empty line after them; a part without that line has no headers.
    pub fn take_headers(&mut self, parts: &mut Parts<'_>) -> Result<PartHeaders, MultipartError> {
        while self.data.len() < MAX_HEADER_BYTES && self.pull(parts).is_some() {}
        let data = parts.body.get(self.data.clone()).unwrap_or_default();
        let head = data.get(..MAX_HEADER_BYTES).unwrap_or(data);
        let Some(end) = memchr::memmem::find(head, b"\r\n\r\n") else {
            let is_short = head.len() < MAX_HEADER_BYTES;
            return if is_short { Ok(PartHeaders::default()) } else { Err(MultipartError::HeadersTooLong) };
        };
        self.data.start += end + 4;
        Ok(PartHeaders::parse(head.get(..end).unwrap_or_default()))
    }

    /// Reads on; `None` when the part has ended.
    pub fn pull(&mut self, parts: &mut Parts<'_>) -> Option<()> {
        if self.ended {
            return None;
        }
        let (data, ended) = parts.pull();
        self.data.end = data.end;
        self.ended = ended;
        Some(())
    }

    /// Takes what has been pulled.
    pub fn take<'a>(&mut self, parts: &Parts<'a>) -> &'a [u8] {
        let data = parts.body.get(self.data.clone()).unwrap_or_default();
        self.data.start = self.data.end;
        data
    }
}
