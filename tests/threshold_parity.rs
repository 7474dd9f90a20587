//! To be filled by the room it tests.
