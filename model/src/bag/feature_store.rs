//! Features on disk, so that the second run over a slide need not encode.
//!
//! One file holds the features of one strip of patches under a name made of everything that decides them.
//! Little-endian: magic, `n: u64`, `dim: u64`, `damaged_tiles: u64`, SHA-256 of the values, `n * dim` f16 values.
//! A file that does not check is computed afresh; a store that cannot be written costs time, never a result.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use half::f16;
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 8] = b"SLFEAT01";
const HEADER_BYTES: usize = 8 + 3 * 8 + 32;
/// What half-written files are called.
const HALF_WRITTEN: &str = ".half-written-";
/// A half-written file of this age belongs to no running program.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The features of some patches, in the order they were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredFeatures {
    /// `[n, dim]`.
    pub(crate) values: Vec<f16>,
    /// Stored tiles of the slide that could not be read.
    pub(crate) damaged_tiles: u32,
}

/// A folder of feature files.
#[derive(Debug)]
pub(crate) struct FeatureStore {
    dir: PathBuf,
}

impl FeatureStore {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Removes what killed programs left half written.
    pub(crate) fn tidy(&self) {
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let is_half = entry.file_name().to_string_lossy().starts_with(HALF_WRITTEN);
            let modified = entry.metadata().ok().and_then(|it| it.modified().ok());
            let is_old = modified.and_then(|it| it.elapsed().ok()).is_some_and(|it| ABANDONED < it);
            if is_half
                && is_old
                && let Err(error) = std::fs::remove_file(entry.path())
            {
                tracing::warn!("a half-written file stays: {error}");
            }
        }
    }

    /// The features named `key`, if all `n * dim` of them are there and undamaged.
    pub(crate) fn read(&self, key: &str, n: usize, dim: usize) -> Option<StoredFeatures> {
        let mut bytes = Vec::new();
        std::fs::File::open(self.path(key)).ok()?.read_to_end(&mut bytes).ok()?;
        let features = parse(&bytes, n, dim);
        if features.is_none() {
            tracing::warn!("cached features {key} are damaged and are computed afresh");
        }
        features
    }

    /// Keeps `features` under `key`; a full or read-only disk is a warning.
    pub(crate) fn write(&self, key: &str, dim: usize, features: &StoredFeatures) {
        if let Err(error) = self.try_write(key, dim, features) {
            tracing::warn!(
                "features cannot be cached and will be computed again next time: {error}"
            );
        }
    }

    fn try_write(&self, key: &str, dim: usize, features: &StoredFeatures) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        let values: Vec<u8> = features.values.iter().flat_map(|it| it.to_le_bytes()).collect();
        let mut file = tempfile::Builder::new().prefix(HALF_WRITTEN).tempfile_in(&self.dir)?;
        file.write_all(MAGIC)?;
        let n = features.values.len() / dim.max(1);
        for number in [n as u64, dim as u64, u64::from(features.damaged_tiles)] {
            file.write_all(&number.to_le_bytes())?;
        }
        file.write_all(&Sha256::digest(&values))?;
        file.write_all(&values)?;
        file.persist(self.path(key))?;
        Ok(())
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{key}.features"))
    }
}

fn parse(bytes: &[u8], n: usize, dim: usize) -> Option<StoredFeatures> {
    let (header, values) = bytes.split_at_checked(HEADER_BYTES)?;
    let number =
        |i: usize| Some(u64::from_le_bytes(header.get(8 * i..8 * i + 8)?.try_into().ok()?));
    let is_expected = header.starts_with(MAGIC)
        && number(1)? == n as u64
        && number(2)? == dim as u64
        && values.len() == n * dim * 2
        && header[32..] == Sha256::digest(values)[..];
    is_expected.then_some(())?;
    let values = values.as_chunks::<2>().0.iter().map(|it| f16::from_le_bytes(*it)).collect();
    Some(StoredFeatures { values, damaged_tiles: u32::try_from(number(3)?).ok()? })
}

/// A name for everything that decides some features: the SHA-256 of the parts, each behind its length.
pub(crate) fn key(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> StoredFeatures {
        let values = (0..6_u8).map(|i| f16::from_f32(f32::from(i) * 0.3)).collect();
        StoredFeatures { values, damaged_tiles: 3 }
    }

    #[test]
    fn what_is_kept_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = FeatureStore::new(&dir.path().join("deeper"));
        assert_eq!(store.read("a", 3, 2), None);
        store.write("a", 2, &some());
        assert_eq!(store.read("a", 3, 2), Some(some()));
        assert_eq!(store.read("a", 2, 3), None, "other patches than expected");
    }

    #[test]
    fn a_flipped_bit_or_a_cut_file_is_computed_afresh() {
        let dir = tempfile::tempdir().unwrap();
        let store = FeatureStore::new(dir.path());
        store.write("a", 2, &some());
        let path = dir.path().join("a.features");
        let good = std::fs::read(&path).unwrap();
        for at in [0, 9, 40, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 4;
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(store.read("a", 3, 2), None, "byte {at}");
        }
        for length in [0, 10, HEADER_BYTES, good.len() - 1] {
            std::fs::write(&path, &good[..length]).unwrap();
            assert_eq!(store.read("a", 3, 2), None, "{length} bytes");
        }
    }

    #[test]
    fn a_store_that_cannot_be_written_is_no_failure() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = FeatureStore::new(&file.path().join("below a file"));
        store.write("a", 2, &some());
        assert_eq!(store.read("a", 3, 2), None);
    }

    #[test]
    fn only_abandoned_half_written_files_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * ABANDONED;
        for (name, is_old) in
            [("a.features", true), (".half-written-a", true), (".half-written-b", false)]
        {
            let file = std::fs::File::create(dir.path().join(name)).unwrap();
            if is_old {
                file.set_modified(long_ago).unwrap();
            }
        }
        FeatureStore::new(dir.path()).tidy();
        let mut left: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [".half-written-b", "a.features"]);
    }

    #[test]
    fn bytes_are_written_high_digit_first() {
        assert_eq!(hex(&[0x0f, 0xa0]), "0fa0");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
    }
}
