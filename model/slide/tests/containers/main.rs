//! Slides that are no TIFF: containers of many pictures, and folders of many files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dicom;
mod dicom_builder;
mod mirax;
