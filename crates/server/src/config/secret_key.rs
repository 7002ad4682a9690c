//! The secret key that the server makes for itself where nobody sets one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::{ConfigError, Secret};

/// Name of the file in the data folder.
const FILE_NAME: &str = "secret_key";

/// 384 bits; 64 characters as text.
const KEY_BYTES: usize = 48;

/// Where the key of a data folder is kept.
pub(super) fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

/// The key that the file holds, if there is one yet.
pub(super) fn read(file: &Path) -> Result<Option<Secret>, ConfigError> {
    match read_text(file) {
        Ok(key) => Ok(Some(Secret::new(key))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(ConfigError::SecretKeyFile { file: file.to_owned(), problem }),
    }
}

/// The key that the file holds, made now if there is none yet. Processes that start at the same time
/// get the same one.
pub(super) fn read_or_create(file: &Path) -> Result<Secret, ConfigError> {
    if let Some(key) = read(file)? {
        return Ok(key);
    }
    create(file)
        .and_then(|()| read_text(file))
        .map(Secret::new)
        .map_err(|problem| ConfigError::SecretKeyFile { file: file.to_owned(), problem })
}

fn read_text(file: &Path) -> io::Result<String> {
    let text = fs::read_to_string(file)?;
    let key = text.trim_end_matches(['\r', '\n']);
    if key.is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidData, "the secret key file is empty"));
    }
    Ok(key.to_owned())
}

/// Writes a new key beside the file and links it into place: the link fails where another process was
/// faster, and nobody ever sees half a key.
fn create(file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut random = [0; KEY_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let key = BASE64_URL_SAFE_NO_PAD.encode(random);
    let draft = folder.join(format!(".{FILE_NAME}.{}", &uuid::Uuid::new_v4().simple()));
    let linked = write_private(&draft, &key).and_then(|()| fs::hard_link(&draft, file));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => File::open(folder)?.sync_all(),
    }
}

fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn the_key_is_long_private_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(&folder.path().join("new/data"));
        assert_eq!(read(&file).unwrap(), None);

        let key = read_or_create(&file).unwrap();
        assert_eq!(key.expose().len(), 64);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_or_create(&file).unwrap(), key);
        assert_eq!(read(&file).unwrap(), Some(key));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn processes_that_start_together_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(folder.path());
        let start = Barrier::new(8);
        let keys: Vec<Secret> = thread::scope(|scope| {
            let racer = || {
                start.wait();
                read_or_create(&file).unwrap()
            };
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(racer)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn an_empty_file_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(folder.path());
        fs::write(&file, "\n").unwrap();
        let error = read_or_create(&file).unwrap_err().to_string();
        assert!(error.starts_with(file.to_str().unwrap()), "{error}");
        assert!(error.ends_with("the secret key file is empty (or set SECRET_KEY)"), "{error}");
    }
}
