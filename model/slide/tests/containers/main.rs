//! Slides that are no TIFF: containers of many pictures, and folders of many files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beyond;
mod dicom;
mod dicom_builder;
mod mirax;
#[expect(dead_code, reason = "the other tests write more kinds of TIFF")]
#[path = "../formats/tiff_builder.rs"]
mod tiff_builder;
