//! Packed answers, for pages: a thousand rows are much alike.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{ACCEPT_ENCODING, HeaderMap};

/// Shortest text that is packed, in bytes: a shorter one fits a packet anyway.
const BYTES_MIN: usize = 1400;
/// How hard it is tried, of 9: beyond this it takes longer than it saves.
const EFFORT: u32 = 4;

/// Tells whether a client takes packed answers.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let given = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|header| header.to_str().ok());
    given.flat_map(|text| text.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0_f32));
        matches!(name.trim(), "gzip" | "*") && !is_refused
    })
}

/// Packs a text; none where that is not worth it.
pub(super) fn pack(text: &str) -> Option<Vec<u8>> {
    if text.len() < BYTES_MIN {
        return None;
    }
    let pack = || -> io::Result<Vec<u8>> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::new(EFFORT));
        packer.write_all(text.as_bytes())?;
        packer.finish()
    };
    // Writing to memory does not fail.
    pack().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_client_says_whether_it_takes_them() {
        let of = |text: &str| is_wanted(&HeaderMap::from_iter([(ACCEPT_ENCODING, text.parse().unwrap())]));
        assert!(of("gzip, deflate, br") && of("br;q=1.0, gzip;q=0.8") && of("*"));
        assert!(!of("br") && !of("gzip;q=0") && !of("gzip; q=0.0") && !of("") && !is_wanted(&HeaderMap::new()));
    }

    #[test]
    fn what_is_packed_can_be_unpacked() {
        let text = "<tr>much alike</tr>".repeat(1000);
        let packed = pack(&text).unwrap();
        assert!(packed.len() < text.len() / 20, "{}", packed.len());
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        assert!(pack("short").is_none());
    }
}
