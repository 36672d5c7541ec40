//! Lines out of bytes that come in pieces.

/// Longest part of a line that is kept, in bytes. A dialect looks at less, and a runtime puts its time before it.
pub(super) const LINE_BYTES_MAX: usize = 8 * 1024;

/// A line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    /// It was longer than what is kept.
    pub(super) is_cut: bool,
}

/// The beginning of a line whose end has not come.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    is_cut: bool,
}

impl Lines {
    /// Takes the next bytes, and returns the lines that end in them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.hold(piece);
            lines.push(self.end());
        }
        self.hold(last);
        lines
    }

    /// Returns what came of the last line, where no more will come.
    pub(super) fn rest(&mut self) -> Option<Line> {
        (!self.held.is_empty()).then(|| self.end())
    }

    fn hold(&mut self, piece: &[u8]) {
        // A file that was truncated under its writer begins with a hole of zeros.
        for byte in piece.iter().filter(|byte| **byte != 0) {
            if LINE_BYTES_MAX <= self.held.len() {
                self.is_cut = true;
                return;
            }
            self.held.push(*byte);
        }
    }

    fn end(&mut self) -> Line {
        let mut bytes = std::mem::take(&mut self.held);
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Line { bytes, is_cut: std::mem::take(&mut self.is_cut) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()).collect()
    }

    #[test]
    fn a_line_is_whole_wherever_its_bytes_are_divided() {
        let text = "a\r\n\nb 📱 c\nlast";
        for at in 0..text.len() {
            let (first, second) = text.as_bytes().split_at(at);
            let mut lines = Lines::default();
            let mut whole = lines.feed(first);
            whole.extend(lines.feed(second));
            assert_eq!(texts(whole), ["a", "", "b 📱 c"], "divided at {at}");
            assert_eq!(texts(lines.rest().into_iter().collect()), ["last"]);
            assert_eq!(lines.rest(), None);
        }
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            assert_eq!(lines.feed(&[b'x'; 100]), []);
            assert!(lines.held.capacity() <= 2 * LINE_BYTES_MAX);
        }
        let ended = lines.feed(b"\nnext\n");
        assert_eq!((ended[0].bytes.len(), ended[0].is_cut), (LINE_BYTES_MAX, true));
        assert_eq!(ended[1], Line { bytes: b"next".to_vec(), is_cut: false });
        let exact = lines.feed(&[[b'x'; LINE_BYTES_MAX].as_slice(), b"\n"].concat());
        assert!(!exact[0].is_cut);
    }

    #[test]
    fn a_hole_of_zeros_hides_no_line() {
        let mut lines = Lines::default();
        lines.feed(&vec![0; 100_000]);
        assert_eq!(texts(lines.feed(b"after it\n")), ["after it"]);
    }
}
