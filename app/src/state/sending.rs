//! What a person wants to send from the review into a labelled folder.

/// Typed and chosen in the dialog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sending {
    /// The labelled folder, as typed.
    pub(crate) folder: String,
    /// Name of the class whose areas are the lesions.
    pub(crate) class: String,
    /// Whose slide it is, as typed; may be empty.
    pub(crate) patient: String,
}
