//! The frames in which Docker sends standard output and standard error over one connection.
//!
//! Eight bytes of head: which of the two, three zeros, and the length of what follows, big-endian.

/// Bytes of a head.
const HEAD: usize = 8;
/// What came is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the daemon sends something else than frames of a log")]
pub(super) struct Garbled;

/// Where a frame comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Frames whose bytes come in pieces.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The head, as far as it has come.
    head: Vec<u8>,
    /// How much of the present frame is to come, and whose it is; none where it is nobody's.
    body: (usize, Option<Stream>),
}

impl Frames {
    /// Takes the next bytes, and hands on what is in the frames.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut take: impl FnMut(Stream, &[u8])) -> Result<(), Garbled> {
        while !bytes.is_empty() {
            let (left, stream) = self.body;
            if left == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(HEAD.saturating_sub(self.head.len())));
                self.head.extend_from_slice(head);
                bytes = rest;
                if self.head.len() == HEAD {
                    self.body = body(&self.head)?;
                    self.head.clear();
                }
                continue;
            }
            let (body, rest) = bytes.split_at(bytes.len().min(left));
            if let Some(stream) = stream {
                take(stream, body);
            }
            self.body.0 = left.saturating_sub(body.len());
            bytes = rest;
        }
        Ok(())
    }
}

fn body(head: &[u8]) -> Result<(usize, Option<Stream>), Garbled> {
    let &[kind, 0, 0, 0, a, b, c, d] = head else { return Err(Garbled) };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_too_long| Garbled)?;
    match kind {
        0 | 1 => Ok((length, Some(Stream::Out))),
        2 => Ok((length, Some(Stream::Err))),
        // What the daemon itself has to say about the log.
        3 => Ok((length, None)),
        _ => Err(Garbled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0], length.as_slice(), text.as_bytes()].concat()
    }

    fn read(pieces: &[&[u8]]) -> Result<[String; 2], Garbled> {
        let mut frames = Frames::default();
        let mut seen = [String::new(), String::new()];
        for piece in pieces {
            frames.feed(piece, |stream, bytes| {
                seen[usize::from(stream == Stream::Err)].push_str(std::str::from_utf8(bytes).unwrap());
            })?;
        }
        Ok(seen)
    }

    #[test]
    fn a_frame_is_whole_wherever_its_bytes_are_divided() {
        let bytes = [frame(1, "one\n"), frame(2, ""), frame(2, "two\n"), frame(3, "own"), frame(1, "three\n")].concat();
        let expected = ["one\nthree\n".to_owned(), "two\n".to_owned()];
        for at in 0..bytes.len() {
            let (first, second) = bytes.split_at(at);
            assert_eq!(read(&[first, second]).unwrap(), expected, "divided at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single).unwrap(), expected);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(read(&[b"2026-02-04T09:00:00Z plain text\n"]), Err(Garbled));
        assert_eq!(read(&[&frame(4, "x")]), Err(Garbled));
        assert_eq!(read(&[&[1, 0, 9, 0, 0, 0, 0, 1]]), Err(Garbled));
    }

    #[test]
    fn a_frame_of_any_length_takes_no_room() {
        let mut frames = Frames::default();
        frames.feed(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], |_, _| ()).unwrap();
        let mut length = 0;
        frames.feed(&[b'x'; 5000], |_, bytes| length += bytes.len()).unwrap();
        assert_eq!((length, frames.head.len()), (5000, 0));
    }
}
