//! The name of a slide by its content.
//!
//! SHA-256 over a version word, the file's length and:
//! - up to 8 MiB: every byte;
//! - beyond: the directory's entry tables, the first and last 64 KiB, and 64 blocks of 4 KiB spread evenly in between,
//!   which is 0.4 MiB of any file. Two scans differ in nearly all of their compressed bytes; a copy that was edited in
//!   place in a few bytes only may keep its name.

use std::sync::Arc;

use domain::id::SlideId;
use sha2::{Digest as _, Sha256};

use crate::file::SlideFile;

const VERSION: &[u8] = b"slidelight content 1";
const WHOLE_BYTES: u64 = 8 << 20;
const END_BYTES: u64 = 64 << 10;
const N_SAMPLES: u64 = 64;
const SAMPLE_BYTES: u64 = 4 << 10;

/// Reads as much of the files as their identity needs. A slide of several files is named by all of them, whichever of
/// them was opened. What cannot be read any more counts as missing, which is another content and another name.
pub(crate) fn identify(files: &[Arc<SlideFile>], fingerprint: &[u8]) -> SlideId {
    let mut digests: Vec<Vec<u8>> = files.iter().map(|file| digest(file, fingerprint)).collect();
    digests.sort();
    let name = match digests.as_slice() {
        [digest] => digest.clone(),
        digests => Sha256::digest(digests.concat()).to_vec(),
    };
    SlideId(name.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn digest(file: &SlideFile, fingerprint: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(VERSION);
    hash.update(file.length().to_le_bytes());
    if file.length() <= WHOLE_BYTES {
        add(&mut hash, file, 0, file.length());
    } else {
        hash.update(fingerprint);
        add(&mut hash, file, 0, END_BYTES);
        let stride = file.length() / (N_SAMPLES + 1);
        for sample in 1..=N_SAMPLES {
            add(&mut hash, file, sample * stride, SAMPLE_BYTES);
        }
        add(&mut hash, file, file.length() - END_BYTES, END_BYTES);
    }
    hash.finalize().to_vec()
}

fn add(hash: &mut Sha256, file: &SlideFile, offset: u64, length: u64) {
    match file.read(offset, length) {
        Ok(bytes) => hash.update(bytes),
        Err(error) => tracing::warn!("the content hash lacks a part of the file: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, SeekFrom, Write as _};

    fn id_of(length: u64, changed_at: u64) -> SlideId {
        let mut on_disk = tempfile::NamedTempFile::new().unwrap();
        on_disk.as_file().set_len(length).unwrap();
        on_disk.seek(SeekFrom::Start(changed_at)).unwrap();
        on_disk.write_all(&[1; 8]).unwrap();
        identify(&[Arc::new(SlideFile::open(on_disk.path()).unwrap())], &[])
    }

    #[test]
    fn small_files_differ_by_any_byte() {
        assert_ne!(id_of(1000, 500), id_of(1000, 501));
        assert_eq!(id_of(1000, 500), id_of(1000, 500));
    }

    #[test]
    fn large_files_differ_by_length_ends_and_samples() {
        let length = WHOLE_BYTES * 2;
        let sample = length / (N_SAMPLES + 1);
        let ids = [
            id_of(length, 0),
            id_of(length, length - 8),
            id_of(length, sample * 5),
            id_of(length + 1, 0),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert!(ids[i + 1..].iter().all(|other| other != id));
        }
    }
}
