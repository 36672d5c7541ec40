//! The salt of stand-ins: random, one for each folder of recordings, known to nobody else.
//!
//! Without it a phone number could be found by trying all of them.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;

/// The file that holds it.
const FILE: &str = "salt";
/// Its length, in bytes.
const BYTES: usize = 32;
/// Where randomness comes from.
const RANDOM: &str = "/dev/urandom";

/// The salt.
#[derive(Debug)]
pub(super) struct Salt(SecretBox<[u8; BYTES]>);

impl Salt {
    /// Reads the salt of a folder; makes one where there is none, or a broken one.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let path = dir.join(FILE);
        match File::open(&path).and_then(read) {
            Ok(salt) => return Ok(salt),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {}
            Err(error) => return Err(error),
        }
        let salt = read(File::open(RANDOM)?)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(salt.0.expose_secret())?;
        file.sync_all()?;
        Ok(salt)
    }

    /// Returns a number that stands for a text.
    pub(super) fn hash(&self, text: &str) -> u64 {
        // HMAC takes a key of any length (RFC 2104, 2).
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else { return 0 };
        mac.update(text.as_bytes());
        let digest = mac.finalize().into_bytes();
        digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

fn read(mut file: File) -> io::Result<Salt> {
    let mut salt = [0; BYTES];
    file.read_exact(&mut salt)?;
    Ok(Salt(SecretBox::new(Box::new(salt))))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_keeps_its_salt_and_no_other_has_it() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let hash = |folder: &tempfile::TempDir| Salt::of(folder.path()).unwrap().hash("15550100");
        assert_eq!(hash(&folders[0]), hash(&folders[0]));
        assert_ne!(hash(&folders[0]), hash(&folders[1]));
        let file = folders[0].path().join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "cut").unwrap();
        let first = hash(&folders[0]);
        assert_eq!(hash(&folders[0]), first);
    }
}
