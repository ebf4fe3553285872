//! Lines of the log on their way out: whoever logs leaves a line in a bounded queue, and one thread writes what has come.
//! A line that finds nobody before it is written at once; those that come in the [`PAUSE`] after it go together.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that wait at the most, some 6 MiB. A reader that stands still loses those that come then.
const QUEUE_LENGTH: usize = 16_384;
/// Between two writes to the system.
const PAUSE: Duration = Duration::from_millis(5);
const BUFFER: usize = 64 * 1024;

/// What takes lines for `target`. All are out when the guard is dropped, unless `target` takes none for a second. `tell` is
/// called in the thread that writes, with how many lines were lost.
pub fn to<W: Write + Send + 'static>(
    target: W,
    tell: impl Fn(usize) + Send + 'static,
) -> (NonBlocking, WorkerGuard) {
    let lost = Arc::new(OnceLock::<ErrorCounter>::new());
    let lines =
        Lines { buffer: BufWriter::with_capacity(BUFFER, target), lost: Arc::clone(&lost), told: 0, tell };
    let queue = NonBlockingBuilder::default().buffered_lines_limit(QUEUE_LENGTH).thread_name("log");
    let (writer, guard) = queue.finish(lines);
    drop(lost.set(writer.error_counter()));
    (writer, guard)
}

struct Lines<W: Write, F> {
    buffer: BufWriter<W>,
    lost: Arc<OnceLock<ErrorCounter>>,
    /// How many of those that were lost have been told of.
    told: usize,
    tell: F,
}

impl<W: Write, F: Fn(usize)> Write for Lines<W, F> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.buffer.write(line)
    }

    /// Called when nothing waits any more.
    fn flush(&mut self) -> io::Result<()> {
        self.buffer.flush()?;
        let lost = self.lost.get().map_or(0, ErrorCounter::dropped_lines);
        if lost > self.told {
            (self.tell)(lost - self.told);
            self.told = lost;
        }
        thread::sleep(PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that takes what is written only while it is told to.
    struct Gate {
        open: Receiver<()>,
        written: Sender<String>,
    }

    impl Write for Gate {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ = self.open.recv(); // for ever, once the other side has gone
            let _ = self.written.send(String::from_utf8_lossy(text).into_owned());
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_keep_their_order_and_all_are_out_at_the_end() {
        let ((opener, open), (writer, written)) = (channel(), channel());
        drop(opener);
        let (mut lines, guard) = to(Gate { open, written: writer }, |_| ());
        for number in 0..1000 {
            writeln!(lines, "{number}").expect("it is taken");
        }
        drop(guard);
        let text: String = written.try_iter().collect();
        assert!(text.lines().eq((0..1000).map(|number| number.to_string())), "{text}");
    }

    #[test]
    fn a_line_alone_is_written_at_once() {
        let ((opener, open), (writer, written)) = (channel(), channel());
        drop(opener);
        let (mut lines, _guard) = to(Gate { open, written: writer }, |_| ());
        for line in ["one\n", "two\n"] {
            lines.write_all(line.as_bytes()).expect("it is taken");
            assert_eq!(written.recv().expect("without another"), line);
        }
    }

    #[test]
    fn whoever_logs_does_not_wait_for_a_reader_that_stands_still_and_what_is_lost_is_told() {
        let ((opener, open), (writer, _written)) = (channel(), channel());
        let (tell, told) = channel();
        let tell = move |lost| tell.send(lost).expect("somebody hears it");
        let (mut lines, guard) = to(Gate { open, written: writer }, tell);
        let line = vec![b'x'; BUFFER]; // each of which is a write
        for _ in 0..QUEUE_LENGTH / 512 {
            lines.write_all(&line).expect("it is taken");
        }
        for _ in 0..2 * QUEUE_LENGTH {
            lines.write_all(b"x\n").expect("it is taken or lost");
        }
        drop(opener);
        let lost = told.recv().expect("it is told");
        assert!((QUEUE_LENGTH..2 * QUEUE_LENGTH).contains(&lost), "{lost}");
        drop(guard);
    }
}
